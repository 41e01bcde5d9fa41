//! I6: `--reset-job` deletes the row.

use crate::{
    Scene, World,
    common::python::{exit, readings::reset_job},
    due, seen,
    world::IT,
};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "I6",
        story: "reset-job while we run the job, and a pass of ours after our record",
        stage: due,
        play: |w| Box::pin(under_our_run(w)),
        kept: seen(1, 1, "success", "free"),
        // The row was made anew, and so the slot was run anew, as soon as the log row of the first run was cleared away.
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I6b",
        story: "reset-job when nobody runs the job: it starts over",
        stage: due,
        play: |w| Box::pin(of_a_free_row(w)),
        kept: seen(1, 0, "success", "free"),
        broken: seen(1, 0, "success", "free"),
    },
    Scene {
        name: "I6c",
        story: "reset-job after our run has died and nobody has reaped: allowed, and its log row is closed",
        stage: due,
        play: |w| Box::pin(of_a_dead_run(w)),
        kept: seen(1, 0, "success", "free"),
        broken: seen(1, 0, "success", "free"),
    },
    Scene {
        name: "I6e",
        story: "reset-job while Python runs the job, and a pass of ours",
        stage: due,
        play: |w| Box::pin(under_pythons_run(w)),
        kept: seen(1, 1, "-", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I6d",
        story: "reset-job of a paused job",
        stage: due,
        play: |w| Box::pin(of_a_paused_job(w)),
        kept: seen(0, 1, "-", "paused"),
        broken: seen(0, 0, "-", "gone"),
    },
];

async fn under_our_run(w: &World) -> i32 {
    let python = w.python().await;
    let claim = w.claims().await;
    let code = exit(&reset_job(&python, IT).await);
    w.runs(claim).await;
    passes(w).await;
    code
}

async fn of_a_free_row(w: &World) -> i32 {
    let python = w.python().await;
    let code = exit(&reset_job(&python, IT).await);
    w.alpha.tick().await;
    code
}

async fn of_a_dead_run(w: &World) -> i32 {
    let python = w.python().await;
    drop(w.claims().await);
    w.lease_expires().await;
    let code = exit(&reset_job(&python, IT).await);
    passes(w).await;
    let lost = "SELECT count(*) FROM crontabber_log WHERE outcome = 'lost'";
    assert_eq!(w.database.query_one::<i64>(lost).await, 1);
    code
}

async fn under_pythons_run(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    let started = w.starts(&mut turn).await;
    let code = exit(&reset_job(&python, IT).await);
    w.alpha.tick().await;
    w.ends(turn, started).await;
    code
}

async fn of_a_paused_job(w: &World) -> i32 {
    let python = w.python().await;
    let pause = "UPDATE crontabber SET revision = revision + 1, paused_until = now() + interval '1 day', next_run = now() + interval '1 day'";
    w.database.execute(pause).await;
    exit(&reset_job(&python, IT).await)
}

/// Two passes, a lease after whatever was left open.
async fn passes(w: &World) {
    let old = "UPDATE crontabber_log SET started_at = started_at - interval '1 hour' WHERE outcome = 'running'";
    w.database.execute(old).await;
    w.alpha.tick().await;
    w.alpha.tick().await;
}
