// What people rented who rented what you rented, less what you had; who is more like you counts more (cosine).
MATCH (:Customer {id: $customer})-[:RENTED]->(mine:Movie)
WITH collect(DISTINCT mine.id) AS seen
MATCH (film:Movie)<-[:RENTED]-(other:Customer)
WHERE film.id IN seen AND other.id <> $customer
WITH seen, other, count(DISTINCT film) AS shared
MATCH (other)-[:RENTED]->(theirs:Movie)
WITH seen, other, shared, count(DISTINCT theirs) AS many
WITH seen, other, toFloat(shared) / sqrt(toFloat(size(seen)) * many) AS likeness
MATCH (other)-[:RENTED]->(movie:Movie)
WHERE NOT movie.id IN seen
WITH DISTINCT movie, other, likeness
RETURN movie.id AS id, movie.title AS title, sum(likeness) AS score, count(other) AS people
ORDER BY score DESC, id
LIMIT $limit
