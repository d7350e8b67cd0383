-- A rental with its copy, locked until it is taken back.
SELECT r.rental_id, r.customer_id, r.returned_at, i.film_id, i.store_id
FROM rentals r JOIN inventory i ON i.inventory_id = r.inventory_id
WHERE r.rental_id = %(rental)s
FOR UPDATE OF r
