-- Some payments are for outstanding fees, and belong to no rental (Sakila's documentation of its table payment).
ALTER TABLE payments ALTER COLUMN rental_id DROP NOT NULL;
