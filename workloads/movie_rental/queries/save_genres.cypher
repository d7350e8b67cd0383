// Connects movies with their genres.
UNWIND $pairs AS pair
MATCH (m:Movie {id: pair.movie})
MERGE (g:Genre {name: pair.name})
MERGE (m)-[:IN_GENRE]->(g)
