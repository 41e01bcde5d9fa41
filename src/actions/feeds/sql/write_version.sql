-- write_version: a step was taken.
-- Parameters: 1 its version, 2 the oldest version of a program that may use the tables after it, 3 its name.
INSERT INTO feeds_schema (version, compatible_from, name) VALUES ($1, $2, $3)
