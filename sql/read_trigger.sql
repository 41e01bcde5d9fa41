-- read_trigger: whether a request for a run still waits for a host. Asked before the log is: a request that is gone was
-- claimed, and then its run is there, or it was taken back.
-- Parameters: 1 the job, 2 the id of the request.
SELECT EXISTS (SELECT FROM crontabber WHERE app_name = $1 AND trigger_id = $2) AS waits
