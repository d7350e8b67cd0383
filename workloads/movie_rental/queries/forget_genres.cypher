// Disconnects movies from genres that they do not have any more.
UNWIND $movies AS movie
MATCH (m:Movie {id: movie.id})-[r:IN_GENRE]->(g:Genre)
WHERE NOT g.name IN movie.genres
DELETE r
