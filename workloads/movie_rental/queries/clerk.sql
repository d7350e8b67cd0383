-- Who of the staff lends in a store: its manager, or whoever works there.
SELECT s.staff_id
FROM staff s LEFT JOIN managers m ON m.staff_id = s.staff_id AND m.store_id = s.store_id
WHERE s.store_id = %(store)s
ORDER BY m.staff_id NULLS LAST, s.staff_id
LIMIT 1
