//! What the program says with its exit code, each of them produced by the real thing. (70, a bug, is planted in
//! `planted.rs`.)

mod common;

use std::{fs, path::Path, time::Duration};

use common::{
    Crontabber, Finished, Postgres, Private, Running, Site, left_over, locked::lock,
    race::make_due, until,
};
use nix::sys::signal::Signal::{SIGINT, SIGTERM};

const SOON: Duration = Duration::from_secs(20);

/// A site with a fresh database and these jobs, which have rows.
async fn site(jobs: impl FnOnce(&Site) -> String) -> (common::Database, Site) {
    let database = Postgres::database().await;
    let site = Site::with(&database, jobs);
    let made = site.on("alpha", &["tick"]).run().await;
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    (database, site)
}

/// One job `it` that does this.
async fn one(shell: &str) -> (common::Database, Site) {
    site(|site| site.job("it", "every = \"1h\"\ntimeout = \"1s\"", shell)).await
}

fn assert_ended(finished: &Finished, code: i32, says: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(finished.stderr.contains(says), "{finished:?}");
}

#[tokio::test]
async fn well_is_0_and_silent_and_so_is_nothing_to_do() {
    let (database, site) = one("true").await;
    for _ in 0..2 {
        let pass = site.on("alpha", &["tick"]).run().await;
        assert_eq!(
            (pass.code, pass.stdout.as_str(), pass.stderr.as_str()),
            (Some(0), "", "")
        );
    }
    make_due(&database, "it").await;
    assert_ended(&site.on("alpha", &["run", "it"]).run().await, 0, "");
    assert_ended(
        &site.on("alpha", &["run", "it", "--force"]).run().await,
        0,
        "",
    );
    assert_eq!(site.ledger().starts().len(), 2);
}

#[tokio::test]
async fn a_failed_job_is_1() {
    let (database, site) = one("exit 9").await;
    make_due(&database, "it").await;
    assert_ended(&site.on("alpha", &["tick"]).run().await, 1, "exit 9");
    assert_ended(
        &site.on("alpha", &["run", "it", "--force"]).run().await,
        1,
        "exit 9",
    );
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_2() {
    let (database, site) = one("true").await;
    make_due(&database, "it").await;
    let _session = lock(&database, "it").await;
    for arguments in [&["tick"][..], &["run", "it"], &["run", "it", "--force"]] {
        assert_ended(&site.on("alpha", arguments).run().await, 2, "");
    }
    assert!(site.ledger().starts().is_empty());
}

#[tokio::test]
async fn a_job_that_is_going_on_elsewhere_is_3_if_it_is_due_again_and_otherwise_no_news() {
    let wait = |site: &Site| {
        format!(
            "until [ -e '{}' ]; do sleep 0.02; done",
            site.file("end").display()
        )
    };
    let (database, site) = site(|site| site.job("it", "every = \"1s\"", &wait(site))).await;
    make_due(&database, "it").await;
    let busy = site.on("alpha", &["tick"]).spawn();
    until(SOON, "it runs", async || site.ledger().starts().len() == 1).await;
    for arguments in [&["tick"][..], &["run", "it"], &["run", "it", "--force"]] {
        assert_ended(&site.on("beta", arguments).run().await, 3, "");
    }
    fs::write(site.file("end"), "").unwrap();
    assert_ended(&busy.finished().await, 0, "");
    assert_eq!(site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn run_says_4_for_what_is_not_due_blocked_or_paused() {
    let (database, site) = site(|site| {
        site.job("it", "every = \"1h\"", "true")
            + &site.job("child", "every = \"1h\"\ndepends_on = [\"it\"]", "true")
    })
    .await;
    assert_ended(
        &site.on("alpha", &["run", "it"]).run().await,
        4,
        "is not due before",
    );
    make_due(&database, "child").await;
    assert_ended(
        &site.on("alpha", &["run", "child"]).run().await,
        4,
        "blocked",
    );
    database
        .execute(
            "UPDATE crontabber SET paused_until = now() + interval '1 hour' WHERE app_name = 'it'",
        )
        .await;
    assert_ended(&site.on("alpha", &["run", "it"]).run().await, 4, "paused");
    assert!(site.ledger().starts().is_empty());
}

#[tokio::test]
async fn run_says_5_for_a_run_that_has_had_its_time_and_a_pass_says_1() {
    let (database, site) = one("sleep 60").await;
    assert_ended(
        &site.on("alpha", &["run", "it", "--force"]).run().await,
        5,
        "timeout",
    );
    make_due(&database, "it").await;
    assert_ended(&site.on("alpha", &["tick"]).run().await, 1, "timeout");
}

#[tokio::test]
async fn a_wrong_command_line_is_64() {
    let (_database, site) = one("true").await;
    for arguments in [
        &["tock"][..],
        &["tick", "--fast"],
        &["run"],
        &["run", "ti"],
        &[],
    ] {
        assert_ended(&site.on("alpha", arguments).run().await, 64, "");
    }
    assert_ended(
        &site.on("alpha", &["run", "itt"]).run().await,
        64,
        "did you mean `it`?",
    );
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_69() {
    let site = Site::new();
    site.configure(
        "postgresql:///nobody?host=/nowhere&connect_timeout=2",
        &site.job("it", "every = \"1h\"", "true"),
    );
    for arguments in [
        &["tick"][..],
        &["tick", "--dry-run"],
        &["run", "it"],
        &["migrate"],
    ] {
        assert_ended(
            &site.on("alpha", arguments).run().await,
            69,
            "is PostgreSQL running there?",
        );
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_74() {
    let (_database, site) = one("echo an answer").await;
    for arguments in [
        &["config", "show"][..],
        &["graph"],
        &["run", "it", "--force"],
        &["migrate"],
        &["tick", "--dry-run"],
    ] {
        assert_ended(
            &into("/dev/full", site.on("alpha", arguments)).run().await,
            74,
            "No space left",
        );
    }
}

/// The same with its answer going to this file.
fn into(file: &str, command: Crontabber) -> Crontabber {
    command.behind_shell(&format!("exec \"$@\" > {file}"))
}

#[tokio::test]
async fn a_role_that_may_not_is_77() {
    let private = Private::new();
    let database = private.database().await;
    let owner = Site::with(&database, |site| site.job("it", "every = \"1h\"", "true"));
    database.execute("CREATE ROLE stranger LOGIN").await;
    let stranger = database.url().replace("user=crontabber", "user=stranger");
    assert_ne!(stranger, database.url());
    let site = Site::new();
    site.configure(&stranger, &site.job("it", "every = \"1h\"", "true"));
    let commands = [&["tick"][..], &["run", "it", "--force"]];

    // There are no tables, and it may not make them (PostgreSQL 15 and later); then it may not look at them.
    if database
        .query_one::<bool>("SELECT current_setting('server_version_num')::int >= 150000")
        .await
    {
        assert_ended(
            &site.on("alpha", &["tick"]).run().await,
            77,
            "SQLSTATE 42501",
        );
    }
    assert_ended(&owner.on("alpha", &["tick"]).run().await, 0, "");
    for arguments in commands {
        assert_ended(
            &site.on("alpha", arguments).run().await,
            77,
            "SQLSTATE 42501",
        );
    }
    // Then it may look, and not claim.
    database
        .execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger")
        .await;
    database
        .execute("GRANT ALL ON crontabber_host TO stranger")
        .await;
    make_due(&database, "it").await;
    for arguments in commands {
        assert_ended(
            &site.on("alpha", arguments).run().await,
            77,
            "SQLSTATE 42501",
        );
    }
    assert!(site.ledger().starts().is_empty());
}

#[tokio::test]
async fn a_configuration_that_does_not_fit_is_78() {
    let site = Site::new();
    let tick = async || site.on("alpha", &["tick"]).run().await;
    assert_ended(&tick().await, 78, "crontabber.toml");
    fs::write(
        site.file("crontabber.toml"),
        "[jobs.it]\nevery = \"1h\"\nshell = \"true\"\n",
    )
    .unwrap();
    assert_ended(&tick().await, 78, "database");
    fs::write(
        site.file("crontabber.toml"),
        "[jobs.it]\nevrey = \"1h\"\nshell = \"true\"\n",
    )
    .unwrap();
    assert_ended(&tick().await, 78, "every");
}

/// A pass that runs a job until it is told to end with this code, and the marker of the run's processes.
async fn running(site: &Site) -> (Running, String) {
    let pass = site.on("alpha", &["tick"]).spawn();
    until(SOON, "it runs", async || !site.ledger().starts().is_empty()).await;
    (
        pass,
        format!("CRONTABBER_RUN_ID={}", site.ledger().starts()[0].run_id),
    )
}

fn until_told(end: &Path) -> String {
    format!(
        "trap '' TERM; until [ -e '{0}' ]; do sleep 0.02; done; exit $(cat '{0}')",
        end.display()
    )
}

async fn endless() -> (common::Database, Site) {
    let (database, site) = site(|site| {
        site.job(
            "it",
            "every = \"1h\"\nlease = \"6s\"",
            &until_told(&site.file("end")),
        )
    })
    .await;
    make_due(&database, "it").await;
    (database, site)
}

#[tokio::test]
async fn after_one_signal_a_pass_lets_its_run_end_and_says_how_it_went() {
    for (signal, code) in [(SIGTERM, 0), (SIGINT, 0), (SIGTERM, 1)] {
        let (database, site) = endless().await;
        let (pass, _) = running(&site).await;
        pass.signal(signal);
        // Asked to stop, it takes nothing new; what it runs goes on.
        make_sure_it_has_heard(&pass).await;
        fs::write(site.file("end.new"), code.to_string()).unwrap();
        fs::rename(site.file("end.new"), site.file("end")).unwrap();
        assert_ended(&pass.finished().await, code, "");
        let outcome: String = database
            .query_one("SELECT outcome FROM crontabber_log")
            .await;
        assert_eq!(outcome, if code == 0 { "success" } else { "failure" });
    }
}

#[tokio::test]
async fn a_second_signal_kills_the_run_and_is_130_or_143() {
    for (signal, code) in [(SIGINT, 130), (SIGTERM, 143)] {
        let (database, site) = endless().await;
        let (pass, marker) = running(&site).await;
        pass.signal(signal);
        make_sure_it_has_heard(&pass).await;
        pass.signal(signal);
        assert_ended(&pass.finished().await, code, "");
        assert!(left_over(&marker).is_empty());
        let lost = "SELECT bool_and(outcome = 'lost') FROM crontabber_log";
        assert!(database.query_one::<bool>(lost).await);
    }
}

#[tokio::test]
async fn a_run_by_hand_that_is_asked_to_stop_gets_the_time_of_a_drain_and_no_more() {
    let (database, site) = site(|site| {
        let endless = until_told(&site.file("end"));
        "[daemon]\ntick_drain = \"1s\"\n".to_owned()
            + &site.job("it", "every = \"1h\"\nlease = \"6s\"", &endless)
    })
    .await;
    make_due(&database, "it").await;
    let run = site.on("alpha", &["run", "it"]).spawn();
    until(SOON, "it runs", async || !site.ledger().starts().is_empty()).await;
    run.signal(SIGTERM);
    assert_ended(&run.finished().await, 1, "its host was told to stop");
    let lost = "SELECT bool_and(outcome = 'lost') FROM crontabber_log";
    assert!(database.query_one::<bool>(lost).await);
}

/// Two signals of one kind before the first is taken are one.
async fn make_sure_it_has_heard(pass: &Running) {
    until(SOON, "the signal is taken", async || {
        !pass.has_pending(&[SIGINT, SIGTERM])
    })
    .await;
}
