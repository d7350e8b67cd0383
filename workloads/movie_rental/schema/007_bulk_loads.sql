-- Whether the engines' own bulk loaders fill the graph and the library. They do in the first migration of a large company, which finds both
-- empty; what queries have written, a loader would write twice.
ALTER TABLE partitions ADD COLUMN in_bulk boolean NOT NULL DEFAULT false;
