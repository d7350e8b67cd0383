-- Replaces a customer's data.
UPDATE customers
SET store_id = %(store_id)s, first_name = %(first_name)s, last_name = %(last_name)s, email = %(email)s,
    address_id = %(address_id)s, active = %(active)s, created = %(created)s
WHERE customer_id = %(id)s
RETURNING customer_id
