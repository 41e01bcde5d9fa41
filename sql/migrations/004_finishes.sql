-- 004_finishes: what the guard makes of the end of a Python host's run. A record that comes after the run was taken over
-- or reset is refused: it would move next_run, and mark the slot of another run as succeeded. A success counts for the
-- slot it was for, and from its start on: a forced run does not for a slot that lies ahead, and the children of a late
-- one do not wait a period. A finish during a pause keeps the slot that waits for its end. And a row is not deleted from
-- under a Python host's run either: the next pass would make it anew, and start the job beside that run.

CREATE OR REPLACE FUNCTION crontabber_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    t       timestamptz := clock_timestamp();
    max_age interval := TG_ARGV[0];
    grace   interval := TG_ARGV[1];
    early   interval := TG_ARGV[2];
    refuse  text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        -- A job's first run by Python: the database's clock decides, not the host's.
        NEW.ongoing := t;
        RETURN NEW;
    END IF;

    IF OLD.run_id IS NOT NULL AND OLD.lease_until > t - grace THEN
        refuse := format('is held by %s, run %s, lease until %s', OLD.host, OLD.run_id, OLD.lease_until);
    ELSIF TG_OP = 'DELETE' AND OLD.paused_until > t THEN
        refuse := format('is paused until %s', OLD.paused_until);
    ELSIF TG_OP = 'DELETE' AND OLD.run_id IS NULL AND OLD.ongoing > t - max_age THEN
        refuse := format('is ongoing since %s on a Python host (`crontabber reset --clear-ongoing` takes its claim away)', OLD.ongoing);
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    ELSIF NEW.ongoing IS NOT NULL AND NEW.ongoing IS DISTINCT FROM OLD.ongoing THEN
        -- A start. Python writes back what it read: a compare-and-set for nothing.
        IF OLD.ongoing > t - max_age THEN
            refuse := format('is ongoing since %s', OLD.ongoing);
        ELSIF (NEW.next_run, NEW.first_run, NEW.last_run, NEW.last_success, NEW.error_count)
              IS DISTINCT FROM (OLD.next_run, OLD.first_run, OLD.last_run, OLD.last_success, OLD.error_count) THEN
            refuse := 'changed since it was read';
        ELSIF OLD.paused_until > t THEN
            refuse := format('is paused until %s', OLD.paused_until);
        ELSIF OLD.next_run > t + early AND coalesce(current_setting('crontabber.force', true), '') <> 'on' THEN
            refuse := format('is not due before %s', OLD.next_run);
        ELSE
            NEW.ongoing := t;
        END IF;
    ELSIF OLD.ongoing IS NULL AND NEW.last_run IS DISTINCT FROM OLD.last_run AND NEW.next_run IS DISTINCT FROM OLD.next_run THEN
        -- The record of a run whose claim is gone: we took it over and have recorded, or somebody has reset the job.
        refuse := 'was taken over or reset after this run had started';
    ELSIF NEW.next_run IS DISTINCT FROM OLD.next_run THEN
        -- A finish, or an operator who moves next_run by hand.
        IF NEW.last_run IS DISTINCT FROM OLD.last_run AND coalesce(NEW.error_count, 0) = 0 THEN
            -- The pending slot, unless it lay ahead when the run was started (a forced one); and the start, from which
            -- Python counts next_run: the slots of a plain period lie on it from now on.
            NEW.success_slot := greatest(OLD.success_slot,
                CASE WHEN coalesce(OLD.slot, OLD.next_run) <= OLD.ongoing + early THEN coalesce(OLD.slot, OLD.next_run) END,
                CASE WHEN NEW.last_run <= t + early THEN NEW.last_run ELSE OLD.ongoing END);
        END IF;
        NEW.slot := NULL;
        IF OLD.paused_until > t THEN
            -- As a record of ours: the slot that waits for the end of the pause.
            NEW.slot := NEW.next_run;
            NEW.next_run := least(greatest(NEW.next_run, OLD.paused_until), '9999-01-01 00:00+00');
        END IF;
    END IF;

    IF refuse IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'unique_violation', CONSTRAINT = 'crontabber_unique_app_name_idx',
            TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA,
            MESSAGE = format('crontabber_unique_app_name_idx: job %L %s; write refused', OLD.app_name, refuse);
    END IF;

    -- An expired claim that nobody has reaped: the foreign writer takes over, the claim goes as a whole.
    IF OLD.run_id IS NOT NULL THEN
        NEW.run_id := NULL; NEW.lease_until := NULL; NEW.run_slot := NULL; NEW.run_trigger := NULL;
        NEW.attempt := NULL; NEW.host := NULL; NEW.on_lost := NULL; NEW.lost_next_slot := NULL;
        NEW.lost_backoff := NULL; NEW.cancel_run_id := NULL;
    END IF;
    NEW.revision := OLD.revision + 1;
    RETURN NEW;
END $$;

-- The same for rows that only Python has ever run: its children need not wait a period for the next success.
UPDATE crontabber
   SET success_slot = greatest(success_slot, last_run)
 WHERE fence = 0 AND last_success IS NOT NULL AND coalesce(error_count, 0) = 0;
