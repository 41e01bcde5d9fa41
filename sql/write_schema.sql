-- write_schema: the version the tables have now. It never goes back: a newer program may have been here.
-- Parameters: the version, the oldest version of a program that may use them.
INSERT INTO crontabber_schema AS s (version, compatible_from, migrated_at)
VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (one) DO UPDATE
   SET version = greatest(s.version, excluded.version),
       compatible_from = greatest(s.compatible_from, excluded.compatible_from),
       migrated_at = excluded.migrated_at
