-- read_slot: what the log says of the slot that an instant names: of that instant, or else of the newest slot before it;
-- and where it was left behind, the run that began as that was written, and the one that was going on when it fell due.
-- The slot of a run by hand is when somebody asked for it, and the schedule knows nothing of it: it counts only when it is
-- that very instant. (What was marked is one of the schedule's slots; it began and ended at once.)
-- Parameters: 1 the row, 2 the instant, 3 how many characters of the output's end.
WITH nearest AS (
    SELECT max(l.slot) AS slot
      FROM crontabber_log l
     WHERE l.app_name = $1 AND l.slot <= $2
       AND (l.slot = $2 OR l.trigger IS DISTINCT FROM 'manual' OR l.started_at IS NULL OR l.started_at = l.finished_at)
), its AS (
    SELECT l.id, l.slot, l.outcome, l.finished_at
      FROM crontabber_log l, nearest
     WHERE l.app_name = $1
       AND (l.slot = nearest.slot OR (l.slot < nearest.slot AND l.slot_until >= nearest.slot))
), others AS (
    SELECT l.id
      FROM crontabber_log l, its
     WHERE l.app_name = $1 AND l.run_id IS NOT NULL AND its.outcome = 'skipped'
       AND (l.started_at = its.finished_at
            OR (l.slot < its.slot AND l.started_at <= its.slot AND l.finished_at > its.slot))
)
SELECT l.run_id, l.app_name, l.slot, l.slot_until, l.slots, l.attempt, l.fence, l.host, l.trigger, l.outcome,
       l.reason, l.started_at, l.finished_at, l.exit_code, l.signal, right(l.output, $3) AS output,
       l.id IN (SELECT id FROM its) AS is_its
  FROM crontabber_log l
 WHERE l.id IN (SELECT id FROM its UNION SELECT id FROM others)
   AND l.slot IS NOT NULL
 ORDER BY l.slot, l.attempt, l.id
