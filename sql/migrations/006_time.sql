-- 006_time: what waiting for parents needs to remember: which slot of a job a run has ended for, whatever its outcome,
-- for children that wait for no more than that; and since when a job is kept waiting, over the slots that were left
-- behind meanwhile. No legacy column, no change to what Python may write; a host of the release before goes on without
-- them, and the children of its runs wait for a success as before.

ALTER TABLE crontabber
    ADD COLUMN IF NOT EXISTS finish_slot   timestamptz,
    ADD COLUMN IF NOT EXISTS blocked_since timestamptz;

COMMENT ON COLUMN crontabber.finish_slot IS 'the newest slot a run for which has ended, well or not; only grows; what children with `on = "finish"` look at';
COMMENT ON COLUMN crontabber.blocked_since IS 'the first slot that was left behind for a parent since the last claim';
COMMENT ON COLUMN crontabber_log.reason IS 'why: of skipped one of missed, coalesced, paused, late, `blocked by PARENT, ...`; else a sentence';
