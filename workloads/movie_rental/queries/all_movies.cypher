// A page of the movies, to compare them with the source.
MATCH (m:Movie)
WHERE m.id > $after
RETURN m.id AS key, m.title AS title
ORDER BY key
LIMIT $limit
