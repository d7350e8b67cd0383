-- What keeps the other engines in step with this one.

-- Events that have not reached the queue: written with the change that they tell of, in one transaction.
CREATE TABLE outbox (
    place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id integer NOT NULL,
    event jsonb NOT NULL
);
CREATE INDEX outbox_customer ON outbox (customer_id, place);

-- Customers who were erased, and the address that went with them, only by number, so that no later migration brings
-- them back.
CREATE TABLE erasures (
    customer_id integer PRIMARY KEY,
    address_id integer,
    erased_at timestamptz NOT NULL DEFAULT now()
);

-- How far a migration is: rows of each stream up to this key are in their engines.
CREATE TABLE checkpoints (
    stream text PRIMARY KEY,
    source text NOT NULL,
    position bigint NOT NULL,
    done boolean NOT NULL DEFAULT false
);

-- Models of embeddings that were fitted on the library: vectors can only be compared with those of the same model.
CREATE TABLE models (
    name text PRIMARY KEY,
    content bytea NOT NULL
);
