-- A page of the ledger's rentals with film, store, and what was paid for each, by number; an erased customer's are nobody's.
SELECT r.rental_id, r.rented_at, coalesce(r.customer_id, 0) AS customer_id, i.film_id, i.store_id,
       (SELECT coalesce(sum(p.amount), 0)::numeric(9, 2) FROM payments p WHERE p.rental_id = r.rental_id) AS amount
FROM rentals r JOIN inventory i ON i.inventory_id = r.inventory_id
WHERE r.rental_id > %(after)s
ORDER BY r.rental_id
LIMIT %(limit)s
