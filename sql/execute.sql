-- execute: a job's SQL, in the transaction that its record commits. In a function COMMIT, ROLLBACK and SAVEPOINT are refused
-- before anything is done (0A000), and so is the COMMIT of a procedure that it calls (2D000).
SELECT crontabber_execute()::text
