-- read_claim: the run that a job has now, and the number of its last claim, by which a run is seen that was shorter than
-- the time between two looks.
-- Parameters: 1 the job.
SELECT run_id, fence FROM crontabber WHERE app_name = $1
