-- Removes a customer and the events that wait; rentals and payments stay in the books without a name.
WITH forgotten AS (
    DELETE FROM outbox WHERE customer_id = %(customer)s
)
DELETE FROM customers WHERE customer_id = %(customer)s
RETURNING address_id
