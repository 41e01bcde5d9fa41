-- take_up_backfills: a job of Python's that catches up on every slot has its pending ones after last_success (which
-- crontabber writes as the slot), and not at next_run, which is when it looks again. Only rows that Python wrote last,
-- as they were read; next_run stays.
-- Parameters: arrays, one entry a job: 1 names, 2 next_run read, 3 last_success read, 4 the first slot after it.
WITH picked AS (
    SELECT j.app_name, n.slot
      FROM unnest($1, $2, $3, $4) AS n(name, next_run, last_success, slot)
      JOIN crontabber j ON j.app_name = n.name
     WHERE j.slot IS NULL AND j.run_id IS NULL AND j.ongoing IS NULL
       AND j.next_run = n.next_run AND j.last_success = n.last_success
     ORDER BY j.app_name
       FOR UPDATE OF j SKIP LOCKED
)
UPDATE crontabber j
   SET revision = revision + 1, slot = picked.slot
  FROM picked
 WHERE j.app_name = picked.app_name
RETURNING j.app_name
