// What a customer rented, in order.
MATCH (:Customer {id: $customer})-[r:RENTED]->(m:Movie)
RETURN r.rentalId AS rentalId, m.id AS id, m.title AS title
ORDER BY rentalId
