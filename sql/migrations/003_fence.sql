-- 003_fence: what a job calls in its own transaction, so that its effects commit only while its claim lives.
-- FOR KEY SHARE until the job's commit: heartbeats and records pass, a claim (NOWAIT) and a reap (SKIP LOCKED)
-- cannot. A plain SELECT would be check-then-act. SECURITY DEFINER because KEY SHARE needs the UPDATE right; so
-- its search_path is fixed, with pg_temp last: unnamed it comes first, and a caller's temporary view called
-- crontabber would have its functions run by the owner of the tables.

CREATE OR REPLACE FUNCTION crontabber_assert_fence(job text, fence bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM 1 FROM crontabber c
     WHERE c.app_name = job AND c.fence = crontabber_assert_fence.fence AND c.run_id IS NOT NULL
       FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'CT001',
            MESSAGE = format('job %L: fence %s is no longer the holder', job, crontabber_assert_fence.fence);
    END IF;
END $$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION crontabber_assert_fence(text, bigint) SET search_path = pg_catalog, %I, pg_temp',
                   current_schema());
END $$;

-- Whoever may call it can keep a job from being claimed for as long as a transaction of his lasts.
REVOKE ALL ON FUNCTION crontabber_assert_fence(text, bigint) FROM PUBLIC;

COMMENT ON FUNCTION crontabber_assert_fence(text, bigint) IS
    'fails with CT001 unless the run with this fence still holds the job, and keeps it so until the caller commits';
