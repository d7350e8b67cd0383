-- A page of the ledger's customers, by number.
SELECT customer_id FROM customers WHERE customer_id > %(after)s ORDER BY customer_id LIMIT %(limit)s
