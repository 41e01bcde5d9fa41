//! The first run of a job, of which there is no row yet.

use crate::{Scene, World, new, seen};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "N1",
        story: "Python finds no row, we make one and claim, Python writes",
        stage: new,
        play: |w| Box::pin(claimed_under_it(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "N2",
        story: "Python finds no row, we make one, run and record, Python writes",
        stage: new,
        play: |w| Box::pin(run_under_it(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "N3",
        story: "Python finds no row when it has asked for its lock, we make one and claim, Python inserts its own",
        stage: new,
        play: |w| Box::pin(inserted_under_it(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(1, 2, "success", "free"),
    },
    Scene {
        name: "N4",
        story: "Python is in the first run when we pass",
        stage: new,
        play: |w| Box::pin(passing_by(w)),
        kept: seen(1, 0, "-", "free"),
        broken: seen(1, 0, "-", "free"),
    },
    Scene {
        name: "N5",
        story: "Python has died in the first run, 13 hours ago: we take over",
        stage: new,
        play: |w| Box::pin(died(w)),
        kept: seen(2, 0, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "N6",
        story: "we have made the row, and Python is first to run it",
        stage: new,
        play: |w| Box::pin(adopted_and_run(w)),
        kept: seen(1, 0, "-", "free"),
        broken: seen(1, 0, "-", "free"),
    },
];

async fn claimed_under_it(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    let claim = w.claims().await;
    let started = w.starts(&mut turn).await;
    w.must_by_guard("next_run IS NOT NULL", "nobody takes its clock away")
        .await;
    w.runs(claim).await;
    w.ends(turn, started).await
}

async fn run_under_it(w: &World) -> i32 {
    let python = w.python().await;
    let turn = w.reads(&python).await;
    w.claims_and_runs().await;
    w.starts_and_ends(turn).await
}

async fn inserted_under_it(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    let exists = turn.lock().await.expect("nothing is in its way");
    assert!(!exists);
    let claim = w.claims().await;
    let started = turn.write(exists).await;
    w.runs(claim).await;
    w.ends(turn, started).await
}

async fn passing_by(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    let pass = w.alpha.tick().await;
    assert_eq!(
        (pass.well, pass.contended, pass.ongoing),
        (0, 0, 1),
        "{pass:?}"
    );
    let code = w.ends(turn, Ok(())).await;
    w.must_by_guard("success_slot IS NOT NULL", "its children see it")
        .await;
    code
}

async fn died(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    w.ages("13 hours").await;
    let again = w.alpha.tick().await;
    assert_eq!(again.well, 1, "{again:?}");
    0
}

async fn adopted_and_run(w: &World) -> i32 {
    let python = w.python().await;
    // The plan alone makes the row; nobody claims it.
    w.alpha.table().await;
    let turn = w.reads(&python).await;
    let code = w.starts_and_ends(turn).await;
    let pass = w.alpha.tick().await;
    assert_eq!((pass.well, pass.ongoing), (0, 0), "{pass:?}");
    code
}
