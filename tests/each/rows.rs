//! A row for each host.

use crontabber::plan::{NotHere, Verdict};

use crate::{
    common::{
        Gate, Postgres, each,
        host::{Host, crontab, job, log, minutes, next_run, noon},
    },
    world::{Scene, hosts, on_each, ran, rows},
};

#[tokio::test]
async fn each_host_that_matches_runs_it_once_a_slot_and_no_other_has_a_row() {
    let database = Postgres::database().await;
    let site = each::site(&database, |command| command).await;
    assert_eq!(rows(&database).await, ["it@web1", "it@web2", "it@web3"]);
    let gate = Gate::new(&site.file(""));
    for round in 0..4 {
        let starts = each::race(&site, &database, &gate, |command| command).await;
        assert_eq!(starts, each::each_once(), "round {round}");
    }
    let here = "SELECT bool_and(app_name = 'it@' || host) FROM crontabber_log";
    assert!(database.query_one::<bool>(here).await);
    let slots = "SELECT count(DISTINCT slot) = 5 FROM crontabber_log WHERE app_name = 'it@web1'";
    assert!(database.query_one::<bool>(slots).await);
}

#[tokio::test]
async fn one_host_that_fails_keeps_no_other_from_its_slots() {
    let database = Postgres::database().await;
    let shell = "case $CRONTABBER_JOB in *@web1) exit 1;; esac";
    let jobs = [on_each(job("it", shell), &[])];
    for host in hosts(["web1", "web2"], &database, &jobs) {
        host.at(noon()).tick().await;
        host.at(noon() + minutes(60)).tick().await;
    }
    let errors = "SELECT app_name, error_count FROM crontabber ORDER BY 1";
    assert_eq!(
        database.rows(errors).await,
        [["it@web1", "2"], ["it@web2", "0"]]
    );
    assert_eq!(
        log(&database).await,
        [
            "it@web1 0 1 failure",
            "it@web2 0 1 success",
            "it@web1 60 1 failure",
            "it@web2 60 1 success",
        ]
    );
}

#[tokio::test]
async fn a_host_that_was_away_catches_up_by_itself_and_its_log_says_what_it_missed() {
    let database = Postgres::database().await;
    let jobs = [on_each(job("it", "true"), &[])];
    let [web1, web2] = hosts(["web1", "web2"], &database, &jobs);
    for hour in [0, 60, 120, 180] {
        web1.at(noon() + minutes(hour)).tick().await;
        if hour == 0 || hour == 180 {
            web2.at(noon() + minutes(hour)).tick().await;
        }
    }
    let of_web2: Vec<String> = log(&database).await;
    let of_web2: Vec<&String> = of_web2
        .iter()
        .filter(|line| line.contains("web2"))
        .collect();
    assert_eq!(
        of_web2,
        [
            "it@web2 0 1 success",
            "it@web2 60 0 skipped coalesced x2",
            "it@web2 180 1 success",
        ]
    );
    assert_eq!(next_run(&database, "it@web2").await, 240);
}

#[tokio::test]
async fn a_run_is_told_the_name_of_its_row_and_its_fence_holds_there() {
    let database = Postgres::database().await;
    let sql = "CREATE TABLE IF NOT EXISTS told (job text, key text);
               INSERT INTO told VALUES (current_setting('crontabber.job'), current_setting('crontabber.run_key'));
               SELECT crontabber_assert_fence(current_setting('crontabber.job'), current_setting('crontabber.fence')::bigint)";
    let mut spec = on_each(job("it", ""), &[]);
    spec.kind = crontabber::spec::Kind::Sql(crontabber::spec::Sql {
        text: sql.into(),
        transaction: true,
        database: None,
    });
    for host in hosts(["web1", "web2"], &database, &[spec]) {
        let pass = host.at(noon()).tick().await;
        assert_eq!(
            (pass.well, pass.failed),
            (1, 0),
            "{:?}",
            log(&database).await
        );
    }
    assert_eq!(
        database.rows("SELECT * FROM told ORDER BY job").await,
        [
            ["it@web1", "it@web1/2031-05-05T12:00:00Z"],
            ["it@web2", "it@web2/2031-05-05T12:00:00Z"],
        ]
    );
}

#[tokio::test]
async fn a_changed_definition_moves_the_row_of_the_host_that_has_it() {
    let database = Postgres::database().await;
    let nightly = |fields| {
        let mut spec = on_each(job("it", "true"), &[]);
        spec.timetable = Some(crontab(fields));
        [spec]
    };
    let hosts = hosts(["web1", "web2"], &database, &nightly("0 3 * * *"));
    for host in &hosts {
        host.at(noon()).tick().await;
        host.at(noon() + minutes(1)).tick().await;
    }
    let [web1, _] = hosts;
    let changed = web1.with_jobs(&nightly("0 4 * * *"));
    changed.at(noon() + minutes(2)).tick().await;
    assert_eq!(
        [
            next_run(&database, "it@web1").await,
            next_run(&database, "it@web2").await
        ],
        [16 * 60, 15 * 60]
    );
}

#[tokio::test]
async fn the_jitter_of_a_job_spreads_its_hosts() {
    let mut spec = on_each(job("it", "true"), &[]);
    let mut when = crontab("0 * * * *");
    when.jitter = std::time::Duration::from_mins(30);
    spec.timetable = Some(when);
    let database = Postgres::database().await;
    for number in 0..8 {
        let host = Host::new(
            &format!("web{number}"),
            &database,
            std::slice::from_ref(&spec),
        );
        host.at(noon()).tick().await;
    }
    let starts = "SELECT count(DISTINCT next_run) > 4 AND count(DISTINCT slot) = 1 FROM crontabber";
    assert!(database.query_one::<bool>(starts).await);
}

#[test]
fn a_pass_sees_the_rows_of_others_and_runs_its_own() {
    let scene = Scene::of(&[on_each(job("it", "true"), &["web*"])])
        .row("it@web1", 0, None)
        .row("it@web2", 0, None);
    assert_eq!(scene.planned("web1"), ["it@web1", "it@web2"]);
    assert_eq!(scene.words("web1", "it@web1"), "run");
    assert_eq!(
        scene.verdict("web1", "it@web2"),
        Verdict::Elsewhere(NotHere::Placement)
    );
    assert_eq!(scene.planned("db1"), ["it@web1", "it@web2"]);
    assert_eq!(scene.planned("web0")[0], "it@web0");
    assert!(matches!(
        scene.verdict("web0", "it@web0"),
        Verdict::New(Some(_))
    ));
}

#[test]
fn who_reads_on_a_host_that_never_passes_makes_no_row_there() {
    let scene = Scene::of(&[on_each(job("it", "true"), &[])]).host("web1", 0);
    assert_eq!(scene.planned("laptop"), ["it"]);
    assert_eq!(
        scene.verdict("laptop", "it"),
        Verdict::Elsewhere(NotHere::Placement)
    );
    let scene = scene.row("it@web1", 60, None);
    assert_eq!(scene.planned("laptop"), ["it@web1"]);
}

#[tokio::test]
async fn what_ran_where_is_known_by_row_and_host() {
    let database = Postgres::database().await;
    let jobs = [on_each(job("it", "true"), &["web*"]), job("that", "true")];
    for host in hosts(["db1", "web1", "web2"], &database, &jobs) {
        host.at(noon()).tick().await;
    }
    assert_eq!(
        ran(&database).await,
        ["that on db1", "it@web1 on web1", "it@web2 on web2"]
    );
}
