-- resume: end a pause, or the hold after a lost run. next_run goes back to what the pending slot wants: its start, which
-- is due now if it has passed; a retry that waited is due now too, its own instant is gone. A job without a schedule is
-- tried again if the slot it handled last has failed, else it waits for its parents. A next_run that the pause did not
-- move stays. Under control_lock; the audit row commits with the change.
-- Parameters: 1 names; of each, 2 the seconds from a slot to its start (NULL: it has no schedule) and 3 the slot to
-- take where no row knows one; 4 who, 5 on which host, 6 why, 7 the time or NULL.
WITH clock AS MATERIALIZED (
    SELECT coalesce($7::timestamptz, clock_timestamp()) AS now
), pending AS (
    SELECT j.app_name,
           CASE WHEN moved.yes AND n.delay IS NOT NULL THEN coalesce(j.slot, n.first) ELSE j.slot END AS slot,
           CASE WHEN NOT moved.yes THEN j.next_run
                WHEN n.delay IS NOT NULL THEN coalesce(j.slot, n.first) + make_interval(secs => n.delay)
                WHEN newest.failed THEN clock.now
                ELSE '9999-01-01 00:00+00' END AS start
      FROM clock, unnest($1::text[], $2::float8[], $3::timestamptz[]) AS n(name, delay, first)
      JOIN crontabber j ON j.app_name = n.name
     CROSS JOIN LATERAL (
           SELECT j.next_run IS NULL OR j.next_run IN (j.paused_until, '9999-01-01 00:00+00') AS yes) moved
      LEFT JOIN LATERAL (
           SELECT l.outcome IN ('failure', 'timeout', 'lost') AS failed
             FROM crontabber_log l
            WHERE l.app_name = j.app_name AND l.slot = j.slot AND l.attempt > 0
            ORDER BY l.attempt DESC
            LIMIT 1) newest ON true
     WHERE j.paused_until > clock.now
), resumed AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           slot = p.slot,
           next_run = p.start,
           -- When it ended: the slots until then were paused, and get that for a verdict.
           paused_until = clock.now, paused_by = NULL, pause_reason = NULL
      FROM clock, pending p
     WHERE j.app_name = p.app_name
    RETURNING j.app_name, j.slot, j.next_run
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT clock.now, $4, $5, 'resume', r.app_name, $6, jsonb_build_object(
               'before', jsonb_build_object('slot', b.slot, 'next_run', b.next_run, 'paused_until', b.paused_until,
                                            'paused_by', b.paused_by, 'pause_reason', b.pause_reason),
               'after', jsonb_build_object('slot', r.slot, 'next_run', r.next_run))
      FROM clock, resumed r
      JOIN crontabber b USING (app_name)
     ORDER BY r.app_name
)
SELECT app_name
  FROM resumed,
       -- One notification, and none where nothing was changed: its words are a hint, the table is the truth.
       (SELECT pg_notify('crontabber', left('resume ' || string_agg(app_name, ' ' ORDER BY app_name), 1900))
          FROM resumed HAVING count(*) > 0) AS told
