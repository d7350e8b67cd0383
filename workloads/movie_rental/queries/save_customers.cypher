// Creates customers: their numbers, nothing personal.
UNWIND $customers AS customer
MERGE (:Customer {id: customer})
