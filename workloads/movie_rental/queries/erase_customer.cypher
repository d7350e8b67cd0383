// Removes a customer and what they rented.
MATCH (c:Customer {id: $customer})
DETACH DELETE c
