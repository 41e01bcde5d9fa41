-- execute: a job's SQL, in the transaction that its record commits. Inside of a DO, COMMIT, ROLLBACK and SAVEPOINT are
-- refused before anything is done (0A000), and so is the COMMIT of a procedure that it calls (2D000).
DO $crontabber$
DECLARE
    affected bigint;
    its_limit text := current_setting('statement_timeout');
BEGIN
    EXECUTE current_setting('crontabber.statement');
    GET DIAGNOSTICS affected = ROW_COUNT;
    -- Whatever the SQL has set: what follows is ours.
    PERFORM set_config('statement_timeout', its_limit, true);
    PERFORM set_config('crontabber.row_count', affected::text, true);
END
$crontabber$
