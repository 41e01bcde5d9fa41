-- pause: no run starts before an instant. next_run goes there too, so that Python hosts skip the job quietly; the slot
-- it was for stays, or is written down if only next_run knew it, so that a resume knows what is pending. A run that is
-- going on goes on. Under control_lock; the audit row commits with the change.
-- A job that is paused already has lost its own next_run: it is derived again, as resume does, because the new
-- pause may end before its slot.
-- Parameters: 1 names; of each, 2 the seconds from a slot to its start (NULL: it has no schedule) and 3 the slot to
-- take where no row knows one; 4 until when, 5 who, 6 on which host, 7 why, 8 the time or NULL.
WITH clock AS MATERIALIZED (
    SELECT coalesce($8::timestamptz, clock_timestamp()) AS now
), pending AS (
    SELECT j.app_name,
           CASE WHEN NOT moved.yes THEN j.next_run
                WHEN n.delay IS NOT NULL THEN coalesce(j.slot, n.first) + make_interval(secs => n.delay)
                WHEN newest.failed THEN clock.now
                ELSE '9999-01-01 00:00+00' END AS start,
           CASE WHEN moved.yes OR j.next_run >= '9999-01-01 00:00+00' THEN j.slot
                ELSE coalesce(j.slot, j.next_run) END AS slot
      FROM clock, unnest($1::text[], $2::float8[], $3::timestamptz[]) AS n(name, delay, first)
      JOIN crontabber j ON j.app_name = n.name
     CROSS JOIN LATERAL (
           SELECT coalesce(j.paused_until > clock.now AND j.next_run IN (j.paused_until, '9999-01-01 00:00+00'), false) AS yes) moved
      LEFT JOIN LATERAL (
           SELECT l.outcome IN ('failure', 'timeout', 'lost') AS failed
             FROM crontabber_log l
            WHERE l.app_name = j.app_name AND l.slot = j.slot AND l.attempt > 0
            ORDER BY l.attempt DESC
            LIMIT 1) newest ON true
), paused AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           slot = p.slot,
           next_run = least(greatest(p.start, $4), '9999-01-01 00:00+00'),
           paused_until = $4, paused_by = $5, pause_reason = $7
      FROM pending p
     WHERE j.app_name = p.app_name
    RETURNING j.app_name, j.slot, j.next_run, j.paused_until
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT clock.now, $5, $6, 'pause', p.app_name, $7, jsonb_build_object(
               'before', jsonb_build_object('slot', b.slot, 'next_run', b.next_run, 'paused_until', b.paused_until,
                                            'paused_by', b.paused_by, 'pause_reason', b.pause_reason),
               'after', jsonb_build_object('slot', p.slot, 'next_run', p.next_run, 'paused_until', p.paused_until))
      FROM clock, paused p
      JOIN crontabber b USING (app_name)
     ORDER BY p.app_name
)
SELECT app_name
  FROM paused,
       -- One notification, and none where nothing was changed: its words are a hint, the table is the truth.
       (SELECT pg_notify('crontabber', left('pause ' || string_agg(app_name, ' '), 1900))
          FROM paused HAVING count(*) > 0) AS told
