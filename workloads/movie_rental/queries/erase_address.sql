-- Removes the address of an erased customer, if nobody else lives there.
DELETE FROM addresses a
WHERE a.address_id = %(address)s
  AND NOT EXISTS (SELECT FROM customers WHERE address_id = a.address_id)
  AND NOT EXISTS (SELECT FROM staff WHERE address_id = a.address_id)
  AND NOT EXISTS (SELECT FROM stores WHERE address_id = a.address_id)
RETURNING a.address_id
