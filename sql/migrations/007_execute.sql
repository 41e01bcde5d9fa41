-- 007_execute: carries out what a job's SQL is, in the transaction that its record commits. What a DO does, without being
-- understood and planned anew each time, which costs more than what many jobs do. With the rights of whoever calls it, and
-- nothing that he could not do himself: so everybody may.
-- No SET: the text finds, and may leave, the settings of its own session.

-- Not OR REPLACE: whoever had made one before would stay its owner, and could make it do something else. Here only: one
-- further on in the search path belongs to other tables.
DO $$
BEGIN
    EXECUTE format('DROP FUNCTION IF EXISTS %I.crontabber_execute()', current_schema());
END $$;

CREATE FUNCTION crontabber_execute() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE pg_catalog.current_setting('crontabber.statement');
END $$;

GRANT EXECUTE ON FUNCTION crontabber_execute() TO PUBLIC;

COMMENT ON FUNCTION crontabber_execute() IS
    'carries out the text of the setting crontabber.statement, in which there may be no COMMIT';
