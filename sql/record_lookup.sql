-- record_lookup: what became of a run whose claim is gone; in a statement of its own, for a snapshot of its own.
-- Closed by us = already recorded, an earlier try whose acknowledgement was lost; lost = somebody reaped it.
-- Parameter: the run id.
SELECT outcome
  FROM crontabber_log
 WHERE run_id = $1
