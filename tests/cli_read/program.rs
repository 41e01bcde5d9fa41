//! The real program against real databases.

use serde_json::Value;

use super::host::{Host, JOBS};

/// Every reading command, for what must hold of all of them.
const READING: [&[&str]; 10] = [
    &["list"],
    &["list", "--json"],
    &["ongoing"],
    &["show", "fetch"],
    &["why", "fetch"],
    &["history"],
    &["logs", "fetch"],
    &["hosts"],
    &["hosts", "--json"],
    &["tick", "--dry-run"],
];

#[tokio::test]
async fn an_empty_database_is_told_what_to_do() {
    let host = Host::without_tables(JOBS).await;
    for arguments in READING {
        let finished = host.run(arguments).await;
        assert_eq!(
            finished.code,
            Some(78),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert_eq!(finished.stdout, "");
        assert!(
            finished
                .stderr
                .contains("no tables of crontabber yet: `crontabber migrate` makes them"),
            "{}",
            finished.stderr
        );
    }
}

#[tokio::test]
async fn tables_of_crontabber_0_18_are_told_apart_from_none() {
    let host = Host::without_tables(JOBS).await;
    host.database
        .execute("CREATE TABLE crontabber (app_name text)")
        .await;
    let finished = host.run(&["list"]).await;
    assert_eq!(finished.code, Some(78));
    assert!(
        finished
            .stderr
            .contains("the tables of crontabber 0.18 or older"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn reading_writes_nothing() {
    let host = Host::new(JOBS).await;
    let none = host.contents().await;
    // There is no run yet whose output could be asked for.
    for arguments in READING
        .into_iter()
        .filter(|arguments| arguments[0] != "logs")
    {
        host.read(arguments).await;
    }
    assert_eq!(
        host.contents().await,
        none,
        "jobs that no row knows were adopted, or the host announced"
    );
    host.run(&["tick"]).await;
    let before = host.contents().await;
    for arguments in READING {
        host.read(arguments).await;
    }
    assert_eq!(host.contents().await, before);
}

#[tokio::test]
async fn jobs_that_no_row_knows_have_never_run() {
    let host = Host::new(JOBS).await;
    assert_eq!(
        host.column(&["list"], 0).await,
        ["archive", "fetch", "mail", "index", "report"]
    );
    assert_eq!(host.column(&["list"], 1).await, ["never_run"; 5]);
    assert_eq!(host.read(&["ongoing"]).await, "");
    assert_eq!(host.read(&["history"]).await, "");
    let logs = host.run(&["logs", "fetch"]).await;
    assert_eq!(
        (logs.code, logs.stderr.as_str()),
        (Some(64), "error: `fetch` has never run\n")
    );
}

#[tokio::test]
async fn each_state_is_read_off_the_table() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    let states = async || host.column(&["list"], 1).await;
    // No host that may run `archive` has ever passed; then there is one, and it has not come to it yet.
    assert_eq!(
        states().await,
        ["blocked", "ok", "retrying", "ok", "blocked"]
    );
    host.database
        .execute(
            "INSERT INTO crontabber_host (host, boot_id, pid_namespace, version, configuration, seen_at)
             VALUES ('db1', '', '', '', '', now())",
        )
        .await;
    assert_eq!(states().await, ["due", "ok", "retrying", "ok", "blocked"]);
    let set = async |job: &str, what: &str| {
        let sql = format!(
            "UPDATE crontabber SET revision = revision + 1, {what} WHERE app_name = '{job}'"
        );
        host.database.execute(&sql).await;
    };
    set(
        "archive",
        "next_run = now() - interval '1 day', slot = now() - interval '1 day'",
    )
    .await;
    set("fetch", "ongoing = now() - interval '1 minute'").await;
    set(
        "mail",
        "next_run = now() + interval '1 hour', slot = now() + interval '1 hour'",
    )
    .await;
    set(
        "index",
        "paused_until = '9999-01-01 00:00+00', paused_by = 'on_lost', pause_reason = 'lost'",
    )
    .await;
    set(
        "report",
        "paused_until = now() + interval '1 hour', paused_by = 'anna'",
    )
    .await;
    host.database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('aaa', now())")
        .await;
    assert_eq!(
        states().await,
        ["overdue", "ongoing", "failing", "held", "paused", "ghost"]
    );
    assert_eq!(
        host.column(&["list", "--state", "held,ghost"], 0).await,
        ["index", "aaa"]
    );
    assert_eq!(
        host.column(&["list", "*e*"], 0).await,
        ["archive", "fetch", "index", "report"]
    );

    let why = async |job: &str| {
        host.read(&["why", job])
            .await
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(
        why("archive").await,
        "archive is due, and the next pass of db1 starts it; this host may not."
    );
    assert!(
        why("fetch")
            .await
            .starts_with("fetch is running on a Python host since 20")
    );
    assert!(
        why("mail")
            .await
            .starts_with("mail is not running because its last run failed; it runs again 20")
    );
    assert_eq!(
        why("index").await,
        "index is not running because it waits for a person: held after a lost run: lost."
    );
    assert!(
        why("report")
            .await
            .starts_with("report is not running because it is paused by anna until 20")
    );
    assert!(
        why("aaa")
            .await
            .starts_with("aaa is a row that no job of this configuration has")
    );
    assert!(
        host.read(&["show", "aaa"])
            .await
            .starts_with("aaa\nstate\tghost: ")
    );
    assert_eq!(host.json(&["show", "aaa"]).await["definition"], Value::Null);
    assert_eq!(host.read(&["history", "aaa"]).await, "");
}

#[tokio::test]
async fn an_unknown_name_is_told_the_nearest() {
    let host = Host::new(JOBS).await;
    host.database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('beta', now())")
        .await;
    for (arguments, message) in [
        (
            ["why", "fetc"],
            "no job named `fetc`; did you mean `fetch`?",
        ),
        (
            ["show", "bete"],
            "no job named `bete`; did you mean `beta`?",
        ),
        (
            ["list", "zzzzzz"],
            "no job named `zzzzzz`; `crontabber list` shows those there are",
        ),
        (
            ["history", "ma\u{1b}l"],
            "no job named `ma\\u{1b}l`; did you mean `mail`?",
        ),
        (
            ["logs", "feed"],
            "no job or run named `feed`; `crontabber list` shows those there are",
        ),
    ] {
        let finished = host.run(&arguments).await;
        assert_eq!(
            (finished.code, finished.stderr),
            (Some(64), format!("error: {message}\n"))
        );
    }
}

#[tokio::test]
async fn what_a_run_printed_is_the_answer_and_whose_it_is_a_remark() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    let logs = host.run(&["logs", "fetch"]).await;
    assert_eq!(
        (logs.code, logs.stdout.as_str()),
        (Some(0), "one\ntwo\nthree\n")
    );
    assert!(
        logs.stderr
            .starts_with("fetch: success on web1, started 20"),
        "{}",
        logs.stderr
    );
    let newest = host.json(&["history", "fetch"]).await;
    let id = newest[0]["run_id"]
        .as_str()
        .expect("a run has an id")
        .to_owned();
    assert_eq!(host.read(&["logs", &id]).await, "one\ntwo\nthree\n");
    assert_eq!(host.read(&["logs", &id[..9]]).await, "one\ntwo\nthree\n");

    // Two runs whose ids begin alike; the first digits of a third are nobody's.
    host.database
        .execute(
            "INSERT INTO crontabber_log (app_name, run_id, outcome, output) VALUES
             ('fetch', '00000000-0000-4000-8000-000000000001', 'success', 'a'),
             ('fetch', '00000000-0000-4000-8000-000000000002', 'lost', NULL)",
        )
        .await;
    let logs = host.run(&["logs", "00000000-0000-4"]).await;
    assert_eq!(logs.code, Some(64));
    let candidates = "type more of it:\n  00000000-0000-4000-8000-000000000002  fetch\n  00000000-0000-4000-8000-000000000001  fetch\n";
    assert!(logs.stderr.ends_with(candidates), "{}", logs.stderr);
    let logs = host.run(&["logs", "fetch"]).await;
    assert_eq!(logs.stdout, "");
    assert!(
        logs.stderr
            .ends_with("its host was lost, and its output with it\n"),
        "{}",
        logs.stderr
    );
}

#[tokio::test]
async fn history_is_newest_first_and_knows_the_runs_of_python_hosts() {
    let host = Host::new(JOBS).await;
    host.database
        .execute(
            "INSERT INTO crontabber_log (app_name, log_time, duration, success, exc_type, exc_value, exc_traceback) VALUES
             ('old', '2020-01-01 00:01+00', '1 minute', '2020-01-01 00:00+00', NULL, NULL, NULL),
             ('old', '2020-01-02 00:00+00', '2 seconds', NULL, 'ValueError', 'no such feed', 'Traceback')",
        )
        .await;
    host.run(&["tick"]).await;
    let column = async |arguments: &[&str], column| host.column(arguments, column).await;
    assert_eq!(
        column(&["history"], 1).await.last_chunk(),
        Some(&["old".to_owned(), "old".to_owned()])
    );
    assert_eq!(column(&["history", "--failed"], 1).await, ["mail", "old"]);
    assert_eq!(column(&["history", "-n", "1"], 1).await.len(), 1);
    assert_eq!(
        host.read(&["history", "old"]).await,
        "\told\t2020-01-01T23:59:58Z\t2.000\t\tfailure\t\tpython\tno such feed\t\n\
         \told\t2020-01-01T00:00:00Z\t60.000\t\tsuccess\t\tpython\t\t\n"
    );
}

#[tokio::test]
async fn only_commands_that_there_are_are_advised() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    let pause = "UPDATE crontabber SET revision = revision + 1, paused_until = '9999-01-01' WHERE app_name = 'fetch'";
    host.database.execute(pause).await;
    let advised = async |job: &str| {
        let why = host.json(&["why", job]).await;
        let commands = why["commands"].as_array().expect("an array").iter();
        commands
            .map(|next| next["command"].as_str().expect("a text").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        advised("report").await,
        ["crontabber logs mail", "crontabber run report --force"]
    );
    for command in [advised("report").await, advised("fetch").await].concat() {
        let verb = command.split(' ').nth(1).expect("a verb");
        assert_eq!(host.run(&[verb, "--help"]).await.code, Some(0), "{command}");
    }
}
