// A page of the customers, to compare them with the source.
MATCH (c:Customer)
WHERE c.id > $after
RETURN c.id AS key
ORDER BY key
LIMIT $limit
