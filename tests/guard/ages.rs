//! Our claim against Python's `ongoing`, by its age.

use crate::{Scene, World, due, seen};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "A1",
        story: "Python has been at it for 1 hour: respected",
        stage: due,
        play: |w| Box::pin(after(w, "1 hour", false)),
        kept: seen(1, 0, "-", "free"),
        broken: seen(1, 0, "-", "free"),
    },
    Scene {
        name: "A2",
        story: "Python has been at it for 11 hours and 59 minutes: respected",
        stage: due,
        play: |w| Box::pin(after(w, "11 hours 59 minutes", false)),
        kept: seen(1, 0, "-", "free"),
        broken: seen(1, 0, "-", "free"),
    },
    Scene {
        name: "A3",
        story: "Python has been at it for 12 hours and a minute: taken over, with a `lost` row",
        stage: due,
        play: |w| Box::pin(after(w, "12 hours 1 minute", true)),
        kept: seen(2, 0, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "A4",
        story: "Python has been at it for 25 hours (to itself: for 1 hour): taken over, with a `lost` row",
        stage: due,
        play: |w| Box::pin(after(w, "25 hours", true)),
        kept: seen(2, 0, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
];

async fn after(w: &World, age: &str, taken: bool) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    w.ages(age).await;
    let pass = w.alpha.tick().await;
    assert_eq!(
        (pass.well, pass.ongoing),
        (usize::from(taken), usize::from(!taken)),
        "{pass:?}"
    );
    let lost = format!(
        "SELECT count(*) FROM crontabber_log WHERE outcome = 'lost' AND host = 'python' AND run_id IS NULL
            AND finished_at - started_at BETWEEN interval '{age}' AND interval '{age}' + interval '1 minute'"
    );
    assert_eq!(w.database.query_one::<i64>(&lost).await, i64::from(taken));
    if taken { 0 } else { w.ends(turn, Ok(())).await }
}
