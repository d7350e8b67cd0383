// Creates movies, or corrects their titles.
UNWIND $movies AS movie
MERGE (m:Movie {id: movie.id})
SET m.title = movie.title
