-- When a customer was erased, if they were.
SELECT erased_at FROM erasures WHERE customer_id = %(customer)s
