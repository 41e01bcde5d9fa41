-- 002_guard: every write that does not carry our revision is a foreign one (Python crontabber, or psql).
-- It is refused where it would start a job twice, take a live claim away, or clobber what a run recorded.
-- Refused with unique_violation and the name of crontabber's own index: that is what crontabber 0.18.1
-- takes for a lost race (exit 2, nothing run, nothing written). lock_not_available it would record as a
-- failure of the job; a silent refusal it would take for a claim.
-- Arguments: max_ongoing_age, grace, and how early a foreign start may be.

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
    ELSIF NEW.next_run IS DISTINCT FROM OLD.next_run THEN
        -- A finish, or an operator who moves next_run by hand.
        IF NEW.last_success IS DISTINCT FROM OLD.last_success AND coalesce(NEW.error_count, 0) = 0 THEN
            NEW.success_slot := greatest(OLD.success_slot, coalesce(OLD.slot, OLD.next_run, NEW.last_run));
        END IF;
        NEW.slot := NULL;
        IF OLD.paused_until > t THEN
            NEW.next_run := OLD.paused_until;
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

DROP TRIGGER IF EXISTS crontabber_guard_update ON crontabber;
DROP TRIGGER IF EXISTS crontabber_guard_delete ON crontabber;
DROP TRIGGER IF EXISTS crontabber_guard_insert ON crontabber;

CREATE TRIGGER crontabber_guard_update
    BEFORE UPDATE OF next_run, first_run, last_run, last_success, ongoing, error_count, last_error, depends_on
    ON crontabber FOR EACH ROW WHEN (NEW.revision = OLD.revision)
    EXECUTE FUNCTION crontabber_guard('12 hours', '10 seconds', '30 seconds');
CREATE TRIGGER crontabber_guard_delete
    BEFORE DELETE ON crontabber FOR EACH ROW
    EXECUTE FUNCTION crontabber_guard('12 hours', '10 seconds', '30 seconds');
CREATE TRIGGER crontabber_guard_insert
    BEFORE INSERT ON crontabber FOR EACH ROW WHEN (NEW.ongoing IS NOT NULL AND NEW.run_id IS NULL)
    EXECUTE FUNCTION crontabber_guard('12 hours', '10 seconds', '30 seconds');
