-- replan_jobs: give jobs whose definition this host has changed their pending slot from the new definition.
-- Only a pending slot that still lies ahead moves, or one that no clock starts, and only from what was read; a live
-- claim keeps its slot, a pause its next_run. A job without a schedule has handled what it has succeeded for.
-- Parameters: arrays, one entry a job: 1 names, 2 the pending slot read, 3 the new slot or NULL, 4 next_run,
-- 5 definition hashes, 6 parents, comma-separated (`name@*`: the rows of every host); 7 the time or NULL.
WITH picked AS (
    SELECT j.app_name, n.slot, n.next_run, n.definition_hash, n.parents
      FROM unnest($1, $2, $3, $4, $5, $6) AS n(name, read_slot, slot, next_run, definition_hash, parents)
      JOIN crontabber j ON j.app_name = n.name
     WHERE j.run_id IS NULL AND j.ongoing IS NULL
       AND coalesce(j.slot, j.next_run) IS NOT DISTINCT FROM n.read_slot
       AND (n.read_slot > coalesce($7, clock_timestamp()) OR coalesce(j.next_run, 'infinity') >= '9999-01-01 00:00+00')
     ORDER BY j.app_name
       FOR UPDATE OF j SKIP LOCKED
)
UPDATE crontabber j
   SET revision = revision + 1,
       slot = coalesce(picked.slot, j.success_slot, '1970-01-01 00:00+00'),
       next_run = CASE WHEN j.paused_until > coalesce($7, clock_timestamp()) THEN j.next_run ELSE picked.next_run END,
       definition_hash = picked.definition_hash, depends_on = string_to_array(nullif(picked.parents, ''), ',')
  FROM picked
 WHERE j.app_name = picked.app_name
RETURNING j.app_name
