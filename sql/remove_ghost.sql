-- remove_ghost: delete rows that no configuration knows. Not with a claim, nor paused (the guard would refuse), and not
-- where a host has said within a day that it knows the job, or a Python host has run it: it would make the row anew, and
-- Python would run it at once. The history stays; the audit row, which commits with it, holds what the row held.
-- Parameters: 1 names, 2 those of them that go in spite of other hosts, 3 who, 4 on which host, 5 why, 6 max_ongoing_age in seconds,
-- 7 the time or NULL.
WITH clock AS MATERIALIZED (
    SELECT coalesce($7::timestamptz, clock_timestamp()) AS now
), removed AS (
    DELETE FROM crontabber j
     USING clock
     WHERE j.app_name = ANY ($1)
       AND j.run_id IS NULL
       AND (j.ongoing IS NULL OR j.ongoing <= clock.now - make_interval(secs => $6))
       AND (j.paused_until IS NULL OR j.paused_until <= clock.now)
       AND (j.app_name = ANY ($2) OR NOT EXISTS (
               SELECT FROM crontabber_host h
                WHERE (h.definitions ? j.app_name OR j.app_name LIKE '%@%' AND h.host = substr(j.app_name, strpos(j.app_name, '@') + 1)
                                                     AND h.definitions ? split_part(j.app_name, '@', 1))
                  AND h.host <> $4 AND h.seen_at > clock.now - interval '1 day'))
       AND (j.app_name = ANY ($2) OR j.last_run IS NULL OR j.last_run <= clock.now - interval '1 day' OR EXISTS (
               SELECT FROM crontabber_log l
                WHERE l.app_name = j.app_name AND l.slot IS NOT NULL AND l.attempt > 0 AND l.started_at = j.last_run))
    RETURNING j.app_name, jsonb_build_object(
        'next_run', j.next_run, 'first_run', j.first_run, 'last_run', j.last_run, 'last_success', j.last_success,
        'ongoing', j.ongoing, 'error_count', j.error_count, 'last_error', j.last_error::text, 'depends_on', j.depends_on,
        'slot', j.slot, 'success_slot', j.success_slot, 'fence', j.fence, 'definition_hash', j.definition_hash) AS whole
), audited AS (
    INSERT INTO crontabber_audit (at, who, host, what, app_name, reason, detail)
    SELECT clock.now, $3, $4, 'remove_ghost', app_name, $5, jsonb_build_object('before', whole)
      FROM clock, removed
     ORDER BY app_name
)
SELECT app_name
  FROM removed,
       -- One notification, and none where nothing was changed: its words are a hint, the table is the truth.
       (SELECT pg_notify('crontabber', left('remove_ghost ' || string_agg(app_name, ' '), 1900))
          FROM removed HAVING count(*) > 0) AS told
