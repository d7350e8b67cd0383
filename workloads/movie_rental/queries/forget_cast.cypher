// Disconnects movies from people who do not act in them any more.
UNWIND $movies AS movie
MATCH (m:Movie {id: movie.id})<-[r:ACTED_IN]-(p:Person)
WHERE NOT p.name IN movie.cast
DELETE r
