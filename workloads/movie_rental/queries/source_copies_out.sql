-- Which of some copies of the old database are out, and by which rental.
SELECT inventory_id, rental_id FROM rental WHERE return_date IS NULL AND inventory_id = ANY(%(copies)s)
