-- How many rentals the old database has of each day.
SELECT (r.rental_date::timestamptz)::date AS day, count(*)
FROM rental r
WHERE r.rental_id <> ALL(%(without_rental)s)
GROUP BY 1
ORDER BY 1
