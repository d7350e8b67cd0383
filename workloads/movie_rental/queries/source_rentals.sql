-- Every rental of the old database with its film, its film's first category, its store, and what was paid for it, by number.
SELECT r.rental_id, r.rental_date::timestamptz, coalesce(r.customer_id, 0), i.film_id, f.title, i.store_id, c.category,
       coalesce(p.amount, 0)::numeric(9, 2) AS amount
FROM rental r
JOIN inventory i ON i.inventory_id = r.inventory_id
JOIN film f ON f.film_id = i.film_id
LEFT JOIN (
    SELECT fc.film_id, (array_agg(c.name ORDER BY c.category_id))[1] AS category
    FROM film_category fc JOIN category c ON c.category_id = fc.category_id
    WHERE c.category_id <> ALL(%(without_category)s)
    GROUP BY fc.film_id
) c ON c.film_id = f.film_id
LEFT JOIN (
    SELECT rental_id, sum(amount::numeric) AS amount FROM payment WHERE payment_id <> ALL(%(without_payment)s) GROUP BY rental_id
) p ON p.rental_id = r.rental_id
WHERE r.rental_id > %(after)s AND i.film_id BETWEEN %(lowest)s AND %(highest)s AND r.rental_id <> ALL(%(without_rental)s)
ORDER BY r.rental_id
