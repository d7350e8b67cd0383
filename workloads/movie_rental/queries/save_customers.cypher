// Creates customers: their numbers, nothing personal. Nobody who was erased comes back.
UNWIND $customers AS customer
OPTIONAL MATCH (gone:ErasedCustomer {id: customer})
WITH customer, gone
WHERE gone IS NULL
MERGE (:Customer {id: customer})
