-- Which request has made a rental, so that a request that is repeated rents once.
ALTER TABLE rentals ADD COLUMN request text CONSTRAINT rentals_request UNIQUE;
