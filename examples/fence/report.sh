#!/bin/sh
# A report by psql. Two things make its effect happen once:
#   - the key: whatever attempt at a slot writes it, there is one row for the slot;
#   - the fence: an attempt whose host was frozen, and whose job another host has taken over since, is refused with
#     CT001. The call holds a share of the job's row until the COMMIT, so nobody can take over in between either.
set -eu

psql "$DATABASE_URL" --no-psqlrc --quiet --single-transaction --set ON_ERROR_STOP=1 \
    --set job="$CRONTABBER_JOB" --set fence="$CRONTABBER_FENCE" \
    --set key="$CRONTABBER_RUN_KEY" --set attempt="$CRONTABBER_ATTEMPT" <<'SQL'
SELECT crontabber_assert_fence(:'job', :'fence') \g /dev/null
INSERT INTO report (run_key, attempt, rows)
SELECT :'key', :'attempt', count(*) FROM crontabber_log
    ON CONFLICT (run_key) DO UPDATE SET attempt = excluded.attempt, rows = excluded.rows;
SQL
