-- What is known of a customer: name, address, store, how much they rented and paid, and what they still have.
SELECT c.customer_id, c.first_name, c.last_name, c.email, c.active, c.created, c.store_id,
       a.street, a.street2, a.district, a.postal_code, a.phone, ci.name AS city, co.name AS country,
       (SELECT count(*) FROM rentals r WHERE r.customer_id = c.customer_id) AS rentals,
       (SELECT count(*) FROM rentals r WHERE r.customer_id = c.customer_id AND r.returned_at IS NULL) AS not_returned,
       (SELECT coalesce(sum(p.amount), 0)::numeric(12, 2) FROM payments p WHERE p.customer_id = c.customer_id) AS paid
FROM customers c
JOIN addresses a ON a.address_id = c.address_id
JOIN cities ci ON ci.city_id = a.city_id
JOIN countries co ON co.country_id = ci.country_id
WHERE c.customer_id = %(customer)s
