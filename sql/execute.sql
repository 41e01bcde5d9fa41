-- execute: a job's SQL, in the transaction that its record commits. Inside of a DO, COMMIT, ROLLBACK and SAVEPOINT are
-- refused before anything is done (0A000), and so is the COMMIT of a procedure that it calls (2D000).
-- Nothing else in it: each expression of a DO is planned anew each time, and costs more than what many jobs do.
DO $crontabber$
BEGIN
    EXECUTE current_setting('crontabber.statement');
END
$crontabber$
