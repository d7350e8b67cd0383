-- Every film of the old database with its language, categories (the first one first) and actors, by number.
SELECT f.film_id, f.title, f.description, f.release_year::integer, trim(l.name) AS language, f.rating::text,
       f.length::integer, f.rental_rate::numeric, f.replacement_cost::numeric, f.rental_duration::integer,
       CASE WHEN left(f.special_features::text, 1) = '{' THEN f.special_features::text::text[]
       ELSE string_to_array(f.special_features::text, ',') END AS special_features, c.genres, a.actors
FROM film f
LEFT JOIN language l ON l.language_id = f.language_id
LEFT JOIN (
    SELECT fc.film_id, array_agg(c.name ORDER BY c.category_id) AS genres
    FROM film_category fc JOIN category c ON c.category_id = fc.category_id
    WHERE c.category_id <> ALL(%(without_category)s)
    GROUP BY fc.film_id
) c ON c.film_id = f.film_id
LEFT JOIN (
    SELECT fa.film_id, array_agg(concat_ws(' ', a.first_name, a.last_name) ORDER BY a.actor_id) AS actors
    FROM film_actor fa JOIN actor a ON a.actor_id = fa.actor_id
    GROUP BY fa.film_id
) a ON a.film_id = f.film_id
WHERE f.film_id > %(after)s AND f.film_id BETWEEN %(lowest)s AND %(highest)s AND f.film_id <> ALL(%(without_film)s)
ORDER BY f.film_id
