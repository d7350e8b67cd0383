// What a page of customers rented, to compare it with the source.
MATCH (c:Customer)-[r:RENTED]->(m:Movie)
WHERE c.id > $after AND c.id <= $to
RETURN c.id AS key, m.id AS movie, r.rentalId AS rentalId, r.at AS at
