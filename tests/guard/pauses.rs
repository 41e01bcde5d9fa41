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
];

async fn pause(w: &World) {
    let sql = "UPDATE crontabber SET revision = revision + 1, paused_until = now() + interval '1 day', next_run = now() + interval '1 day'";
    w.database.execute(sql).await;
}

async fn between(w: &World) -> i32 {
    let python = w.python().await;
    let turn = w.reads(&python).await;
    pause(w).await;
    w.starts_and_ends(turn).await
}

async fn passing_by(w: &World) -> i32 {
    let python = w.python().await;
    pause(w).await;
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
    pause(w).await;
    w.ends(turn, Ok(())).await
}
