-- Rows of the old database that cannot be migrated: what they are, their number, what is wrong, and how many there are.
WITH keys (what, number) AS (
    SELECT 'country', country_id FROM country UNION ALL SELECT 'city', city_id FROM city
    UNION ALL SELECT 'address', address_id FROM address UNION ALL SELECT 'store', store_id FROM store
    UNION ALL SELECT 'staff', staff_id FROM staff UNION ALL SELECT 'customer', customer_id FROM customer
    UNION ALL SELECT 'category', category_id FROM category UNION ALL SELECT 'film', film_id FROM film
    UNION ALL SELECT 'inventory', inventory_id FROM inventory UNION ALL SELECT 'rental', rental_id FROM rental
    UNION ALL SELECT 'payment', payment_id FROM payment
), faults (what, number, reason) AS (
    SELECT what, number, format('there are %%s rows of this number', count(*))
    FROM keys WHERE number IS NOT NULL GROUP BY what, number HAVING count(*) > 1
    UNION ALL
    SELECT DISTINCT what, number, 'numbers begin at 1' FROM keys WHERE number < 1
    UNION ALL
    SELECT what, 0, format('%%s rows have no number', count(*)) FROM keys WHERE number IS NULL GROUP BY what
    UNION ALL
    SELECT 'film', film_id, 'it has no title' FROM film WHERE coalesce(title, '') = ''
    UNION ALL
    SELECT 'film', film_id, format('its title has %%s bytes, and DynamoDB takes 1024', octet_length(title))
    FROM film WHERE octet_length(title) > 1024
    UNION ALL
    SELECT 'film', film_id, format('its rental_rate is %%s and its replacement_cost %%s',
                                   coalesce(rental_rate::text, 'missing'), coalesce(replacement_cost::text, 'missing'))
    FROM film WHERE coalesce(rental_rate::text, 'nan') ~* 'nan|inf' OR coalesce(replacement_cost::text, 'nan') ~* 'nan|inf'
    UNION ALL
    SELECT 'film', film_id, format('its rental_rate is %%s, which has fractions of a cent', rental_rate)
    FROM film WHERE rental_rate::text !~* 'nan|inf' AND rental_rate::numeric <> round(rental_rate::numeric, 2)
    UNION ALL
    SELECT 'category', category_id, 'it has no name' FROM category WHERE coalesce(name, '') = ''
    UNION ALL
    SELECT 'category', category_id, format('its name has %%s bytes, and DynamoDB takes 2048', octet_length(name))
    FROM category WHERE octet_length(name) > 2048
    UNION ALL
    SELECT 'customer', customer_id, format('its create_date is %%s', create_date)
    FROM customer WHERE create_date::date NOT BETWEEN '0001-01-01' AND '9999-12-31'
    UNION ALL
    SELECT 'rental', rental_id, format('its rental_date is %%s', rental_date)  -- time series hold 64 bits of nanoseconds
    FROM rental WHERE rental_date::timestamptz NOT BETWEEN '1678-01-01' AND '2262-01-01'
    UNION ALL
    SELECT 'rental', rental_id, format('its return_date is %%s', return_date)
    FROM rental WHERE return_date::timestamptz NOT BETWEEN '0001-01-01' AND '9999-12-31'
    UNION ALL
    SELECT 'rental', rental_id, format('it has not returned copy %%s, and neither has rental %%s', inventory_id, first)
    FROM (
        SELECT rental_id, inventory_id, min(rental_id) OVER (PARTITION BY inventory_id) AS first
        FROM rental WHERE return_date IS NULL
    ) out
    WHERE rental_id > first
    UNION ALL
    SELECT 'rental', rental_id, CASE WHEN i.film_id IS NULL THEN format('its copy %%s is of no film', i.inventory_id)
        ELSE format('its copy %%s is of film %%s, which is not there', i.inventory_id, i.film_id) END
    FROM rental r JOIN inventory i ON i.inventory_id = r.inventory_id
    WHERE NOT EXISTS (SELECT FROM film f WHERE f.film_id = i.film_id)
    UNION ALL
    SELECT 'payment', payment_id, format('its payment_date is %%s', payment_date)
    FROM payment WHERE payment_date::timestamptz NOT BETWEEN '0001-01-01' AND '9999-12-31'
    UNION ALL
    SELECT 'payment', payment_id, format('its amount is %%s', amount)
    FROM payment WHERE NOT abs(amount::numeric) < 100000
    UNION ALL
    SELECT 'payment', payment_id, format('its amount is %%s, which has fractions of a cent', amount)
    FROM payment WHERE abs(amount::numeric) < 100000 AND amount::numeric <> round(amount::numeric, 2)
)
SELECT what, number, reason, count(*) OVER () AS faults FROM faults ORDER BY what, number LIMIT %(limit)s
