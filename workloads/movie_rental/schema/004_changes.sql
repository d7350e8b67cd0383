-- When the new system last changed a row; null where the row is as the old database had it. From the first such row on, a
-- migration refuses to write over the new system.

ALTER TABLE countries ADD COLUMN changed_at timestamptz;
ALTER TABLE cities ADD COLUMN changed_at timestamptz;
ALTER TABLE addresses ADD COLUMN changed_at timestamptz;
ALTER TABLE stores ADD COLUMN changed_at timestamptz;
ALTER TABLE staff ADD COLUMN changed_at timestamptz;
ALTER TABLE managers ADD COLUMN changed_at timestamptz;
ALTER TABLE customers ADD COLUMN changed_at timestamptz;
ALTER TABLE inventory ADD COLUMN changed_at timestamptz;
ALTER TABLE rentals ADD COLUMN changed_at timestamptz;
ALTER TABLE payments ADD COLUMN changed_at timestamptz;

CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := now();
    RETURN NEW;
END
$$;

-- An erasure takes the customer from rentals and payments: that is no change that a migration would undo.
DO $$
DECLARE
    changing text;
    columns text;
BEGIN
    FOREACH changing IN ARRAY ARRAY['countries', 'cities', 'addresses', 'stores', 'staff', 'managers', 'customers',
                                    'inventory', 'rentals', 'payments'] LOOP
        SELECT string_agg(attname, ', ') INTO columns FROM pg_attribute
        WHERE attrelid = changing::regclass AND attnum > 0
          AND (attname <> 'customer_id' OR changing NOT IN ('rentals', 'payments'));
        EXECUTE format('CREATE INDEX %I ON %I (changed_at) WHERE changed_at IS NOT NULL', changing || '_changed', changing);
        EXECUTE format('CREATE TRIGGER note_change BEFORE INSERT OR UPDATE OF %s ON %I FOR EACH ROW WHEN '
                       '(current_setting(''movie_rental.migrating'', true) IS DISTINCT FROM ''on'') '
                       'EXECUTE FUNCTION note_change()', columns, changing);
    END LOOP;
END
$$;

-- The same for movies, which are in the library.
CREATE TABLE changed_movies (
    movie_id text PRIMARY KEY,
    changed_at timestamptz NOT NULL DEFAULT now()
);
