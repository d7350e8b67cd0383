-- Remembers that the new system changes a movie, before it does.
INSERT INTO changed_movies (movie_id) VALUES (%(movie)s)
ON CONFLICT (movie_id) DO UPDATE SET changed_at = excluded.changed_at
RETURNING movie_id
