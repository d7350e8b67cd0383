// A node, if the graph has any.
MATCH (n)
RETURN 1 AS node
LIMIT 1
