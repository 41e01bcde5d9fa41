-- execute: a job's SQL, in the transaction that its record commits. In a function COMMIT, ROLLBACK and SAVEPOINT are refused
-- where they stand (0A000), and so is the COMMIT of a procedure that it calls (2D000): what was done before is rolled back.
SELECT crontabber_execute()::text
