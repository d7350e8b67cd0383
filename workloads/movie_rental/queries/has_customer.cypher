// How many customers have a number: one or none.
MATCH (c:Customer {id: $customer})
RETURN count(c) AS customers
