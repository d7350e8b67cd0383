-- Removes a customer. Rentals and payments stay in the books without a name, and so do rentals that wait to be sent.
WITH forgotten AS (  -- but for the word of an erasure that is being repeated
    DELETE FROM outbox WHERE customer_id = %(customer)s AND event->>'type' NOT IN ('rented', 'customer_erased')
), nameless AS (  -- the trends still have to count them
    UPDATE outbox SET customer_id = 0, event = event || '{"customer_id": "0"}'
    WHERE customer_id = %(customer)s AND event->>'type' = 'rented'
)
DELETE FROM customers WHERE customer_id = %(customer)s
RETURNING address_id
