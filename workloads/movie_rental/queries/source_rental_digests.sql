-- How many rentals each customer of the old database has, and the sum of their digests as rental_digests.cypher has them.
-- It counts what is in the table, also what a migration could not join with a copy.
SELECT mixed.customer_id::text, count(*), coalesce(sum(mixed.value * mixed.value %% 2147483647), 0)
FROM (
    SELECT r.customer_id, (
        r.rental_id::bigint %% 2147483647 * 1103515245 %% 2147483647
        + r.customer_id::bigint %% 2147483647 * 1220703125 %% 2147483647
        + i.film_id::bigint %% 2147483647 * 1566083941 %% 2147483647
        + to_char(t.at, 'YYYYMMDDHH24MISSMS')::bigint %% 2147483647 * 1812433253 %% 2147483647
    ) %% 2147483647 AS value
    FROM rental r
    CROSS JOIN LATERAL (SELECT date_trunc('milliseconds', r.rental_date::timestamptz) AS at) t
    LEFT JOIN inventory i ON i.inventory_id = r.inventory_id
    WHERE r.customer_id <> 0 AND r.customer_id <> ALL(%(erased)s) AND r.rental_id <> ALL(%(without_rental)s)
      AND coalesce(i.film_id <> ALL(%(without_film)s), true)
) mixed
GROUP BY mixed.customer_id
