-- Which copy of a film is in a store, locked so that two customers never get the same one.
SELECT i.inventory_id
FROM inventory i
WHERE i.film_id = %(film)s AND i.store_id = %(store)s
  AND NOT EXISTS (SELECT FROM rentals r WHERE r.inventory_id = i.inventory_id AND r.returned_at IS NULL)
ORDER BY i.inventory_id
LIMIT 1
FOR UPDATE SKIP LOCKED
