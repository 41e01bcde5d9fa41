//! Which jobs are meant, who means them, and what is said in the end.

use crate::common::{Database, Finished, Postgres, Site};

use super::operator::audit;

/// Jobs of two families and one of its own, which have rows.
async fn site() -> (Database, Site) {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ["feed-a", "feed-b", "mail"]
            .map(|name| site.job(name, "every = \"1h\"", "true"))
            .concat()
    });
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    (database, site)
}

async fn paused(database: &Database) -> Vec<String> {
    let sql = "SELECT app_name FROM crontabber WHERE paused_until > now() ORDER BY 1";
    database.rows(sql).await.concat()
}

fn assert_ended(finished: &Finished, code: i32, says: &str) {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    assert!(finished.stderr.contains(says), "{finished:?}");
}

#[tokio::test]
async fn an_unknown_name_changes_nothing_and_is_told_the_nearest() {
    let (database, site) = site().await;
    for verb in [
        &["pause"][..],
        &["resume"],
        &["reset"],
        &["mark", "--success"],
        &["ghosts", "--yes", "--remove"],
    ] {
        let arguments = [verb, &["mail", "fed-a", "zzzzz"]].concat();
        let refused = site.on("alpha", &arguments).run().await;
        assert_ended(
            &refused,
            64,
            "error: no job named `fed-a`; did you mean `feed-a`?\n",
        );
        assert_ended(&refused, 64, "error: no job named `zzzzz`");
        assert_ended(&refused, 64, "; nothing was changed\n");
        assert_eq!(refused.stdout, "");
    }
    let cancel = site.on("alpha", &["cancel", "mial"]).run().await;
    assert_ended(&cancel, 64, "did you mean `mail`?");
    assert!(paused(&database).await.is_empty());
    assert!(audit(&database).await.is_empty());
}

#[tokio::test]
async fn a_pattern_is_agreed_to_and_all_is_a_word_of_its_own() {
    let (database, site) = site().await;
    let refused = site.on("alpha", &["pause", "feed-*"]).run().await;
    assert_ended(&refused, 64, "`feed-*` matches feed-a, feed-b; add --yes");
    assert_ended(
        &site.on("alpha", &["pause", "x*", "--yes"]).run().await,
        64,
        "no name matches `x*`",
    );
    assert_ended(&site.on("alpha", &["pause"]).run().await, 64, "--all");
    assert!(paused(&database).await.is_empty());

    let some = site
        .on("alpha", &["pause", "feed-*", "--yes", "feed-a"])
        .run()
        .await;
    assert_eq!(some.code, Some(0), "{some:?}");
    assert_eq!(paused(&database).await, ["feed-a", "feed-b"]);
    let lines: Vec<&str> = some.stdout.lines().map(|line| &line[..14]).collect();
    assert_eq!(lines, ["paused\tfeed-a\t", "paused\tfeed-b\t"]);

    let all = site.on("alpha", &["pause", "--all"]).run().await;
    assert_eq!(all.code, Some(0), "{all:?}");
    assert_eq!(paused(&database).await, ["feed-a", "feed-b", "mail"]);
    assert_eq!(
        site.on("alpha", &["resume", "--all"]).run().await.code,
        Some(0)
    );
    assert!(paused(&database).await.is_empty());
    let none = site.on("alpha", &["resume", "--all"]).run().await;
    assert_ended(&none, 0, "no job of this configuration is paused");
    let not = site.on("alpha", &["resume", "mail"]).run().await;
    assert_eq!(not.stdout, "not_paused\tmail\tis not paused\n");
    assert_eq!(audit(&database).await.len(), 2 + 3 + 3);
}

#[tokio::test]
async fn all_leaves_alone_what_waits_for_a_person() {
    let (database, site) = site().await;
    let hold = "UPDATE crontabber SET revision = revision + 1, paused_until = '9999-01-01Z', paused_by = 'on_lost',
                next_run = '9999-01-01Z' WHERE app_name = 'mail'";
    database.execute(hold).await;
    for verb in ["pause", "resume"] {
        let all = site.on("alpha", &[verb, "--all"]).run().await;
        assert_ended(&all, 0, "left alone, held after a lost run: mail");
        assert_eq!(all.stdout.lines().count(), 2, "{all:?}");
    }
    let by = "SELECT paused_by FROM crontabber WHERE app_name = 'mail'";
    assert_eq!(database.query_one::<String>(by).await, "on_lost");
    let named = site.on("alpha", &["resume", "mail"]).run().await;
    assert!(
        named.stdout.contains("was held after a lost run"),
        "{named:?}"
    );
    assert!(paused(&database).await.is_empty());
}

#[tokio::test]
async fn a_job_that_no_host_has_met_is_paused_before_its_first_run() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("it", "every = \"1h\"\nstart = \"now\"", "true")
    });
    assert_eq!(site.on("alpha", &["migrate"]).run().await.code, Some(0));
    let reset = site.on("alpha", &["reset", "it"]).run().await;
    assert_eq!(reset.code, Some(0), "{reset:?}");
    assert!(reset.stdout.contains("no host has met it yet"), "{reset:?}");
    assert_eq!(site.on("alpha", &["pause", "it"]).run().await.code, Some(0));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    assert!(site.ledger().starts().is_empty());
    assert_eq!(
        site.on("alpha", &["resume", "it"]).run().await.code,
        Some(0)
    );
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    assert_eq!(site.ledger().starts().len(), 1);
}

#[tokio::test]
async fn until_when_is_understood_in_the_zone_that_is_told() {
    let (database, site) = site().await;
    let local = site
        .on("alpha", &["pause", "mail", "--until", "2098-07-01T09:00"])
        .env("TZ", "Europe/Paris");
    assert_ended(&local.run().await, 0, "2098-07-01T07:00:00Z (Europe/Paris)");
    let until = "SELECT paused_until = '2098-07-01T07:00Z' FROM crontabber WHERE app_name = 'mail'";
    assert!(database.query_one::<bool>(until).await);
    let span = site
        .on("alpha", &["pause", "mail", "--until", "2h"])
        .run()
        .await;
    assert_eq!(span.code, Some(0), "{span:?}");
    assert!(span.stdout.contains("before, it was paused by"), "{span:?}");
    let until = "SELECT paused_until BETWEEN now() + interval '119 minutes' AND now() + interval '2 hours' FROM crontabber WHERE app_name = 'mail'";
    assert!(database.query_one::<bool>(until).await);
    for (text, says) in [
        ("2020-01-01T00:00:00Z", "which has passed"),
        (
            "soon",
            "`soon` is no instant: write how long from now (`2h`",
        ),
    ] {
        let refused = site
            .on("alpha", &["pause", "feed-a", "--until", text])
            .run()
            .await;
        assert_ended(&refused, 64, says);
    }
    assert_eq!(paused(&database).await, ["mail"]);
}

#[tokio::test]
async fn a_wrong_slot_is_told_those_around_it() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("it", "schedule = \"0 7 * * *\"", "true")
    });
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    for (slot, says) in [
        (
            "2026-05-05T07:30:00Z",
            "those around it: `2026-05-05T07:00:00Z` and `2026-05-06T07:00:00Z`",
        ),
        ("2999-05-05T07:00:00Z", "lies ahead"),
        ("yesterday", "is no instant"),
    ] {
        let refused = site
            .on("alpha", &["mark", "it", "--success", "--slot", slot])
            .run()
            .await;
        assert_ended(&refused, 64, says);
    }
    assert_ended(
        &site.on("alpha", &["mark", "it"]).run().await,
        64,
        "--success",
    );
    assert!(audit(&database).await.is_empty());
    let slot = "2026-05-05T07:00:00Z";
    let marked = site
        .on("alpha", &["mark", "it", "--success", "--slot", slot])
        .run()
        .await;
    assert_eq!(marked.code, Some(0), "{marked:?}");
    assert!(
        marked
            .stdout
            .starts_with("marked\tit\tslot 2026-05-05T07:00:00Z counts"),
        "{marked:?}"
    );
}

#[tokio::test]
async fn the_audit_tells_who_did_what_and_why_and_nothing_of_it_reaches_a_terminal_raw() {
    let (_database, site) = site().await;
    let pause = site.on("alpha", &["pause", "mail", "--reason", "\u{1b}[2Jswap"]);
    assert_eq!(pause.env("SUDO_USER", "anna").run().await.code, Some(0));
    assert_eq!(
        site.on("beta", &["resume", "mail"]).run().await.code,
        Some(0)
    );
    let audit = site.on("alpha", &["audit", "mail"]).run().await;
    let rows: Vec<Vec<&str>> = audit
        .stdout
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(rows[0][2..], ["resume", "mail", ""]);
    assert!(rows[0][1].ends_with("@beta"), "{rows:?}");
    assert_eq!(
        rows[1][1..],
        ["anna@alpha", "pause", "mail", "\\u{1b}[2Jswap"]
    );
    let none = site.on("alpha", &["audit", "feed-a"]).run().await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""));
    assert_ended(
        &site.on("alpha", &["audit", "feed-x"]).run().await,
        64,
        "did you mean `feed-a`?",
    );
    let one = site.on("alpha", &["audit", "-n", "1"]).run().await;
    assert_eq!(one.stdout.lines().count(), 1);
}

#[tokio::test]
async fn people_are_told_what_to_type_next() {
    let (database, site) = site().await;
    let on_terminal = async |line: &str| {
        let program = env!("CARGO_BIN_EXE_crontabber");
        let script = format!("script -qec '{program} {line}' /dev/null </dev/null");
        let command = site.on("alpha", &["-c", &script]).program("/bin/bash");
        let finished = command
            .env("TERM", "dumb")
            .env("SUDO_USER", "anna")
            .run()
            .await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.stdout.replace("\r\n", "\n")
    };
    assert_eq!(
        on_terminal("pause mail feed-a --reason swap").await,
        "  ✓ feed-a       is paused until somebody resumes it\n  ✓ mail         is paused until somebody resumes it\n\
         hint: crontabber resume feed-a mail\n"
    );
    let show = on_terminal("show mail").await;
    assert!(
        show.contains("  paused       paused by anna@alpha: swap\n"),
        "{show}"
    );
    let why = on_terminal("why mail").await;
    assert!(
        why.contains("To let it run again:  crontabber resume mail\n"),
        "{why}"
    );
    database
        .execute("UPDATE crontabber SET revision = revision + 1, next_run = '2098-01-01', slot = '2098-01-01', error_count = 2")
        .await;
    let reset = on_terminal("reset feed-b").await;
    assert!(
        reset.starts_with("  ✓ feed-b       its 2 errors are forgotten; it runs next 20"),
        "{reset}"
    );
    assert!(
        reset.ends_with("hint: crontabber run feed-b --force   runs it now\n"),
        "{reset}"
    );
    let audit = on_terminal("audit -n 1").await;
    assert!(audit.starts_with("  WHEN"), "{audit}");
}

#[tokio::test]
async fn a_python_host_s_run_is_told_of_for_as_long_as_the_configuration_respects_it() {
    for (respected, since, is_told) in [("2h", "3 hours", false), ("24h", "13 hours", true)] {
        let database = Postgres::database().await;
        let site = Site::with(&database, |_| {
            format!(
                "[daemon]\nmax_ongoing_age = \"{respected}\"\n[jobs.a]\nevery = \"1h\"\nshell = \"true\"\n"
            )
        });
        assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
        // The guard would stamp it with now.
        database
            .execute(&format!(
                "INSERT INTO crontabber (app_name, next_run) VALUES ('old', now());
                 UPDATE crontabber SET ongoing = now() - interval '{since}', revision = revision + 1 WHERE app_name = 'old'"
            ))
            .await;
        let ongoing = site.on("alpha", &["ongoing", "--json"]).run().await;
        assert_eq!(ongoing.stdout.contains("old"), is_told, "{ongoing:?}");
        let paused = site.on("alpha", &["pause", "old"]).run().await;
        assert_eq!(paused.stdout.contains("goes on"), is_told, "{paused:?}");
    }
}
