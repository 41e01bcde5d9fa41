//! Terminals, pipes, full disks and whatever else is at the other end.

use super::host::{Host, JOBS};

#[tokio::test]
async fn whatever_the_database_holds_no_control_character_comes_out() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    host.database
        .execute(
            "INSERT INTO crontabber (app_name, next_run, paused_until, paused_by, pause_reason, error_count, last_error)
             VALUES (E'ghost\\x1b[2J\\n\\t\\u009b1m\\u202e', now(), 'infinity', E'\\x1b]0;x\\x07', E'a\\nb', 1,
                     json_build_object('value', E'\\x1b[31m\\r'));
             UPDATE crontabber SET revision = revision + 1, error_count = 1, last_error = json_build_object('value', E'\\x1b[31m\\r')
              WHERE app_name = 'fetch';
             INSERT INTO crontabber_host (host, boot_id, pid_namespace, version, tags, configuration, definitions, seen_at)
             VALUES (E'web\\x1b[2J\\n', '', '', E'\\u202e', ARRAY[E'\\t'], E'\\x1b', jsonb_build_object(E'fetch\\x1b', E'\\r'), now());
             INSERT INTO crontabber_log (app_name, run_id, outcome, reason, host, trigger)
             VALUES (E'ghost\\x1b[2J\\n', gen_random_uuid(), E'odd\\x1b', E'\\x1b[31m', E'web\\x1b', E'\\t')",
        )
        .await;
    let ghost = "ghost\u{1b}[2J\n\t\u{9b}1m\u{202e}";
    let commands: [&[&str]; 12] = [
        &["list"],
        &["list", "--json"],
        &["ongoing", "--json"],
        &["show", ghost],
        &["show", "fetch", "--json"],
        &["why", ghost],
        &["why", "fetch"],
        &["why", ghost, "--json"],
        &["history"],
        &["history", "--json"],
        &["hosts"],
        &["hosts", "--json"],
    ];
    for arguments in commands {
        let text = host.read(arguments).await;
        let raw = text
            .chars()
            .find(|&c| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}');
        assert_eq!(raw, None, "{arguments:?}: {text:?}");
    }
    assert!(
        host.read(&["list", ghost])
            .await
            .starts_with("ghost\\u{1b}[2J\\n\\t\\u{9b}1m\\u{202e}\tghost\t")
    );
    assert_eq!(
        host.column(&["list"], 7).await.len(),
        6,
        "a line end in a name made a line"
    );
}

#[tokio::test]
async fn a_reader_who_has_read_enough_is_no_error_and_a_full_disk_is_one() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    for command in ["list", "list --json", "history", "logs fetch"] {
        // The only reader is gone before the program starts.
        let line = format!("exec 3> >(true); wait $!; \"$X\" {command} >&3; echo $?");
        let gone = host.shell(&line).await;
        assert_eq!(gone.stdout, "0\n", "{command}");
        assert!(!gone.stderr.contains("error"), "{}", gone.stderr);
    }
    for command in [
        "list",
        "list --json",
        "ongoing --json",
        "show fetch",
        "why fetch",
        "history",
        "logs fetch",
        "hosts",
        "tick --dry-run",
    ] {
        let full = host.shell(&format!("\"$X\" {command} > /dev/full")).await;
        assert_eq!(full.code, Some(74), "{command}: {}", full.stderr);
        assert!(
            full.stderr.contains("No space left on device"),
            "{command}: {}",
            full.stderr
        );
    }
    let deaf = host.shell("\"$X\" list 2>/dev/full > /dev/full").await;
    assert_eq!(deaf.code, Some(74), "nobody to tell is no reason to panic");
}

#[tokio::test]
async fn a_terminal_gets_a_table_that_fits() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    let on_terminal = async |environment: &str, columns: usize, command: &str| {
        let line = format!("stty rows 24 cols {columns}; env {environment} \"$X\" {command}");
        let line = format!("script -qec '{line}' /dev/null </dev/null");
        let finished = host.shell(&line).await;
        assert_eq!(
            finished.code,
            Some(0),
            "{}{}",
            finished.stdout,
            finished.stderr
        );
        finished.stdout.replace("\r\n", "\n")
    };
    let text = on_terminal("TERM=xterm", 72, "list").await;
    assert!(text.starts_with("  JOB      STATE     SCHEDULE"), "{text}");
    assert!(text.contains("\u{1b}[33m✗\u{1b}[0m mail"), "{text:?}");
    assert!(text.ends_with("hint: crontabber why mail\n"), "{text}");
    for plain in ["TERM=dumb", "TERM=xterm NO_COLOR=1"] {
        let text = on_terminal(plain, 72, "list").await;
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(
            text.lines().take(6).all(|line| line.chars().count() <= 72),
            "{text}"
        );
    }
    assert!(
        on_terminal("TERM=xterm", 72, "list --json")
            .await
            .starts_with("[\n  {\n")
    );
    let why = on_terminal("TERM=dumb", 72, "why report").await;
    assert!(
        why.ends_with("To run it anyway:  crontabber run report --force\n"),
        "{why}"
    );
}

#[tokio::test]
async fn a_dry_run_prints_the_listing_of_the_same_plan() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    let again = "UPDATE crontabber SET revision = revision + 1, next_run = now(), slot = now() WHERE app_name = 'fetch'";
    host.database.execute(again).await;
    let (dry_run, list) = (
        host.read(&["tick", "--dry-run"]).await,
        host.read(&["list"]).await,
    );
    assert_eq!(dry_run, format!("would run: fetch\n{list}"));
}

#[tokio::test]
async fn a_thousand_jobs_are_listed_whole() {
    let job = |number| format!("[jobs.j{number:04}]\nevery = '1h'\nshell = 'true'\n");
    let jobs: Vec<String> = (0..1000).map(job).collect();
    let host = Host::new(&jobs.concat()).await;
    host.database
        .execute(
            "INSERT INTO crontabber (app_name, next_run, slot, last_run)
             SELECT format('j%s', to_char(n, 'FM0000')), now() + interval '1 hour', now() + interval '1 hour', now()
               FROM generate_series(0, 999) n;
             INSERT INTO crontabber_log (app_name, run_id, slot, attempt, host, outcome)
             SELECT format('j%s', to_char(n, 'FM0000')), gen_random_uuid(), now(), 1, 'web' || n % 3, 'success'
               FROM generate_series(0, 999) n",
        )
        .await;
    let hosts = host.column(&["list"], 6).await;
    assert_eq!(hosts.len(), 1000);
    assert_eq!(hosts[..4], ["web0", "web1", "web2", "web0"]);
}
