-- 001_tables: the two tables of crontabber, widened in place, and our own beside them.
-- The nine legacy columns keep name, type and meaning: Python names its columns in every statement,
-- so it goes on working on the widened table. Every step is safe to repeat.

CREATE TABLE IF NOT EXISTS crontabber (
    app_name     text NOT NULL,
    next_run     timestamptz,
    first_run    timestamptz,
    last_run     timestamptz,
    last_success timestamptz,
    ongoing      timestamptz,
    error_count  integer DEFAULT 0,
    depends_on   text[],
    last_error   json
);

-- Python looks for this very name in the text of the error it gets when it loses a race.
CREATE UNIQUE INDEX IF NOT EXISTS crontabber_unique_app_name_idx ON crontabber (app_name);

CREATE TABLE IF NOT EXISTS crontabber_log (
    id            bigserial NOT NULL,
    app_name      text NOT NULL,
    log_time      timestamptz NOT NULL DEFAULT now(),
    duration      interval,
    success       timestamptz,
    exc_type      text,
    exc_value     text,
    exc_traceback text
);

ALTER TABLE crontabber
    ADD COLUMN IF NOT EXISTS ongoing         timestamptz,
    ADD COLUMN IF NOT EXISTS slot            timestamptz,
    ADD COLUMN IF NOT EXISTS success_slot    timestamptz,
    ADD COLUMN IF NOT EXISTS run_id          uuid,
    ADD COLUMN IF NOT EXISTS run_slot        timestamptz,
    ADD COLUMN IF NOT EXISTS run_trigger     text,
    ADD COLUMN IF NOT EXISTS attempt         integer,
    ADD COLUMN IF NOT EXISTS host            text,
    ADD COLUMN IF NOT EXISTS lease_until     timestamptz,
    ADD COLUMN IF NOT EXISTS on_lost         text,
    ADD COLUMN IF NOT EXISTS lost_next_slot  timestamptz,
    ADD COLUMN IF NOT EXISTS lost_backoff    interval,
    ADD COLUMN IF NOT EXISTS cancel_run_id   uuid,
    ADD COLUMN IF NOT EXISTS fence           bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS paused_until    timestamptz,
    ADD COLUMN IF NOT EXISTS paused_by       text,
    ADD COLUMN IF NOT EXISTS pause_reason    text,
    ADD COLUMN IF NOT EXISTS definition_hash text,
    ADD COLUMN IF NOT EXISTS revision        bigint NOT NULL DEFAULT 0;

-- The children of an adopted job that is well need not wait a whole period for its next success.
UPDATE crontabber
   SET success_slot = last_success
 WHERE success_slot IS NULL AND last_success IS NOT NULL AND coalesce(error_count, 0) = 0;

-- Half of each page stays free, and no index knows `ongoing` or `lease_until`: a heartbeat is a HOT update.
ALTER TABLE crontabber SET (fillfactor = 50);

-- A published table without a replica identity refuses every UPDATE.
ALTER TABLE crontabber REPLICA IDENTITY USING INDEX crontabber_unique_app_name_idx;

CREATE SEQUENCE IF NOT EXISTS crontabber_fence_seq AS bigint;

ALTER TABLE crontabber_log
    ADD COLUMN IF NOT EXISTS run_id      uuid,
    ADD COLUMN IF NOT EXISTS slot        timestamptz,
    ADD COLUMN IF NOT EXISTS slot_until  timestamptz,
    ADD COLUMN IF NOT EXISTS slots       bigint,
    ADD COLUMN IF NOT EXISTS attempt     integer,
    ADD COLUMN IF NOT EXISTS fence       bigint,
    ADD COLUMN IF NOT EXISTS host        text,
    ADD COLUMN IF NOT EXISTS trigger     text,
    ADD COLUMN IF NOT EXISTS outcome     text,
    ADD COLUMN IF NOT EXISTS reason      text,
    ADD COLUMN IF NOT EXISTS started_at  timestamptz,
    ADD COLUMN IF NOT EXISTS finished_at timestamptz,
    ADD COLUMN IF NOT EXISTS exit_code   integer,
    ADD COLUMN IF NOT EXISTS signal      integer,
    ADD COLUMN IF NOT EXISTS output      text;

DO $$
DECLARE
    id_sequence regclass := pg_get_serial_sequence(format('%I.crontabber_log', current_schema()), 'id');
BEGIN
    -- A legacy id is an int4 with an int4 sequence: at 2147483647 every INSERT fails, Python's too.
    IF (SELECT atttypid FROM pg_attribute WHERE attrelid = 'crontabber_log'::regclass AND attname = 'id') = 'int4'::regtype THEN
        ALTER TABLE crontabber_log ALTER COLUMN id TYPE bigint;
        IF id_sequence IS NOT NULL THEN
            EXECUTE format('ALTER SEQUENCE %s AS bigint', id_sequence);
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = 'crontabber_log'::regclass AND indisprimary) THEN
        ALTER TABLE crontabber_log ADD PRIMARY KEY (id);
    END IF;
    -- No write of Python's that the guard lets pass can violate this: it clears a claim as a whole.
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'crontabber'::regclass AND conname = 'crontabber_claim_whole') THEN
        ALTER TABLE crontabber ADD CONSTRAINT crontabber_claim_whole CHECK (
            (run_id IS NULL) = (lease_until IS NULL)
            AND (run_id IS NULL) = (run_slot IS NULL)
            AND (run_id IS NULL OR ongoing IS NOT NULL));
    END IF;
END $$;

-- The invariants live in indexes; partial, so that they cost nothing on a long legacy log.
CREATE UNIQUE INDEX IF NOT EXISTS crontabber_log_run ON crontabber_log (run_id) WHERE run_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS crontabber_log_slot ON crontabber_log (app_name, slot, attempt) WHERE slot IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS crontabber_log_running ON crontabber_log (app_name) WHERE outcome = 'running';

CREATE TABLE IF NOT EXISTS crontabber_host (
    host              text PRIMARY KEY,
    boot_id           text NOT NULL,
    pid_namespace     text NOT NULL,
    version           text NOT NULL,
    tags              text[] NOT NULL DEFAULT '{}',
    configuration     text NOT NULL,
    definitions       jsonb NOT NULL DEFAULT '{}',
    seen_at           timestamptz NOT NULL,
    clock_skew        interval
);

CREATE TABLE IF NOT EXISTS crontabber_audit (
    id         bigserial PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    who        text NOT NULL,
    host       text,
    what       text NOT NULL,
    app_name   text,
    reason     text,
    detail     jsonb NOT NULL DEFAULT '{}'
);

-- One row. A program refuses the schema only when it is older than compatible_from.
CREATE TABLE IF NOT EXISTS crontabber_schema (
    one             boolean PRIMARY KEY DEFAULT true CHECK (one),
    version         integer NOT NULL,
    compatible_from integer NOT NULL,
    migrated_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE crontabber IS 'one row a job: when it is wanted, who is running it, how it went';
COMMENT ON COLUMN crontabber.app_name IS 'the name of the job; name@host for the rows of a job that runs on each host';
COMMENT ON COLUMN crontabber.next_run IS 'when the pending slot may start; never NULL, 9999-01-01 = not by the clock';
COMMENT ON COLUMN crontabber.first_run IS 'when the first run started';
COMMENT ON COLUMN crontabber.last_run IS 'when the last run that ended had started';
COMMENT ON COLUMN crontabber.last_success IS 'when the last successful run started';
COMMENT ON COLUMN crontabber.ongoing IS 'when the live run was claimed; without run_id it is a Python host''s claim';
COMMENT ON COLUMN crontabber.error_count IS 'failures in a row';
COMMENT ON COLUMN crontabber.depends_on IS 'the parents, for readers; claims take them from the configuration';
COMMENT ON COLUMN crontabber.last_error IS 'type, value and traceback of the last failure in ASCII, {} when the last run was well';
COMMENT ON COLUMN crontabber.slot IS 'the instant next_run is for; NULL = next_run itself, a foreign writer moved it';
COMMENT ON COLUMN crontabber.success_slot IS 'the newest slot that succeeded; only grows; what children look at';
COMMENT ON COLUMN crontabber.run_id IS 'the live claim: run_id to cancel_run_id are NULL together when there is none';
COMMENT ON COLUMN crontabber.run_slot IS 'the slot of the live run; not slot in a manual or backfill run';
COMMENT ON COLUMN crontabber.run_trigger IS 'what started the live run: schedule, parents, manual, backfill';
COMMENT ON COLUMN crontabber.attempt IS 'which attempt at its slot the live run is, from 1';
COMMENT ON COLUMN crontabber.host IS 'the host of the live run';
COMMENT ON COLUMN crontabber.lease_until IS 'until when the claim is proof, by this database''s clock';
COMMENT ON COLUMN crontabber.on_lost IS 'what the reaper does if the run is lost: retry, skip, hold; copied at the claim, so that any host can reap';
COMMENT ON COLUMN crontabber.lost_next_slot IS 'the slot after run_slot, for on_lost = skip; NULL = none';
COMMENT ON COLUMN crontabber.lost_backoff IS 'the delay of the next attempt from the second loss in a row';
COMMENT ON COLUMN crontabber.cancel_run_id IS 'the run somebody asked to cancel';
COMMENT ON COLUMN crontabber.fence IS 'the number of the last claim; grows with every claim of this job, with gaps';
COMMENT ON COLUMN crontabber.paused_until IS 'no run starts before this instant; 9999-01-01 = until somebody resumes it';
COMMENT ON COLUMN crontabber.paused_by IS 'who paused it; on_lost = it was held after a lost run';
COMMENT ON COLUMN crontabber.pause_reason IS 'why it is paused';
COMMENT ON COLUMN crontabber.definition_hash IS 'hash of the definition that planned the pending slot';
COMMENT ON COLUMN crontabber.revision IS 'one more in every statement of ours that names a legacy column: how the guard knows us';
COMMENT ON TABLE crontabber_log IS 'one row a run, written at its claim and closed at its record; and one per range of slots that did not run';
COMMENT ON COLUMN crontabber_log.run_id IS 'the identity of the run; NULL for slots that did not run and for Python''s rows';
COMMENT ON COLUMN crontabber_log.slot IS 'the instant the run was for; the first of a range';
COMMENT ON COLUMN crontabber_log.slot_until IS 'the last slot of a range of slots with one verdict';
COMMENT ON COLUMN crontabber_log.slots IS 'how many slots the range holds';
COMMENT ON COLUMN crontabber_log.attempt IS 'which attempt at the slot, from 1; 0 = did not run';
COMMENT ON COLUMN crontabber_log.outcome IS 'running success failure timeout cancelled lost skipped; NULL for Python''s rows';
COMMENT ON COLUMN crontabber_log.reason IS 'why: of skipped one of missed coalesced paused blocked late; else a sentence';
COMMENT ON COLUMN crontabber_log.output IS 'what the run printed: its beginning and its end, 64 KiB at most';
COMMENT ON TABLE crontabber_host IS 'one row a host: when it last passed, and which definitions it knows';
COMMENT ON COLUMN crontabber_host.configuration IS 'hash of the files it read';
COMMENT ON COLUMN crontabber_host.definitions IS 'hash of the definition of each job, by name';
COMMENT ON TABLE crontabber_audit IS 'who changed what, when, why';
COMMENT ON TABLE crontabber_schema IS 'which migrations have run, and which programs may still use the tables';
