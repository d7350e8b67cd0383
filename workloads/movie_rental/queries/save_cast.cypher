// Connects the people who act in movies with them.
UNWIND $pairs AS pair
MATCH (m:Movie {id: pair.movie})
MERGE (p:Person {name: pair.name})
MERGE (p)-[:ACTED_IN]->(m)
