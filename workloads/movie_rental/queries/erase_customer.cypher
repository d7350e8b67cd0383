// Removes a customer and what they rented; their number stays as a mark, so that events that come late bring nobody back.
MERGE (:ErasedCustomer {id: $customer})
WITH 1 AS one
MATCH (c:Customer {id: $customer})
DETACH DELETE c
