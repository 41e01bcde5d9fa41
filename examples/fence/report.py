#!/usr/bin/env python3
"""A report by Python and psycopg; report.sh says what the key and the fence are for."""

import os

import psycopg

env = os.environ

# Leaving the block commits; an exception, the fence's refusal among them, rolls back and ends the job with 1.
with psycopg.connect(env["DATABASE_URL"]) as connection:
    connection.execute(
        "SELECT crontabber_assert_fence(%s, %s)",
        (env["CRONTABBER_JOB"], int(env["CRONTABBER_FENCE"])),
    )
    connection.execute(
        """
        INSERT INTO report (run_key, attempt, rows)
        SELECT %s, %s, count(*) FROM crontabber_log
            ON CONFLICT (run_key) DO UPDATE SET attempt = excluded.attempt, rows = excluded.rows
        """,
        (env["CRONTABBER_RUN_KEY"], int(env["CRONTABBER_ATTEMPT"])),
    )
