// What most people rented: for customers who have rented nothing yet.
MATCH (movie:Movie)<-[:RENTED]-(c:Customer)
WITH movie, count(DISTINCT c) AS people
RETURN movie.id AS id, movie.title AS title, toFloat(people) AS score, people
ORDER BY people DESC, id
LIMIT $limit
