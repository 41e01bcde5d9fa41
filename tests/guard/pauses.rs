//! I9: a job is paused by ours; crontabber has no pauses.

use crate::{Scene, World, due, seen};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "I9",
        story: "Python reads the row as free, somebody pauses the job, Python writes",
        stage: due,
        play: |w| Box::pin(between(w)),
        kept: seen(0, 2, "-", "paused"),
        broken: seen(1, 0, "-", "due in its pause"),
    },
    Scene {
        name: "I9b",
        story: "a Python host passes by a paused job: to it, the job is not due",
        stage: due,
        play: |w| Box::pin(passing_by(w)),
        kept: seen(0, 0, "-", "paused"),
        broken: seen(0, 0, "-", "paused"),
    },
    Scene {
        name: "I9c",
        story: "the job is paused while Python runs it: the run ends, the pause stays",
        stage: due,
        play: |w| Box::pin(during(w)),
        kept: seen(1, 0, "-", "paused"),
        broken: seen(1, 0, "-", "due in its pause"),
    },
    Scene {
        name: "I9d",
        story: "the same with a pause that ends before the next slot: nobody runs it early",
        stage: due,
        play: |w| Box::pin(during_a_short_one(w)),
        kept: seen(1, 0, "-", "paused"),
        broken: seen(1, 0, "-", "paused"),
    },
    Scene {
        name: "I9e",
        story: "a job of ours is paused while we run it, for less than its period: Python does not run it early",
        stage: due,
        play: |w| Box::pin(ours_during_a_short_one(w)),
        kept: seen(1, 0, "success", "paused"),
        broken: seen(1, 0, "success", "paused"),
    },
];

/// As `pause --until` does.
async fn pause(w: &World, long: &str) {
    let sql = format!(
        "UPDATE crontabber SET revision = revision + 1, slot = coalesce(slot, next_run), paused_until = now() + interval '{long}',
                next_run = greatest(next_run, now() + interval '{long}')"
    );
    w.database.execute(&sql).await;
}

/// The job is wanted when its next slot is, and not when its pause ends.
async fn must_wait_for_its_slot(w: &World) {
    w.must(
        "next_run > now() + interval '58 min'",
        "it waits for its slot",
    )
    .await;
}

async fn between(w: &World) -> i32 {
    let python = w.python().await;
    let turn = w.reads(&python).await;
    pause(w, "1 day").await;
    w.starts_and_ends(turn).await
}

async fn passing_by(w: &World) -> i32 {
    let python = w.python().await;
    pause(w, "1 day").await;
    let jobs = [w.it.clone()];
    python
        .pass(&jobs, async |_| {
            w.body();
            Ok(())
        })
        .await
}

async fn during(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    pause(w, "1 day").await;
    let code = w.ends(turn, Ok(())).await;
    let slot = "slot BETWEEN now() + interval '58 min' AND now() + interval '60 min'";
    w.must_by_guard(slot, "the slot after the pause is known")
        .await;
    code
}

async fn during_a_short_one(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    pause(w, "10 minutes").await;
    let code = w.ends(turn, Ok(())).await;
    must_wait_for_its_slot(w).await;
    code
}

async fn ours_during_a_short_one(w: &World) -> i32 {
    let claim = w.claims().await;
    pause(w, "10 minutes").await;
    w.runs(claim).await;
    must_wait_for_its_slot(w).await;
    0
}
