//! Lines that run jobs.

use std::{fs, time::Duration};

use super::{
    common::{locked::lock, race::make_due, until},
    old::{Old, assert_ended, assert_silent},
};

const SOON: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_pass_is_0_though_a_job_has_failed() {
    let old = Old::jobs(&[("well", "true"), ("bad", "echo no more paper; exit 9")]).await;
    let pass = old.run(&[]).await;
    assert_ended(&pass, 0, "exit 9: no more paper");
    assert_eq!(pass.stdout, "");
    let mut ran = old.ran();
    ran.sort();
    assert_eq!(ran, ["bad", "well"]);
    // The new command has another opinion of the same.
    make_due(&old.database, "bad").await;
    assert_ended(&old.site.on("alpha", &["tick"]).run().await, 1, "exit 9");
    // Nothing is due any more.
    assert_silent(&old.run(&[]).await, 0);
    assert_eq!(old.ran().len(), 3);
}

#[tokio::test]
async fn force_means_nothing_without_a_job_and_is_told_so() {
    let old = Old::jobs(&[("well", "true")]).await;
    assert_silent(&old.run(&[]).await, 0);
    assert_ended(
        &old.run(&["--force"]).await,
        0,
        "--force means nothing without --job",
    );
    assert_eq!(old.ran().len(), 1);
}

#[tokio::test]
async fn a_row_that_somebody_holds_is_2() {
    let old = Old::jobs(&[("it", "true")]).await;
    assert_silent(&old.run(&[]).await, 0);
    make_due(&old.database, "it").await;
    let _session = lock(&old.database, "it").await;
    for line in [&[][..], &["--job=it"], &["-j", "it", "--force"]] {
        assert_ended(&old.run(line).await, 2, "");
    }
    assert_eq!(old.ran().len(), 1);
}

#[tokio::test]
async fn a_job_that_is_going_on_elsewhere_is_3() {
    let old = Old::with(|site| {
        let end = site.file("end");
        let wait = format!("until [ -e '{}' ]; do sleep 0.02; done", end.display());
        site.job("it", "every = \"1s\"\nstart = \"now\"", &wait)
    })
    .await;
    let busy = old.on("beta", &[]).spawn();
    until(SOON, "it runs", async || old.ran().len() == 1).await;
    assert_ended(&old.run(&[]).await, 3, "");
    for line in [&["--job=it"][..], &["-fj", "it"]] {
        assert_ended(
            &old.run(line).await,
            3,
            "not run: it is running on beta since",
        );
    }
    fs::write(old.site.file("end"), "").unwrap();
    assert_ended(&busy.finished().await, 0, "");
    assert_eq!(old.ran().len(), 1);
}

#[tokio::test]
async fn a_job_that_is_asked_for_runs_if_it_is_due_and_is_0_however_it_ends() {
    let old = Old::jobs(&[
        ("well", "echo done"),
        ("bad", "exit 9"),
        ("slow", "sleep 60"),
    ])
    .await;
    // Rows are made when a host first looks: everything is due by then.
    let well = old.run(&["--job=well"]).await;
    assert_silent(&well, 0);
    assert_eq!(well.stdout, "done\n");
    assert_ended(&old.run(&["--job", "bad"]).await, 0, "bad: failure: exit 9");
    assert_ended(&old.run(&["-j", "slow"]).await, 0, "slow: timeout");
    assert_eq!(old.ran(), ["well", "bad", "slow"]);
}

#[tokio::test]
async fn a_job_that_is_not_due_is_0_in_silence_unless_somebody_asks() {
    let old = Old::with(|site| {
        site.job("it", "every = \"1h\"", "true")
            + &site.job(
                "child",
                "every = \"1h\"\nstart = \"now\"\ndepends_on = [\"it\"]",
                "true",
            )
    })
    .await;
    for name in ["it", "child"] {
        let job = format!("--job={name}");
        assert_silent(&old.run(&[&job]).await, 0);
        let asked = old.on("alpha", &[&job]).env("RUST_LOG", "info").run().await;
        assert_ended(&asked, 0, &format!("not run: {name} is "));
    }
    assert!(old.ran().is_empty());
    for name in ["it", "child"] {
        assert_silent(&old.run(&["-j", name, "-f"]).await, 0);
    }
    assert_eq!(old.ran(), ["it", "child"]);
}

#[tokio::test]
async fn a_job_that_is_not_there_is_1_as_an_exception_was() {
    let old = Old::jobs(&[("report", "true")]).await;
    for line in ["--job=reprot", "-jreprot", "--reset-job=reprot"] {
        assert_ended(
            &old.run(&[line]).await,
            1,
            "JobNotFoundError: no job named `reprot`; did you mean `report`?",
        );
    }
    assert!(old.ran().is_empty());
}

#[tokio::test]
async fn a_reset_forgets_the_failures_and_keeps_the_row_and_its_history() {
    let old = Old::jobs(&[("it", "exit 9")]).await;
    let none = old.run(&["--reset-job=it"]).await;
    assert_ended(&none, 0, "App already reset\n");
    assert_eq!(none.stdout, "");

    assert_ended(&old.run(&[]).await, 0, "exit 9");
    let state = "SELECT error_count, fence, last_error::text, next_run > now() + interval '50 minutes' FROM crontabber";
    let before = old.database.rows(state).await.concat();
    assert_eq!((before[0].as_str(), before[3].as_str()), ("1", "f"));
    let reset = old.run(&["-r", "it"]).await;
    assert_ended(&reset, 0, "App reset\n");
    assert!(
        reset
            .stdout
            .starts_with("reset\tit\tits error is forgotten"),
        "{reset:?}"
    );
    let after = old.database.rows(state).await.concat();
    assert_eq!(after, ["0", before[1].as_str(), "{}", "t"]);
    let history = "SELECT count(*) FROM crontabber_log WHERE outcome = 'failure'";
    assert_eq!(old.database.query_one::<i64>(history).await, 1);
    // Of who has changed something there is a line.
    let audit = "SELECT count(*) FROM crontabber_audit WHERE what = 'reset' AND app_name = 'it'";
    assert_eq!(old.database.query_one::<i64>(audit).await, 1);
    assert_silent(&old.run(&["--job=it"]).await, 0);
    assert_eq!(old.ran().len(), 1);
}

#[tokio::test]
async fn a_job_that_is_running_is_not_reset() {
    let old = Old::with(|site| {
        let end = site.file("end");
        let wait = format!("until [ -e '{}' ]; do sleep 0.02; done", end.display());
        site.job("it", "every = \"1h\"\nstart = \"now\"", &wait)
            + "[jobs.theirs]\nevery = \"1h\"\nshell = \"true\"\n"
    })
    .await;
    let busy = old.on("beta", &[]).spawn();
    until(SOON, "it runs", async || old.ran().len() == 1).await;
    let live = "SELECT run_id::text || fence || ongoing FROM crontabber WHERE app_name = 'it'";
    let before = old.database.query_one::<String>(live).await;
    let refused = old.run(&["--reset-job=it"]).await;
    assert_ended(&refused, 1, "not reset: it is running on beta");
    assert_ended(&refused, 1, "crontabber cancel it");
    assert_eq!(refused.stdout, "");
    assert_eq!(old.database.query_one::<String>(live).await, before);
    fs::write(old.site.file("end"), "").unwrap();
    assert_ended(&busy.finished().await, 0, "");

    // A Python host's run: it has no lease, and whether it is dead only people know.
    old.database
        .execute("UPDATE crontabber SET revision = revision + 1, ongoing = now() WHERE app_name = 'theirs'")
        .await;
    let refused = old.run(&["--reset-job=theirs"]).await;
    assert_ended(&refused, 1, "crontabber reset theirs --clear-ongoing");
}
