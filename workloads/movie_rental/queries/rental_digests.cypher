// How many rentals each of a page of customers has, and the sum of their digests, to compare them with the source.
// A digest mixes number, customer, movie and time in a prime field, as source_rental_digests.sql does.
MATCH (c:Customer)-[r:RENTED]->(m:Movie)
WHERE c.id > $after AND c.id <= $to
WITH c.id AS customer,
     r.rentalId % 2147483647 * 1103515245 % 2147483647
     + toInteger(c.id) % 2147483647 * 1220703125 % 2147483647
     + toInteger(m.id) % 2147483647 * 1566083941 % 2147483647
     + toInteger(replace(replace(replace(replace(replace(r.at, '-', ''), 'T', ''), ':', ''), '.', ''), 'Z', ''))
     % 2147483647 * 1812433253 % 2147483647 AS mixed
WITH customer, mixed % 2147483647 AS mixed
RETURN customer AS key, count(*) AS rentals, sum(mixed * mixed % 2147483647) AS digest
