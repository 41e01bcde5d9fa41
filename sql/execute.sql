-- execute: a job's SQL, in the transaction that its record commits. Inside of a DO, COMMIT, ROLLBACK and SAVEPOINT are
-- refused before anything is done (0A000), and so is the COMMIT of a procedure that it calls (2D000).
DO $crontabber$
DECLARE
    its_limit text := current_setting('statement_timeout');
BEGIN
    EXECUTE current_setting('crontabber.statement');
    -- Whatever the SQL has set: what follows is ours.
    PERFORM set_config('statement_timeout', its_limit, true);
END
$crontabber$
