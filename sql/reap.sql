-- reap: close the runs whose lease has ended, for any job, known here or not: all it needs was copied into the
-- row at the claim. FOR UPDATE SKIP LOCKED: whoever holds a row is dealing with it. Not before one lease after
-- the server's start: every living host gets one lease to renew, or to deliver an outcome.
-- Parameters: 1 grace in seconds, 2 lease in seconds, 3 the time or NULL, 4 the runs whose leases were seen expired,
-- 5 the runs of which this host knows that their process has ended, with all it had started: they wait for nothing.
WITH dead AS (
    SELECT j.app_name, j.run_id, j.run_slot, j.run_trigger, j.host, j.on_lost, j.lost_next_slot, j.lost_backoff,
           coalesce(j.cancel_run_id = j.run_id, false) AS cancelled,
           -- As a record does it; not by the slot, which a frequent job has left behind when its lease is over.
           coalesce(j.error_count, 0) > 0 AS again,
           CASE WHEN j.run_id = ANY ($5) THEN format('the process on %s that ran it has ended', j.host)
                ELSE format('%s stopped renewing its lease', j.host) END AS why
      FROM crontabber j
     WHERE j.run_id IS NOT NULL
       AND (j.run_id = ANY ($5)
            OR (j.run_id = ANY ($4)
                AND j.lease_until < coalesce($3, clock_timestamp()) - make_interval(secs => $1)
                AND coalesce($3, clock_timestamp()) > pg_postmaster_start_time() + make_interval(secs => $2)))
     ORDER BY j.app_name
     LIMIT 50
       FOR UPDATE SKIP LOCKED
), freed AS (
    UPDATE crontabber j
       SET revision = revision + 1,
           ongoing = NULL, run_id = NULL, run_slot = NULL, run_trigger = NULL, attempt = NULL, host = NULL,
           lease_until = NULL, on_lost = NULL, lost_next_slot = NULL, lost_backoff = NULL, cancel_run_id = NULL,
           first_run = coalesce(j.first_run, j.ongoing),
           last_run = j.ongoing,
           finish_slot = CASE WHEN d.cancelled OR d.on_lost = 'skip' THEN greatest(j.finish_slot, d.run_slot)
                              ELSE j.finish_slot END,
           error_count = CASE WHEN d.cancelled OR d.run_trigger = 'backfill' THEN j.error_count ELSE coalesce(j.error_count, 0) + 1 END,
           last_error = CASE WHEN d.cancelled OR d.run_trigger = 'backfill' THEN j.last_error
                             ELSE json_build_object('type', 'lost', 'value', CASE WHEN d.run_id = ANY ($5) THEN 'the process that ran it has ended'
                                                                               ELSE 'the host of the run stopped renewing its lease' END, 'traceback', '') END,
           slot = CASE WHEN d.run_trigger IN ('schedule', 'parents') AND (d.cancelled OR d.on_lost = 'skip')
                       THEN coalesce(d.lost_next_slot, j.slot) ELSE j.slot END,
           -- In a pause no earlier than its end, as the pause itself has it.
           next_run = greatest(
               CASE WHEN j.paused_until > coalesce($3, clock_timestamp()) THEN least(j.paused_until, '9999-01-01 00:00+00') END,
               CASE WHEN d.run_trigger NOT IN ('schedule', 'parents') THEN j.next_run
                    WHEN d.on_lost = 'hold' AND NOT d.cancelled THEN '9999-01-01 00:00+00'
                    WHEN d.cancelled OR d.on_lost = 'skip' THEN coalesce(d.lost_next_slot, '9999-01-01 00:00+00')
                    WHEN d.again THEN coalesce($3, clock_timestamp()) + d.lost_backoff
                    -- At once, and not since its slot: how long the lost run took says nothing of how late it is.
                    ELSE coalesce($3, clock_timestamp()) END),
           paused_until = CASE WHEN d.on_lost = 'hold' AND NOT d.cancelled AND d.run_trigger <> 'backfill'
                               THEN '9999-01-01 00:00+00' ELSE j.paused_until END,
           paused_by = CASE WHEN d.on_lost = 'hold' AND NOT d.cancelled AND d.run_trigger <> 'backfill'
                            THEN 'on_lost' ELSE j.paused_by END,
           pause_reason = CASE WHEN d.on_lost = 'hold' AND NOT d.cancelled AND d.run_trigger <> 'backfill'
                               THEN format('its run on %s was lost', d.host) ELSE j.pause_reason END
      FROM dead d
     WHERE j.app_name = d.app_name AND j.run_id = d.run_id
    RETURNING j.app_name, d.run_id, d.host, d.cancelled, d.why
), closed AS (
    UPDATE crontabber_log l
       SET outcome = CASE WHEN f.cancelled THEN 'cancelled' ELSE 'lost' END,
           reason = f.why,
           finished_at = coalesce($3, clock_timestamp()), log_time = coalesce($3, clock_timestamp()),
           exc_type = 'lost', exc_value = f.why, exc_traceback = ''
      FROM freed f
     WHERE l.run_id = f.run_id AND l.outcome = 'running'
)
SELECT app_name, run_id, host, why FROM freed
