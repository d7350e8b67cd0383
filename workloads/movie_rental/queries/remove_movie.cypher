// Removes a movie with all that is connected to it.
MATCH (m:Movie {id: $movie})
DETACH DELETE m
