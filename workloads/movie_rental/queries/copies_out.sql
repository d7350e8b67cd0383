-- Which copies are out by rentals of the new system, and by which.
SELECT inventory_id, rental_id FROM rentals WHERE returned_at IS NULL AND changed_at IS NOT NULL
