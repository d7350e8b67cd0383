// What some customers rented, to compare it with the source.
MATCH (c:Customer)-[r:RENTED]->(m:Movie)
WHERE c.id IN $customers
RETURN c.id AS key, m.id AS movie, r.rentalId AS rentalId, r.at AS at
