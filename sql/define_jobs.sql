-- define_jobs: this host has changed what it means by these jobs: from now on its is the definition that was changed
-- last, by which `on_disagreement = "newest"` goes. Also where replan_jobs leaves the pending slot alone, because the
-- new definition wants the same one, the slot is due, or a run is going on. No legacy column, so no revision.
-- SKIP LOCKED: no claim may wait for it; whoever is left out is tried again with the next announcement.
-- Parameters: arrays, one entry a job: 1 names, 2 definition hashes.
WITH picked AS (
    SELECT j.app_name, n.definition_hash
      FROM unnest($1::text[], $2::text[]) AS n(name, definition_hash)
      JOIN crontabber j ON j.app_name = n.name
     ORDER BY j.app_name
       FOR NO KEY UPDATE OF j SKIP LOCKED
)
UPDATE crontabber j
   SET definition_hash = picked.definition_hash
  FROM picked
 WHERE j.app_name = picked.app_name
RETURNING j.app_name
