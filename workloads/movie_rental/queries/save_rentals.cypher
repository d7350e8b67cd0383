// Connects customers with what they rented, once for each rental however often it is written. Nobody who was erased comes back.
UNWIND $rentals AS rental
OPTIONAL MATCH (gone:ErasedCustomer {id: rental.customer})
WITH rental, gone
WHERE gone IS NULL
MERGE (c:Customer {id: rental.customer})
MERGE (m:Movie {id: rental.movie})
ON CREATE SET m.title = rental.title
WITH rental, c, m
OPTIONAL MATCH (c)-[r:RENTED {rentalId: rental.rentalId}]->(m)
SET r.at = rental.at
WITH rental, c, m, r
WHERE r IS NULL
CREATE (c)-[:RENTED {rentalId: rental.rentalId, at: rental.at}]->(m)
