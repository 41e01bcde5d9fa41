-- execute_elsewhere: the same as execute, in a database that has no tables of ours.
DO $crontabber$
BEGIN
    EXECUTE pg_catalog.current_setting('crontabber.statement');
END
$crontabber$
