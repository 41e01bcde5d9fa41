-- 005_daemon: what hosts that stay need beside hosts that pass: runs that are asked for by hand wherever they may run,
-- who the process behind a host's name is and what it is doing, which process claimed a run, and output while it is being
-- printed. No legacy column, no change to what Python may write.

ALTER TABLE crontabber
    ADD COLUMN IF NOT EXISTS trigger_id   uuid,
    ADD COLUMN IF NOT EXISTS triggered_at timestamptz,
    ADD COLUMN IF NOT EXISTS triggered_by text;

ALTER TABLE crontabber_log
    ADD COLUMN IF NOT EXISTS instance text;

ALTER TABLE crontabber_host
    ADD COLUMN IF NOT EXISTS instance       text,
    ADD COLUMN IF NOT EXISTS started_at     timestamptz,
    ADD COLUMN IF NOT EXISTS status         text,
    ADD COLUMN IF NOT EXISTS config_error   text,
    ADD COLUMN IF NOT EXISTS other_instance text,
    ADD COLUMN IF NOT EXISTS other_seen_at  timestamptz,
    ADD COLUMN IF NOT EXISTS drain_at       timestamptz,
    ADD COLUMN IF NOT EXISTS drain_by       text;

-- Only of jobs that say `stream_output`; a run's whole output is in crontabber_log. Each run has so many chunks, and they
-- are deleted some time after its end.
CREATE TABLE IF NOT EXISTS crontabber_output (
    run_id     uuid NOT NULL,
    chunk      integer NOT NULL,
    printed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    output     text NOT NULL,
    PRIMARY KEY (run_id, chunk)
);

COMMENT ON COLUMN crontabber.trigger_id IS 'a run somebody has asked for, wherever the job may run; a claim for it clears it';
COMMENT ON COLUMN crontabber.triggered_at IS 'when; the slot of that run';
COMMENT ON COLUMN crontabber.triggered_by IS 'who';
COMMENT ON COLUMN crontabber_log.instance IS 'the process that claimed the run: boot id, pid namespace, pid, start';
COMMENT ON COLUMN crontabber_host.instance IS 'the daemon behind the name: boot id, pid namespace, pid, start; NULL: only passes so far, or it has ended';
COMMENT ON COLUMN crontabber_host.started_at IS 'when that daemon started';
COMMENT ON COLUMN crontabber_host.status IS 'what it was doing when it announced itself last';
COMMENT ON COLUMN crontabber_host.config_error IS 'why it goes on with an older configuration than its files have';
COMMENT ON COLUMN crontabber_host.other_instance IS 'another daemon that uses the same name';
COMMENT ON COLUMN crontabber_host.other_seen_at IS 'when that was seen last';
COMMENT ON COLUMN crontabber_host.drain_at IS 'since when its daemon is asked to end its runs and start no other';
COMMENT ON COLUMN crontabber_host.drain_by IS 'who asked';
COMMENT ON TABLE crontabber_output IS 'output of runs that are going on, of jobs that say stream_output';
COMMENT ON COLUMN crontabber_output.run_id IS 'the run';
COMMENT ON COLUMN crontabber_output.chunk IS 'the number of the piece, from 0; a gap = the job printed more than is kept';
COMMENT ON COLUMN crontabber_output.printed_at IS 'when it was received';
COMMENT ON COLUMN crontabber_output.output IS 'the text';
