-- tables: where the job `load` puts what it has loaded. Each load bears the key of its run, the same in every attempt.
CREATE SCHEMA demo;
CREATE TABLE demo.loads (
    run_key text PRIMARY KEY,
    slot    timestamptz NOT NULL,
    attempt integer NOT NULL
);
CREATE TABLE demo.files (
    run_key text REFERENCES demo.loads ON DELETE CASCADE,
    path    text,
    bytes   bigint NOT NULL,
    PRIMARY KEY (run_key, path)
);
