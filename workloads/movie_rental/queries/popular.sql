-- What most people rented.
SELECT film_id::text COLLATE "C" AS id, count(DISTINCT customer_id) AS people
FROM rentals JOIN inventory USING (inventory_id)
WHERE customer_id IS NOT NULL
GROUP BY film_id
ORDER BY people DESC, id
LIMIT %(limit)s
