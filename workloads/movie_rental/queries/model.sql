-- Which model the movies' vectors came from.
SELECT name, content FROM models
