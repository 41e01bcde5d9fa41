//! A job with a parent, each run by the other kind of host.

use futures_util::future::LocalBoxFuture;

use crate::{Scene, World, common::python::Job, seen, world::PARENT};

pub const SCENES: &[Scene] = &[
    Scene {
        name: "C1",
        story: "we run the parent, Python the child",
        stage: well,
        play: |w| Box::pin(pythons_child(w)),
        kept: seen(1, 0, "-", "free"),
        broken: seen(1, 0, "-", "free"),
    },
    Scene {
        name: "C2",
        story: "the parent fails on our side: Python skips the child",
        stage: failing,
        play: |w| Box::pin(pythons_child(w)),
        kept: seen(0, 0, "-", "due"),
        broken: seen(0, 0, "-", "due"),
    },
    Scene {
        name: "C3",
        story: "Python runs the parent, we the child",
        stage: well,
        play: |w| Box::pin(our_child(w, true)),
        kept: seen(1, 0, "success", "free"),
        // Nothing of Python's says which slot has succeeded: the guard adds it.
        broken: seen(0, 0, "-", "due"),
    },
    Scene {
        name: "C3b",
        story: "Python runs the parent five minutes late, we the child after that: it does not wait a period",
        stage: well,
        play: |w| Box::pin(our_child_later(w)),
        kept: seen(1, 0, "success", "free"),
        broken: seen(0, 0, "-", "due"),
    },
    Scene {
        name: "C4",
        story: "the parent fails on Python's side: we leave the child alone",
        stage: well,
        play: |w| Box::pin(our_child(w, false)),
        kept: seen(0, 0, "-", "due"),
        broken: seen(0, 0, "-", "due"),
    },
];

fn well(guarded: bool) -> LocalBoxFuture<'static, World> {
    Box::pin(World::of_a_family(guarded, "true"))
}

fn failing(guarded: bool) -> LocalBoxFuture<'static, World> {
    Box::pin(World::of_a_family(guarded, "exit 1"))
}

async fn pythons_child(w: &World) -> i32 {
    let python = w.python().await;
    let not_yet = python.look(&w.it).await.expect("nothing is in its way");
    assert!(not_yet.is_none(), "its parent has not run");
    // Our own child would run in the same pass.
    let parent: Vec<_> = w
        .alpha
        .engine()
        .graph
        .jobs()
        .iter()
        .filter(|job| job.name.as_str() == PARENT)
        .cloned()
        .collect();
    w.alpha.with_jobs(&parent).tick().await;
    let jobs = [w.it.clone()];
    python
        .pass(&jobs, async |_| {
            w.body();
            Ok(())
        })
        .await
}

async fn our_child(w: &World, well: bool) -> i32 {
    let child: Vec<_> = w
        .alpha
        .engine()
        .graph
        .jobs()
        .iter()
        .filter(|job| job.name.as_str() != PARENT)
        .cloned()
        .collect();
    assert_eq!(child.len(), 1);
    let python = w.python().await;
    let parent = Job::hourly(PARENT);
    let mut turn = python
        .look(&parent)
        .await
        .expect("nothing is in its way")
        .expect("it is due");
    turn.read().await.expect("nobody is at it");
    turn.start().await.expect("nothing is in its way");
    assert_eq!(w.alpha.tick().await.well, 0, "its parent has not ended");
    turn.end(if well { Ok(()) } else { Err("no such file") })
        .await
        .expect("nothing is in its way");
    w.alpha.tick().await;
    0
}

async fn our_child_later(w: &World) -> i32 {
    let python = w.python().await;
    let parent = Job::hourly(PARENT);
    let late = "UPDATE crontabber SET revision = revision + 1, next_run = now() - interval '5 min', slot = now() - interval '5 min' WHERE app_name = 'p'";
    w.database.execute(late).await;
    let code = python.pass(&[parent], async |_| Ok(())).await;
    let later = "UPDATE crontabber SET revision = revision + 1, next_run = clock_timestamp() WHERE app_name = 'it'";
    w.database.execute(later).await;
    w.alpha.tick().await;
    code
}
