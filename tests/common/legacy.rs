//! A database as crontabber 0.18.1 (Python) left it.

use super::{Database, Postgres};

/// The tables as it makes them.
const TABLES: &str = "
    CREATE TABLE crontabber (
        app_name text NOT NULL, next_run timestamptz, first_run timestamptz, last_run timestamptz,
        last_success timestamptz, ongoing timestamptz, error_count integer DEFAULT 0, depends_on text[], last_error json);
    CREATE UNIQUE INDEX crontabber_unique_app_name_idx ON crontabber (app_name);
    CREATE TABLE crontabber_log (
        id serial NOT NULL, app_name text NOT NULL, log_time timestamptz DEFAULT now() NOT NULL, duration interval,
        success timestamptz, exc_type text, exc_value text, exc_traceback text);";

/// A job that is well and due, one that fails, one that a Python host is running, and their history.
const ROWS: &str = r#"
    INSERT INTO crontabber (app_name, next_run, first_run, last_run, last_success, error_count, depends_on, last_error, ongoing) VALUES
        ('well', now() - interval '1 minute', now() - interval '9 days', now() - interval '61 minutes', now() - interval '61 minutes', 0, '{}', '{}', NULL),
        ('failing', now() + interval '4 minutes', now() - interval '9 days', now() - interval '1 minute', now() - interval '1 day', 3, '{well}',
            '{"type": "<type ''exceptions.KeyError''>", "value": "''x''", "traceback": "Traceback ..."}', NULL),
        ('running', now() - interval '1 minute', now() - interval '9 days', now() - interval '1 hour', now() - interval '1 hour', 0, '{}', '{}', now() - interval '30 seconds');
    INSERT INTO crontabber_log (app_name, log_time, duration, success, exc_type, exc_value, exc_traceback)
        SELECT 'well', now() - n * interval '1 hour', interval '2 seconds', now() - n * interval '1 hour', NULL::text, NULL::text, NULL::text FROM generate_series(1, 50) AS n
        UNION ALL SELECT 'failing', now() - n * interval '5 minutes', interval '1 second', NULL, 'KeyError', 'x', 'Traceback ...' FROM generate_series(1, 3) AS n;"#;

/// What a fleet leaves that has run for years and was stopped in the middle of things. Named after what is special.
const ESTATE: &str = r#"
    WITH due(name, next_run, last_run, last_success, error_count, depends_on, ongoing) AS (VALUES
        ('well',              '-1 min',  '-61 min',  '-61 min',  0, '{}',        NULL),
        ('later',             '20 min',  '-40 min',  '-40 min',  0, '{}',        NULL),
        ('child',             '-1 min',  '-61 min',  '-61 min',  0, '{later}',   NULL),
        ('failing',           '-1 min',  '-6 min',   '-9 hours', 3, '{}',        NULL),
        ('recovering',        '-1 min',  '-6 min',   '-9 hours', 3, '{}',        NULL),
        ('waiting',           '4 min',   '-1 min',   '-9 hours', 3, '{}',        NULL),
        ('child_of_failing',  '-1 min',  '-61 min',  '-61 min',  0, '{failing}', NULL),
        ('ongoing_1h',        '-1 hour', '-2 hours', '-2 hours', 0, '{}',        '-1 hour'),
        ('ongoing_11h59',     '-12 hours', '-13 hours', '-13 hours', 0, '{}',    '-11 hours -59 min'),
        ('ongoing_12h01',     '-13 hours', '-14 hours', '-14 hours', 0, '{}',    '-12 hours -1 min'),
        ('ongoing_25h',       '-26 hours', '-27 hours', '-27 hours', 0, '{}',    '-25 hours'),
        ('first_run',         NULL,      NULL,       NULL,       0, '{}',        '-1 hour'),
        ('first_run_died',    NULL,      NULL,       NULL,       0, '{}',        '-13 hours'),
        ('backfill',          '-50 hours', '-74 hours', '-74 hours', 0, '{}',    NULL),
        ('days_behind',       '1 hour',  '-23 hours', '-23 hours -1 min', 0, '{}', NULL),
        ('child_of_days',     '-1 min',  '-61 min',  '-61 min',  0, '{days_behind}', NULL),
        ('ghost',             '-9 days', '-10 days', '-10 days', 0, '{}',        NULL))
    INSERT INTO crontabber (app_name, next_run, first_run, last_run, last_success, error_count, depends_on, last_error, ongoing)
        SELECT name, now() + next_run::interval, CASE WHEN last_run IS NOT NULL THEN now() - interval '900 days 1.234567 s' END,
               now() + last_run::interval, now() + last_success::interval, error_count, depends_on::text[],
               CASE error_count WHEN 0 THEN '{}'
                   ELSE '{"type": "<type ''exceptions.KeyError''>", "value": "''x''",  "traceback": "  File \"x.py\"\n"}' END::json,
               now() + ongoing::interval
          FROM due;
    INSERT INTO crontabber_log (app_name, log_time, duration, success, exc_type, exc_value, exc_traceback)
        SELECT name, now() - n * interval '1 hour', interval '2.00213 s', now() - n * interval '1 hour', NULL, NULL, NULL
          FROM unnest(ARRAY['well', 'later', 'ghost']) AS name, generate_series(1, 50) AS n
        UNION ALL SELECT 'failing', now() - n * interval '5 min', interval '1 s', NULL, '<type ''exceptions.KeyError''>', 'fünf', 'Traceback ...'
          FROM generate_series(1, 3) AS n;
    SELECT setval('crontabber_log_id_seq', 2147483600);"#;

/// All that was in its tables, by its own columns.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    rows: Vec<Vec<String>>,
    history: Vec<Vec<String>>,
}

/// Such a database, without a row.
pub async fn empty() -> Database {
    let database = Postgres::database().await;
    database.execute(TABLES).await;
    database
}

/// One that has been in use for years.
pub async fn estate() -> Database {
    let database = empty().await;
    database.execute(ESTATE).await;
    database
}

/// Such a database, with rows.
pub async fn database() -> Database {
    let database = empty().await;
    database.execute(ROWS).await;
    database
}

/// What Python would read in it.
pub async fn contents(database: &Database) -> Contents {
    let rows = "SELECT app_name, next_run, first_run, last_run, last_success, ongoing, error_count, depends_on, last_error FROM crontabber ORDER BY app_name";
    let history = "SELECT id, app_name, log_time, duration, success, exc_type, exc_value, exc_traceback FROM crontabber_log ORDER BY id";
    Contents {
        rows: database.rows(rows).await,
        history: database.rows(history).await,
    }
}

/// The jobs of its rows, for a configuration.
pub const JOBS: [&str; 3] = ["failing", "running", "well"];
