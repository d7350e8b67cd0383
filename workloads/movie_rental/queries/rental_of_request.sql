-- The rental that a request has made, with its film, its store, and what was paid for it.
SELECT r.rental_id, r.rented_at, r.customer_id, i.film_id, i.store_id, p.amount
FROM rentals r
JOIN inventory i ON i.inventory_id = r.inventory_id
JOIN payments p ON p.rental_id = r.rental_id
WHERE r.request = %(request)s
ORDER BY p.payment_id
LIMIT 1
