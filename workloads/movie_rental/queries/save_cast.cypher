// Connects the people who act in movies with them.
UNWIND $pairs AS pair
MATCH (m:Movie {id: pair.movie})
MERGE (p:Person {name: pair.name})
WITH m, p
OPTIONAL MATCH (m)<-[r:ACTED_IN]-(p)
WITH m, p, r
WHERE r IS NULL
CREATE (p)-[:ACTED_IN]->(m)
