// What the customers rented, too, who rented one film.
MATCH (:Movie {id: $value})<-[:RENTED]-(c:Customer)
WITH DISTINCT c
MATCH (c)-[:RENTED]->(movie:Movie)
WHERE movie.id <> $value
RETURN movie.id AS id, movie.title AS title, count(DISTINCT c) AS people
ORDER BY people DESC, id
LIMIT $limit
