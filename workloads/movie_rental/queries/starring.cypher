// The films in which a person acts.
MATCH (:Person {name: $value})-[:ACTED_IN]->(movie:Movie)
RETURN movie.id AS id, movie.title AS title
ORDER BY id
LIMIT $limit
