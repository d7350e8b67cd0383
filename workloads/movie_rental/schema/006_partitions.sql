-- A migration in partitions, each of which a process of its own may move: a range of films with their copies, rentals and payments. The
-- partition -1 has what belongs to no film.
CREATE TABLE partitions (
    partition integer PRIMARY KEY,
    source text NOT NULL,
    run text NOT NULL,
    lowest bigint NOT NULL,
    highest bigint NOT NULL,
    done boolean NOT NULL DEFAULT false
);

-- How far a migration is: rows of each stream up to this key are in their engines, and how many these were.
DROP TABLE checkpoints;
CREATE TABLE checkpoints (
    stream text NOT NULL,
    partition integer NOT NULL REFERENCES partitions ON DELETE CASCADE,
    position bigint NOT NULL,
    rows bigint NOT NULL
);
CREATE UNIQUE INDEX checkpoints_stream ON checkpoints (stream, partition);

-- Rows of the old database that the migration has left out, whichever process has met them.
CREATE TABLE quarantined (
    old_table text NOT NULL,
    key bigint NOT NULL,
    reason text NOT NULL
);
CREATE UNIQUE INDEX quarantined_row ON quarantined (old_table, key);
