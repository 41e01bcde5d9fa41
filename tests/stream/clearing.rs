//! What is cleared away, and when.

use crontabber::spec::JobSpec;

use super::common::{
    host::{Host, job, noon},
    tables,
};

/// Runs at noon: of one job that is in no configuration any more, and two that the log does not know.
const LEFT: &str = "\
INSERT INTO crontabber_log (app_name, run_id, outcome, finished_at, slot, attempt) VALUES
    ('gone', '00000000-0000-4000-8000-000000000001', 'success', '2031-05-05 10:59Z', '2031-05-05 10:00Z', 1),
    ('gone', '00000000-0000-4000-8000-000000000002', 'lost',    '2031-05-05 11:01Z', '2031-05-05 10:00Z', 2),
    ('gone', '00000000-0000-4000-8000-000000000003', 'running', NULL,                '2031-05-05 10:00Z', 3);
INSERT INTO crontabber_output (run_id, chunk, printed_at, output) VALUES
    ('00000000-0000-4000-8000-000000000001', 0, '2031-05-05 10:58Z', 'over for more than an hour'),
    ('00000000-0000-4000-8000-000000000001', 1, '2031-05-05 10:59Z', ''),
    ('00000000-0000-4000-8000-000000000002', 0, '2031-05-05 09:00Z', 'over for less'),
    ('00000000-0000-4000-8000-000000000003', 0, '2031-05-05 09:00Z', 'not over'),
    ('00000000-0000-4000-8000-000000000004', 0, '2031-05-05 10:59Z', 'nobody knows it, old'),
    ('00000000-0000-4000-8000-000000000005', 0, '2031-05-05 11:01Z', 'nobody knows it, new')";

/// What is left after a pass with one job.
async fn left_after(job: JobSpec) -> Vec<String> {
    let database = tables().await;
    database.execute(LEFT).await;
    let host = Host::new("alpha", &database, &[job]).at(noon());
    assert_eq!(host.tick().await.well, 1);
    let left =
        "SELECT output FROM crontabber_output WHERE output <> '' ORDER BY run_id::text, chunk";
    let mut left = database.rows(left).await.concat();
    left.sort_unstable();
    left
}

#[tokio::test]
async fn a_host_that_streams_clears_away_what_has_been_over_for_an_hour() {
    let streams = JobSpec {
        stream_output: true,
        ..job("own", "echo own")
    };
    let left = ["nobody knows it, new", "not over", "over for less", "own\n"];
    assert_eq!(left_after(streams).await, left);
}

#[tokio::test]
async fn a_host_that_does_not_stream_leaves_the_table_alone() {
    assert_eq!(left_after(job("own", "echo own")).await.len(), 5);
}
