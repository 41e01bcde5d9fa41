-- ask_schema: why there is no schema to look into. Without the right to use a schema PostgreSQL leaves it out of the
-- search path in silence, and tables that are there look as if they were not; asked for by its name it says so (42501),
-- or that there is no such schema (3F000).
SELECT (regexp_replace(current_setting('search_path'), '^.*, *', '') || '.crontabber')::regclass
