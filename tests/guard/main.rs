//! Hosts of crontabber 0.18.1 beside ours, interleaved step by step: with the guard nothing runs twice and no record is
//! lost; without it each of these goes wrong, or was never in danger.
//!
//! The hosts of crontabber's are re-enacted, statement by statement (`tests/common/python`). `cargo test --test guard --
//! --nocapture` prints the matrix.

#![expect(
    unreachable_pub,
    reason = "what the modules of a test share is for this test alone"
)]

mod ages;
#[path = "../common/mod.rs"]
mod common;
mod finishes;
mod firsts;
mod parents;
mod pauses;
mod resets;
mod starts;
mod world;

use futures_util::future::LocalBoxFuture;
use world::{Seen, World};

/// One interleaving: how it is called, what happens in it, and what it must lead to.
struct Scene {
    name: &'static str,
    story: &'static str,
    stage: fn(bool) -> LocalBoxFuture<'static, World>,
    play: for<'a> fn(&'a World) -> LocalBoxFuture<'a, i32>,
    /// With the guard.
    kept: Seen,
    /// Without it.
    broken: Seen,
}

impl Scene {
    fn play(&self, guarded: bool) -> LocalBoxFuture<'_, (Seen, Vec<&'static str>)> {
        Box::pin(async move {
            let world = (self.stage)(guarded).await;
            let exit = (self.play)(&world).await;
            let seen = world.seen(exit).await;
            if guarded {
                world.goes_on().await;
            }
            (seen, world.wrong.take())
        })
    }
}

/// Plays all scenes of a table with the guard and without it, prints what came of each, and holds it against the table.
async fn hold(scenes: &[Scene]) {
    let mut wrong = Vec::new();
    for scene in scenes {
        let ((kept, of_kept), (broken, of_broken)) =
            tokio::join!(scene.play(true), scene.play(false));
        println!(
            "{:4} {}\n       with    {kept}\n       without {broken}",
            scene.name, scene.story
        );
        for (how, seen, expected, notes) in [
            ("with", kept, scene.kept, of_kept),
            ("without", broken, scene.broken, of_broken),
        ] {
            let name = scene.name;
            if seen != expected {
                wrong.push(format!(
                    "{name} {how} the guard: {seen}\n   expected: {expected}"
                ));
            }
            wrong.extend(
                notes
                    .iter()
                    .map(|note| format!("{name} {how} the guard: not so: {note}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A line of a table.
const fn seen(starts: usize, exit: i32, ours: &'static str, row: &'static str) -> Seen {
    Seen {
        starts,
        exit,
        ours,
        row,
    }
}

/// The usual stage.
fn due(guarded: bool) -> LocalBoxFuture<'static, World> {
    Box::pin(World::new(guarded))
}

/// No host has met the job.
fn new(guarded: bool) -> LocalBoxFuture<'static, World> {
    Box::pin(World::of_a_new_job(guarded))
}

#[tokio::test]
async fn no_start_of_pythons_comes_beside_a_run_of_ours_or_after_it() {
    hold(starts::SCENES).await;
}

#[tokio::test]
async fn no_record_of_pythons_touches_a_run_of_ours() {
    hold(finishes::SCENES).await;
}

#[tokio::test]
async fn a_reset_takes_no_live_run_away() {
    hold(resets::SCENES).await;
}

#[tokio::test]
async fn a_pause_holds_for_python_too() {
    hold(pauses::SCENES).await;
}

#[tokio::test]
async fn a_job_that_nobody_has_met_starts_once() {
    hold(firsts::SCENES).await;
}

#[tokio::test]
async fn a_run_of_pythons_is_respected_for_twelve_hours_and_then_taken_over() {
    hold(ages::SCENES).await;
}

#[tokio::test]
async fn children_wait_for_parents_that_the_other_kind_of_host_runs() {
    hold(parents::SCENES).await;
}
