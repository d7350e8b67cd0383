// The genres of a page of movies, to compare them with the source.
MATCH (m:Movie)-[:IN_GENRE]->(g:Genre)
WHERE m.id > $after AND m.id <= $to
RETURN m.id AS key, g.name AS name
