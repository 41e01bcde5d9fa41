-- install_guard: the guard's triggers, anew. Its arguments: crontabber.max_ongoing_age, which the caller sets; the
-- grace after a lease; how early a foreign start may be.
DROP TRIGGER IF EXISTS crontabber_guard_update ON crontabber;
DROP TRIGGER IF EXISTS crontabber_guard_delete ON crontabber;
DROP TRIGGER IF EXISTS crontabber_guard_insert ON crontabber;

DO $$
DECLARE
    arguments text := format('%L, %L, %L', current_setting('crontabber.max_ongoing_age'), '10 seconds', '30 seconds');
BEGIN
    EXECUTE 'CREATE TRIGGER crontabber_guard_update
        BEFORE UPDATE OF next_run, first_run, last_run, last_success, ongoing, error_count, last_error, depends_on
        ON crontabber FOR EACH ROW WHEN (NEW.revision = OLD.revision)
        EXECUTE FUNCTION crontabber_guard(' || arguments || ')';
    EXECUTE 'CREATE TRIGGER crontabber_guard_delete
        BEFORE DELETE ON crontabber FOR EACH ROW
        EXECUTE FUNCTION crontabber_guard(' || arguments || ')';
    EXECUTE 'CREATE TRIGGER crontabber_guard_insert
        BEFORE INSERT ON crontabber FOR EACH ROW WHEN (NEW.ongoing IS NOT NULL AND NEW.run_id IS NULL)
        EXECUTE FUNCTION crontabber_guard(' || arguments || ')';
END $$;
