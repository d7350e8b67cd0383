-- Every rental of the ledger with its film, its store, and what was paid for it, by number.
SELECT r.rental_id, r.rented_at, coalesce(r.customer_id, 0) AS customer_id, i.film_id, i.store_id,
       coalesce(p.amount, 0)::numeric(9, 2) AS amount
FROM rentals r
JOIN inventory i ON i.inventory_id = r.inventory_id
LEFT JOIN (SELECT rental_id, sum(amount) AS amount FROM payments GROUP BY rental_id) p ON p.rental_id = r.rental_id
ORDER BY r.rental_id
