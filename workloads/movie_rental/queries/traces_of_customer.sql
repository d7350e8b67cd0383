-- How many rows of the relational database still tell of a customer, by table; erasures hold only the number.
SELECT (SELECT count(*) FROM customers WHERE customer_id = %(customer)s) AS customers,
       (SELECT count(*) FROM rentals WHERE customer_id = %(customer)s) AS rentals,
       (SELECT count(*) FROM payments WHERE customer_id = %(customer)s) AS payments,
       (SELECT count(*) FROM outbox WHERE customer_id = %(customer)s AND event->>'type' <> 'customer_erased') AS outbox
