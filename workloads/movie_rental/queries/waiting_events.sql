-- Which events have to be sent next: the oldest of each customer, oldest first.
SELECT place, event
FROM (SELECT DISTINCT ON (customer_id) place, event FROM outbox ORDER BY customer_id, place) next
ORDER BY place
LIMIT %(limit)s
