//! I4, I8, I10: crontabber's job has ended, and it writes that down.

use crate::{Scene, World, due, seen};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "I4",
        story: "Python has overrun its 12 hours, we have taken over, Python records",
        stage: due,
        play: |w| Box::pin(overrun(w)),
        kept: seen(2, 2, "success", "free"),
        // The CHECK that a claim is whole stops it; crontabber dies of that.
        broken: seen(2, 1, "success", "free"),
    },
    Scene {
        name: "I4b",
        story: "Python has overrun its 12 hours, we have taken over, run and recorded; Python records",
        stage: due,
        play: |w| Box::pin(overrun_and_over(w)),
        kept: seen(2, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I8",
        story: "we pass at the instant of Python's record",
        stage: due,
        play: |w| Box::pin(passing_by(w)),
        kept: seen(1, 0, "-", "free"),
        broken: seen(1, 0, "-", "free"),
    },
    Scene {
        name: "I8b",
        story: "somebody else has the row locked in that instant: nobody can help it, and its run is not lost on us",
        stage: due,
        play: |w| Box::pin(locked_out(w)),
        kept: seen(1, 2, "-", "python's"),
        broken: seen(1, 2, "-", "python's"),
    },
    Scene {
        name: "I10b",
        story: "Python has overrun, we have taken over and died, nobody has reaped: Python records",
        stage: due,
        play: |w| Box::pin(overrun_and_expired(w)),
        kept: seen(1, 0, "running", "free"),
        broken: seen(1, 1, "running", "ours"),
    },
    Scene {
        name: "I12",
        story: "Python's job fails, and we try it again when Python would",
        stage: due,
        play: |w| Box::pin(failed(w)),
        kept: seen(2, 0, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
];

async fn overrun(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    w.ages("13 hours").await;
    let claim = w.claims().await;
    let code = w.ends(turn, Ok(())).await;
    w.runs(claim).await;
    code
}

async fn overrun_and_over(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    w.ages("13 hours").await;
    w.claims_and_runs().await;
    let planned = "SELECT next_run::text FROM crontabber";
    let planned = w.database.query_one::<String>(planned).await;
    let code = w.ends(turn, Ok(())).await;
    let kept = format!("next_run = '{planned}'");
    w.must_by_guard(&kept, "the next slot is ours to plan")
        .await;
    w.must("success_slot <= now()", "nobody has run the next slot")
        .await;
    code
}

async fn passing_by(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    turn.log(Ok(())).await.expect("nothing is in its way");
    let info = turn.read_again().await.expect("nothing is in its way");
    // A pass that tried to lock the row would be told at once that it cannot; one that did so a moment before would
    // make crontabber lose what it is about to write.
    let exists = turn.lock().await.expect("nothing is in its way");
    let pass = w.alpha.tick().await;
    assert_eq!((pass.contended, pass.ongoing), (0, 1), "{pass:?}");
    python
        .write(&w.it.name, &turn.close(&info, Ok(())), exists)
        .await
        .expect("nothing is in its way");
    0
}

async fn locked_out(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    let lock = w.locked().await;
    let code = w.ends(turn, Ok(())).await;
    lock.batch_execute("ROLLBACK")
        .await
        .expect("nothing is in its way");
    code
}

async fn overrun_and_expired(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    w.ages("13 hours").await;
    // Never run: this host is gone.
    drop(w.claims().await);
    w.lease_expires().await;
    w.ends(turn, Ok(())).await
}

async fn failed(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    turn.end(Err("no such file"))
        .await
        .expect("nothing is in its way");
    let waits = "error_count = 1 AND next_run BETWEEN now() + interval '4 min' AND now() + interval '5 min'";
    w.must(waits, "it is wanted again in five minutes").await;
    assert_eq!(w.alpha.tick().await.well, 0, "not before");
    let sql = "UPDATE crontabber SET revision = revision + 1, next_run = now()";
    w.database.execute(sql).await;
    assert_eq!(w.alpha.tick().await.well, 1);
    let state = "SELECT error_count = 0 AND last_error::text = '{}' FROM crontabber";
    assert!(
        w.database.query_one::<bool>(state).await,
        "a success of ours ends Python's count"
    );
    0
}
