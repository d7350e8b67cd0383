-- A customer's own row.
SELECT customer_id, store_id, first_name, last_name, email, address_id, active, created
FROM customers
WHERE customer_id = %(id)s
