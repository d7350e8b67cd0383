-- How many rentals of each category each store of the old database had on each day, and what was paid for them.
-- It counts what is in the table, also what a migration could not join with a copy.
SELECT (r.rental_date::timestamptz)::date AS day, c.category, i.store_id, count(*), sum(coalesce(p.amount, 0))
FROM rental r
LEFT JOIN inventory i ON i.inventory_id = r.inventory_id
LEFT JOIN (
    SELECT fc.film_id, (array_agg(c.name ORDER BY c.category_id))[1] AS category
    FROM film_category fc JOIN category c ON c.category_id = fc.category_id
    WHERE c.category_id <> ALL(%(without_category)s)
    GROUP BY fc.film_id
) c ON c.film_id = i.film_id
LEFT JOIN (
    SELECT rental_id, sum(amount::numeric) AS amount FROM payment WHERE payment_id <> ALL(%(without_payment)s) GROUP BY rental_id
) p ON p.rental_id = r.rental_id
WHERE r.rental_id <> ALL(%(without_rental)s)
GROUP BY 1, 2, 3
ORDER BY 1
