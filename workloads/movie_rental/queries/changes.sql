-- What the new system has changed since the migration: how many rows of each table, their keys, and when the first one was.
SELECT name, count(*)::integer AS rows, array_agg(key) AS keys, min(changed_at) AS since
FROM (
    SELECT 'countries' AS name, country_id AS key, changed_at FROM countries WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'cities', city_id, changed_at FROM cities WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'addresses', address_id, changed_at FROM addresses WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'stores', store_id, changed_at FROM stores WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'staff', staff_id, changed_at FROM staff WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'managers', store_id, changed_at FROM managers WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'customers', customer_id, changed_at FROM customers WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'inventory', inventory_id, changed_at FROM inventory WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'rentals', rental_id, changed_at FROM rentals WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'payments', payment_id, changed_at FROM payments WHERE changed_at IS NOT NULL
    UNION ALL SELECT 'movies', CASE WHEN movie_id ~ '^[0-9]{1,9}$' THEN movie_id::integer ELSE 0 END, changed_at
    FROM changed_movies
) changed
GROUP BY name
ORDER BY name
