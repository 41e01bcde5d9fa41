//! Who waits for which row.

use crontabber::spec::JobSpec;

use crate::{
    common::{
        Postgres,
        host::{after, crontab, job, minutes, noon},
    },
    world::{Scene, hosts, on_each, ran},
};

fn feeds() -> JobSpec {
    on_each(job("feeds", "true"), &["web*"])
}

fn started_by_parents(job: JobSpec) -> JobSpec {
    JobSpec {
        timetable: None,
        ..job
    }
}

#[test]
fn on_each_host_a_child_waits_for_the_parent_of_the_same_host() {
    let child = on_each(after(job("report", "true"), &["feeds"]), &["web*"]);
    let scene = Scene::of(&[feeds(), child])
        .row("feeds@web1", 60, Some(0))
        .row("feeds@web2", 0, Some(-60))
        .fails("feeds@web2", 2)
        .row("report@web1", 0, None)
        .row("report@web2", 0, None);
    assert_eq!(scene.words("web1", "report@web1"), "run");
    assert_eq!(scene.words("web2", "report@web2"), "feeds@web2 is failing");
    // Everybody says the same of the row of another.
    assert_eq!(scene.words("web1", "report@web2"), "feeds@web2 is failing");
}

#[test]
fn on_each_host_a_child_waits_for_the_one_row_of_a_parent_that_runs_once() {
    let child = on_each(after(job("report", "true"), &["fetch"]), &[]);
    let scene = Scene::of(&[job("fetch", "true"), child])
        .row("fetch", 0, Some(-60))
        .row("report@web1", 0, None);
    assert_eq!(
        scene.words("web1", "report@web1"),
        "fetch has not run its slot yet"
    );
    let scene = scene.row("fetch", 60, Some(0));
    assert_eq!(scene.words("web1", "report@web1"), "run");
}

#[test]
fn a_child_that_runs_once_waits_for_every_live_host() {
    let scene = || {
        Scene::of(&[feeds(), after(job("report", "true"), &["feeds"])])
            .row("feeds@web1", 60, Some(0))
            .row("feeds@web2", 0, Some(-60))
            .row("report", 0, None)
            .host("db1", 0)
            .host("web1", 0)
    };
    let live = scene().host("web2", 5);
    assert_eq!(
        live.words("db1", "report"),
        "feeds@web2 has not run its slot yet"
    );
    // One that has been silent for long is not waited for, nor one that has been forgotten.
    let silent = scene().host("web2", 16);
    assert_eq!(silent.words("db1", "report"), "run");
    let drained = scene().host("web2", 0).drained();
    assert_eq!(drained.words("db1", "report"), "run");
    assert_eq!(scene().words("db1", "report"), "run");
    assert_eq!(scene().ghosts("db1"), ["feeds@web2"]);
    let done = live.row("feeds@web2", 60, Some(0));
    assert_eq!(done.words("db1", "report"), "run");
}

#[test]
fn a_drained_host_is_not_waited_for_and_its_row_says_so() {
    let scene = Scene::of(&[feeds(), after(job("report", "true"), &["feeds"])])
        .row("feeds@web1", 60, Some(0))
        .row("feeds@web2", 0, Some(-60))
        .row("report", 0, None)
        .host("web1", 0)
        .host("web2", 0)
        .drains("web2");
    assert_eq!(scene.words("web1", "report"), "run");
    assert_eq!(
        scene.words("web1", "feeds@web2"),
        "no live host for this row: web2 is drained"
    );
}

#[test]
fn a_child_that_runs_once_never_runs_where_no_live_host_has_run_its_parent() {
    let scene = Scene::of(&[feeds(), after(job("report", "true"), &["feeds"])])
        .row("feeds@web1", 60, Some(0))
        .row("report", 0, None)
        .host("db1", 0)
        .host("web1", 16);
    let why = "feeds@* has no row of a live host";
    assert_eq!(scene.words("db1", "report"), why);
    let nobody = Scene::of(&[feeds(), after(job("report", "true"), &["feeds"])])
        .row("report", 0, None)
        .host("db1", 0);
    assert_eq!(nobody.words("db1", "report"), why);
}

#[test]
fn a_host_that_has_just_come_keeps_no_child_waiting() {
    let scene = |child: JobSpec| {
        Scene::of(&[feeds(), child])
            .row("feeds@web1", 60, Some(0))
            // Its first slot lies ahead.
            .row("feeds@web2", 30, None)
            .host("web1", 0)
            .host("web2", 0)
    };
    let report = after(job("report", "true"), &["feeds"]);
    let scheduled = scene(report.clone()).row("report", 0, None);
    assert_eq!(scheduled.words("web1", "report"), "run");
    let by_parents = scene(started_by_parents(report)).handled("report", -60);
    assert_eq!(by_parents.words("web1", "report"), "run");
    // Once that has come it is waited for.
    let due = scheduled.row("feeds@web2", -1, None);
    assert_eq!(
        due.words("web1", "report"),
        "feeds@web2 has never succeeded"
    );
}

#[test]
fn a_child_without_a_schedule_runs_when_every_live_host_has_succeeded_anew() {
    let report = started_by_parents(after(job("report", "true"), &["feeds"]));
    let scene = Scene::of(&[feeds(), report])
        .row("feeds@web1", 60, Some(0))
        .row("feeds@web2", 0, Some(-60))
        .handled("report", -60)
        .host("web1", 0)
        .host("web2", 0);
    assert_eq!(scene.words("web1", "report"), "AfterParents");
    let scene = scene.row("feeds@web2", 60, Some(0));
    assert_eq!(scene.words("web1", "report"), "run");
}

#[test]
fn through_a_parent_without_a_schedule_the_slots_of_the_same_host_count() {
    let middle = started_by_parents(on_each(after(job("middle", "true"), &["feeds"]), &["web*"]));
    let report = on_each(after(job("report", "true"), &["middle"]), &["web*"]);
    let scene = Scene::of(&[feeds(), middle, report])
        .row("feeds@web1", 60, Some(0))
        .row("feeds@web2", 120, Some(60))
        .row("middle@web1", 0, Some(0))
        .row("middle@web2", 0, Some(-60))
        .row("report@web1", 0, None)
        .row("report@web2", 0, None);
    assert_eq!(scene.words("web1", "report@web1"), "run");
    assert!(
        scene
            .words("web2", "report@web2")
            .starts_with("middle@web2")
    );
}

#[tokio::test]
async fn the_last_host_to_finish_lets_the_child_run_and_once() {
    let database = Postgres::database().await;
    let jobs = [
        feeds(),
        started_by_parents(after(job("report", "true"), &["feeds"])),
    ];
    let [web1, web2, db1] = hosts(["web1", "web2", "db1"], &database, &jobs);
    for host in [&web1, &web2, &db1] {
        host.at(noon()).tick().await;
    }
    // web1 was alone when it came, so that the child ran for it, and then for both.
    let first = ["feeds@web1 on web1", "report on web1", "feeds@web2 on web2"];
    assert_eq!(ran(&database).await, first);
    let later = noon() + minutes(60);
    for host in [&web1, &web2, &db1] {
        host.at(later - minutes(10)).tick().await;
    }
    web1.at(later).tick().await;
    db1.at(later).tick().await;
    assert_eq!(ran(&database).await[3..], ["feeds@web1 on web1"]);
    web2.at(later).tick().await;
    db1.at(later).tick().await;
    assert_eq!(
        ran(&database).await[4..],
        ["feeds@web2 on web2", "report on web2"]
    );
    // web2 falls silent: the next round is web1's alone.
    for ago in [20, 10, 0] {
        web1.at(noon() + minutes(120 - ago)).tick().await;
    }
    assert_eq!(
        ran(&database).await[6..],
        ["feeds@web1 on web1", "report on web1"]
    );
}

#[tokio::test]
async fn a_child_that_is_met_later_has_handled_what_the_hosts_did_before() {
    let database = Postgres::database().await;
    let nightly = |spec: JobSpec| JobSpec {
        timetable: Some(crontab("0 * * * *")),
        ..spec
    };
    let alone = [nightly(feeds())];
    let with_child = [
        nightly(feeds()),
        started_by_parents(after(job("report", "true"), &["feeds"])),
        started_by_parents(on_each(after(job("tidy", "true"), &["feeds"]), &["web*"])),
    ];
    for host in hosts(["web1", "web2"], &database, &alone) {
        host.at(noon()).tick().await;
        host.at(noon() + minutes(60)).tick().await;
    }
    let ran_before = ran(&database).await.len();
    for host in hosts(["web1", "web2"], &database, &with_child) {
        host.at(noon() + minutes(70)).tick().await;
    }
    assert_eq!(ran(&database).await.len(), ran_before);
    let waits =
        "SELECT app_name, depends_on::text FROM crontabber WHERE depends_on IS NOT NULL ORDER BY 1";
    assert_eq!(
        database.rows(waits).await,
        [
            ["report", "{feeds@*}"],
            ["tidy@web1", "{feeds@web1}"],
            ["tidy@web2", "{feeds@web2}"],
        ]
    );
}
