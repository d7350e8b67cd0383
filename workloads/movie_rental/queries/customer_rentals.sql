-- What a customer rented, when it came back, and what was paid for it, the latest first.
SELECT r.rental_id, r.rented_at, r.returned_at, i.film_id, i.store_id,
       (SELECT coalesce(sum(p.amount), 0)::numeric(12, 2) FROM payments p WHERE p.rental_id = r.rental_id) AS paid
FROM rentals r JOIN inventory i ON i.inventory_id = r.inventory_id
WHERE r.customer_id = %(customer)s
ORDER BY r.rented_at DESC, r.rental_id DESC
