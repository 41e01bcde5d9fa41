-- healthy: an instance of a job that is kept running has been up for as long as the longest delay between two starts:
-- the failures before it are over. By run id and fence: whoever has lost the job says nothing about it. The record does
-- not rely on it: it counts from 1 after a healthy instance, whether or not this could be written.
-- Parameters: the job, the run id, the fence.
UPDATE crontabber
   SET revision = revision + 1,
       error_count = 0, last_error = '{}'
 WHERE app_name = $1 AND run_id = $2 AND fence = $3 AND error_count > 0
