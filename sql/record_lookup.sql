-- record_lookup: what became of a run whose claim is gone; in a statement of its own, for a snapshot of its own.
-- Only a record writes a duration: with one, an earlier try of ours had got through and its acknowledgement was
-- lost; without one somebody else closed the run. The outcome cannot tell: both may say `lost`.
-- Parameter: the run id.
SELECT duration IS NOT NULL AS is_recorded
  FROM crontabber_log
 WHERE run_id = $1
