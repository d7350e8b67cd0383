-- Which of some addresses of the old database belong to a store, to staff, or to a customer other than the erased ones.
SELECT address_id FROM customer WHERE address_id = ANY(%(addresses)s) AND customer_id <> ALL(%(without)s)
UNION SELECT address_id FROM staff WHERE address_id = ANY(%(addresses)s)
UNION SELECT address_id FROM store WHERE address_id = ANY(%(addresses)s)
