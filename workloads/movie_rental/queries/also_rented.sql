-- What the customers rented, too, who rented one film.
SELECT theirs_copy.film_id::text COLLATE "C" AS id, count(DISTINCT theirs.customer_id) AS people
FROM inventory AS copy
JOIN rentals AS first ON first.inventory_id = copy.inventory_id
JOIN rentals AS theirs ON theirs.customer_id = first.customer_id
JOIN inventory AS theirs_copy ON theirs_copy.inventory_id = theirs.inventory_id
WHERE copy.film_id::text = %(value)s AND theirs_copy.film_id <> copy.film_id
GROUP BY theirs_copy.film_id
ORDER BY people DESC, id
LIMIT %(limit)s
