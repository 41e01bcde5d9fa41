//! I1, I2, I3, I5, I7, I10, I11: crontabber starts a job.

use jiff::SignedDuration;

use crate::{Scene, World, due, seen, world::IT};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "I1",
        story: "Python reads the row as free, we claim, Python writes",
        stage: due,
        play: |w| Box::pin(claimed_under_it(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I2",
        story: "Python reads the row as free, we claim, run and record, Python writes what it read",
        stage: due,
        play: |w| Box::pin(run_under_it(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I2b",
        story: "the same, and crontabber dies before its job ends: what it wrote back stays",
        stage: due,
        play: |w| Box::pin(dies_after_a_stale_write(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 1, "success", "python's"),
    },
    Scene {
        name: "I3",
        story: "Python finds the job due, we claim, run and record, Python reads and writes",
        stage: due,
        play: |w| Box::pin(run_after_its_look(w, "0 s")),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I3b",
        story: "the same, and our run takes 20 seconds",
        stage: due,
        play: |w| Box::pin(run_after_its_look(w, "20 s")),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I3c",
        story: "the same, and the next slot is 20 seconds away: Python takes that one early, and nobody takes it again",
        stage: due,
        play: |w| Box::pin(next_one_early(w)),
        kept: seen(2, 0, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I5",
        story: "we run the job, a Python host whose clock is 2 seconds behind takes our age for 23.99 hours",
        stage: due,
        play: |w| Box::pin(clock_behind(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I5b",
        story: "Python runs the job, another Python host whose clock is 2 seconds behind comes along",
        stage: due,
        play: |w| Box::pin(two_pythons_with_clocks_apart(w)),
        kept: seen(1, 2, "-", "free"),
        broken: seen(2, 0, "-", "free"),
    },
    Scene {
        name: "I5c",
        story: "two Python hosts read the row as free, both write",
        stage: due,
        play: |w| Box::pin(two_pythons(w)),
        kept: seen(1, 2, "-", "free"),
        broken: seen(2, 0, "-", "free"),
    },
    Scene {
        name: "I7",
        story: "our run takes 13 hours, its lease is renewed; Python takes it for abandoned",
        stage: due,
        play: |w| Box::pin(long_run(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I10",
        story: "we died 13 hours ago and nobody has reaped: Python takes over, our thawed run is fenced",
        stage: due,
        play: |w| Box::pin(expired(w)),
        kept: seen(2, 0, "running", "free"),
        // Our record matched, and cleared the `ongoing` of Python's live run.
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "I11",
        story: "a Python host whose clock is 13 hours behind starts, we pass",
        stage: due,
        play: |w| Box::pin(far_behind(w)),
        kept: seen(1, 0, "-", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "F1",
        story: "`--force` on a Python host, of a job that we have just run",
        stage: due,
        play: |w| Box::pin(forced(w, false)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "F2",
        story: "the same with PGOPTIONS='-c crontabber.force=on': it was meant",
        stage: due,
        play: |w| Box::pin(forced(w, true)),
        kept: seen(2, 0, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
    Scene {
        name: "F3",
        story: "the same while we run the job",
        stage: due,
        play: |w| Box::pin(forced_beside_ours(w)),
        kept: seen(1, 2, "success", "free"),
        broken: seen(2, 0, "success", "free"),
    },
];

async fn claimed_under_it(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    let claim = w.claims().await;
    let started = w.starts(&mut turn).await;
    w.runs(claim).await;
    w.ends(turn, started).await
}

async fn run_under_it(w: &World) -> i32 {
    let python = w.python().await;
    let turn = w.reads(&python).await;
    w.claims_and_runs().await;
    w.starts_and_ends(turn).await
}

async fn dies_after_a_stale_write(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.reads(&python).await;
    w.claims_and_runs().await;
    match w.starts(&mut turn).await {
        Ok(()) => {
            let is_due_again = "SELECT next_run < now() FROM crontabber";
            assert!(
                w.database.query_one::<bool>(is_due_again).await,
                "it writes back what it read"
            );
            1
        }
        refused => w.ends(turn, refused).await,
    }
}

async fn run_after_its_look(w: &World, takes: &str) -> i32 {
    let python = w.python().await;
    let mut turn = w.looks(&python).await;
    let claim = w.claims().await;
    w.ages(takes).await;
    w.runs(claim).await;
    turn.read().await.expect("nobody is at it");
    w.starts_and_ends(turn).await
}

async fn next_one_early(w: &World) -> i32 {
    let python = w.python().await;
    let mut turn = w.looks(&python).await;
    w.claims_and_runs().await;
    let soon = "UPDATE crontabber SET revision = revision + 1, slot = now() + interval '20 s', next_run = now() + interval '20 s'
                 RETURNING slot::text";
    let slot = w.database.query_one::<String>(soon).await;
    turn.read().await.expect("nobody is at it");
    let code = w.starts_and_ends(turn).await;
    let handled = format!("success_slot >= '{slot}' AND next_run > now() + interval '58 min'");
    w.must_by_guard(&handled, "the slot has been run").await;
    code
}

async fn clock_behind(w: &World) -> i32 {
    let python = w.python().await.ahead(SignedDuration::from_secs(-2));
    let claim = w.claims().await;
    let mut turn = w.looks(&python).await;
    turn.read().await.expect("a negative age is a long one");
    let started = w.starts(&mut turn).await;
    w.runs(claim).await;
    w.ends(turn, started).await
}

async fn two_pythons_with_clocks_apart(w: &World) -> i32 {
    let (first, second) = (
        w.python().await,
        w.python().await.ahead(SignedDuration::from_secs(-2)),
    );
    let mut turn = w.reads(&first).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    let mut late = w.looks(&second).await;
    late.read().await.expect("a negative age is a long one");
    let code = w.starts_and_ends(late).await;
    assert_eq!(w.ends(turn, Ok(())).await, 0);
    code
}

async fn two_pythons(w: &World) -> i32 {
    let (first, second) = (w.python().await, w.python().await);
    let mut turn = w.looks(&first).await;
    let mut late = w.looks(&second).await;
    turn.read().await.expect("nobody is at it");
    late.read().await.expect("nobody is at it");
    w.starts(&mut turn).await.expect("nothing is in its way");
    let code = w.starts_and_ends(late).await;
    assert_eq!(w.ends(turn, Ok(())).await, 0);
    code
}

async fn long_run(w: &World) -> i32 {
    let python = w.python().await;
    let claim = w.claims().await;
    w.ages("13 hours").await;
    let mut turn = w.looks(&python).await;
    turn.read().await.expect("it is too old for Python");
    let started = w.starts(&mut turn).await;
    w.runs(claim).await;
    w.ends(turn, started).await
}

async fn expired(w: &World) -> i32 {
    let python = w.python().await;
    let claim = w.claims().await;
    w.ages("13 hours").await;
    w.lease_expires().await;
    let mut turn = w.looks(&python).await;
    turn.read().await.expect("it is too old for Python");
    let started = w.starts(&mut turn).await;
    let whole = "num_nonnulls(run_id, run_slot, run_trigger, attempt, host, lease_until, on_lost, cancel_run_id) = 0";
    w.must_by_guard(whole, "a claim goes as a whole").await;
    w.runs(claim).await;
    w.must_by_guard("ongoing IS NOT NULL", "Python still runs it")
        .await;
    w.ends(turn, started).await
}

async fn far_behind(w: &World) -> i32 {
    let sql =
        "UPDATE crontabber SET revision = revision + 1, next_run = next_run - interval '14 hours'";
    w.database.execute(sql).await;
    let python = w.python().await.ahead(SignedDuration::from_hours(-13));
    let mut turn = w.reads(&python).await;
    w.starts(&mut turn).await.expect("nothing is in its way");
    let stamped = "abs(extract(epoch FROM clock_timestamp() - ongoing)) < 60";
    w.must_by_guard(stamped, "it is the database's clock that counts")
        .await;
    w.alpha.tick().await;
    let code = w.ends(turn, Ok(())).await;
    // Its next_run is 12 hours in the past; that is for a test of clocks, not of this start.
    let sql = "UPDATE crontabber SET revision = revision + 1, next_run = next_run + interval '13 hours' WHERE next_run < now()";
    w.database.execute(sql).await;
    code
}

async fn forced(w: &World, meant: bool) -> i32 {
    let mut python = w.python().await;
    if meant {
        python = python.forcing().await;
    }
    w.claims_and_runs().await;
    let mut turn = python.force(&w.it).await.expect("nothing is in its way");
    turn.read().await.expect("nobody is at it");
    let code = w.starts_and_ends(turn).await;
    w.must(
        "success_slot <= now()",
        "nobody has run the slot that was pending",
    )
    .await;
    code
}

async fn forced_beside_ours(w: &World) -> i32 {
    let python = w.python().await.forcing().await;
    let mut turn = python.force(&w.it).await.expect("nothing is in its way");
    turn.read().await.expect("nobody is at it");
    let claim = w.claims().await;
    assert!(python.contains(IT).await.expect("nothing is in its way"));
    let started = w.starts(&mut turn).await;
    w.runs(claim).await;
    w.ends(turn, started).await
}
