// A page of the movies with their genres and their cast, to compare them with the source.
MATCH (m:Movie)
WHERE m.id > $after
WITH m
ORDER BY m.id
LIMIT $limit
OPTIONAL MATCH (m)-[:IN_GENRE]->(g:Genre)
WITH m, collect(g.name) AS genres
OPTIONAL MATCH (m)<-[:ACTED_IN]-(p:Person)
RETURN m.id AS key, m.title AS title, genres, collect(p.name) AS cast
ORDER BY key
