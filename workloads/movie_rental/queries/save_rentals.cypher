// Connects customers with what they rented; the same rental is one connection however often it is written.
UNWIND $rentals AS rental
MERGE (c:Customer {id: rental.customer})
MERGE (m:Movie {id: rental.movie})
ON CREATE SET m.title = rental.title
WITH rental, c, m
OPTIONAL MATCH (c)-[r:RENTED {rentalId: rental.rentalId}]->(m)
SET r.at = rental.at
WITH rental, c, m, r
WHERE r IS NULL
CREATE (c)-[:RENTED {rentalId: rental.rentalId, at: rental.at}]->(m)
