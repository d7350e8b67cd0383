// The cast of a page of movies, to compare it with the source.
MATCH (p:Person)-[:ACTED_IN]->(m:Movie)
WHERE m.id > $after AND m.id <= $to
RETURN m.id AS key, p.name AS name
