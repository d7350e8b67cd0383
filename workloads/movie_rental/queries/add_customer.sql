-- Creates a customer, and gives them a number.
INSERT INTO customers (store_id, first_name, last_name, email, address_id, active, created)
VALUES (%(store_id)s, %(first_name)s, %(last_name)s, %(email)s, %(address_id)s, %(active)s, %(created)s)
RETURNING customer_id, store_id, first_name, last_name, email, address_id, active, created
