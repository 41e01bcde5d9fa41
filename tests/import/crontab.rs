//! Crontabs.

use std::fs;

use serde_json::json;

use super::{
    common::{Crontabber, Postgres, Site},
    taken::Taken,
};

/// A line that is taken over as it stands, and when it runs next.
async fn runs(fields: &str, zone: &str, after: &str, expected: [&str; 3]) {
    let options = ["--timezone", zone, "--after", after];
    let taken = Taken::crontab_with(&format!("{fields} /bin/job\n"), &options).await;
    assert_eq!(taken.code, Some(0), "{}", taken.said);
    assert_eq!(taken.key("job", "schedule").await, json!(fields));
    assert_eq!(taken.key("job", "timezone").await, json!(zone));
    assert_eq!(taken.next_runs(), expected, "{fields}");
}

#[tokio::test]
async fn fields_are_kept_and_mean_what_they_mean_to_cron() {
    let days = |days: [&str; 3]| days.map(|day| format!("2026-{day}T00:00:00Z"));
    for (fields, expected) in [
        ("0 0 * * 0", ["01-04", "01-11", "01-18"]),
        ("0 0 * * 7", ["01-04", "01-11", "01-18"]),
        ("0 0 * * SUN", ["01-04", "01-11", "01-18"]),
        ("0 0 * * 1-5", ["01-02", "01-05", "01-06"]),
        ("0 0 * * 5-7", ["01-02", "01-03", "01-04"]),
        ("0 0 * * FRI-SUN", ["01-02", "01-03", "01-04"]),
        ("0 0 * * */2", ["01-03", "01-04", "01-06"]),
        // The 13th or a Friday; but a field that begins with a star restricts nothing: a Monday with an odd date.
        ("0 0 13 * 5", ["01-02", "01-09", "01-13"]),
        ("0 0 */2 * 1", ["01-05", "01-19", "02-09"]),
        ("@daily", ["01-02", "01-03", "01-04"]),
        ("@Weekly", ["01-04", "01-11", "01-18"]),
    ] {
        let expected = days(expected);
        let expected = [&*expected[0], &*expected[1], &*expected[2]];
        runs(fields, "UTC", "2026-01-01T00:00:00Z", expected).await;
    }
    let minutes = [
        "2026-01-01T00:05:00Z",
        "2026-01-01T00:10:00Z",
        "2026-01-01T00:15:00Z",
    ];
    runs("*/5 * * * *", "UTC", "2026-01-01T00:04:59Z", minutes).await;
}

#[tokio::test]
async fn the_nights_on_which_clocks_change_have_one_run_each() {
    let spring = [
        "2027-03-28T01:00:00Z",
        "2027-03-29T00:30:00Z",
        "2027-03-30T00:30:00Z",
    ];
    runs(
        "30 2 * * *",
        "Europe/Berlin",
        "2027-03-27T12:00:00Z",
        spring,
    )
    .await;
    let autumn = [
        "2027-10-31T00:30:00Z",
        "2027-11-01T01:30:00Z",
        "2027-11-02T01:30:00Z",
    ];
    runs(
        "30 2 * * *",
        "Europe/Berlin",
        "2027-10-30T12:00:00Z",
        autumn,
    )
    .await;
}

#[tokio::test]
async fn a_line_that_says_nothing_is_told_with_its_place_and_stays_a_comment() {
    for (line, place, message) in [
        ("0 0 31 2 * /bin/bad", "2:5:", "this date never comes"),
        ("0 61 * * * /bin/bad", "2:3:", "hour 61 is out of range"),
        (
            "  0\t0 * * mno /bin/bad",
            "2:11:",
            "`mno` is no day of the week",
        ),
        ("0 22-2 * * * /bin/bad", "2:3:", "runs backwards"),
        ("5~10 * * * * /bin/bad", "2:1:", "is no minute"),
        ("@reboot /bin/bad", "2:1:", "`@reboot` is not supported"),
        ("@dialy /bin/bad", "2:1:", "`@dialy` is unknown"),
        ("/bin/bad", "2:1:", "1 field, a schedule has 5"),
        ("0 5 * * *", "2:1:", "there is nothing to run"),
        ("0 5 * * * %input only", "2:1:", "there is nothing to run"),
        ("\0 5 * * * /bin/bad", "2:1:", "not UTF-8 text"),
    ] {
        let text = format!("0 4 * * * /bin/good\n{line}\n");
        let taken = Taken::crontab(&text, "2026-01-01T00:00:00Z").await;
        assert_eq!(taken.code, Some(1), "{line}");
        taken.says(&format!("crontab:{place} not taken over: "));
        taken.says(message);
        assert_eq!(taken.jobs().await, ["good"], "{line}");
    }
}

#[tokio::test]
async fn what_is_not_taken_over_stands_in_the_file_with_its_reason() {
    let text = "0 61 * * * /bin/bad 'it''s'\n0 4 * * * /bin/good\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    let stub = "# line 1: 0 61 * * * /bin/bad 'it''s'\n\
        # not taken over: hour 61 is out of range (hours are 0-23)\n\
        # [jobs.bad]\n\
        # schedule = \"0 61 * * *\"\n";
    assert!(taken.toml.contains(stub), "{}", taken.toml);
    taken.says("1 job taken over, 1 job not");
}

#[tokio::test]
async fn the_comment_above_a_line_becomes_its_description() {
    let text = "# m h  dom mon dow   command\n# Fetches the feeds,\n# politely\n*/5 * * * * /bin/a\n\n\
        # About what follows.\n\n*/5 * * * * /bin/b\n# 0 5 * * * /bin/old\n*/5 * * * * /bin/c\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    assert_eq!(taken.code, Some(0));
    let description = async |job| taken.key(job, "description").await;
    assert_eq!(description("a").await, json!("Fetches the feeds, politely"));
    assert_eq!(description("b").await, json!(null));
    assert_eq!(description("c").await, json!(null));
}

#[tokio::test]
async fn variables_hold_for_the_lines_below_them() {
    let text = "PATH=/opt/bin:/bin\nGREETING = \" hi {there} \"\n* * * * * /bin/a\nGREETING=\nHOME=/srv\n* * * * * /bin/b\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    assert_eq!(taken.code, Some(0), "{}", taken.said);
    assert_eq!(taken.key("a", "env.PATH").await, json!("/opt/bin:/bin"));
    // A brace of a value is written twice, and is one again in a run.
    assert_eq!(
        taken.key("a", "env.GREETING").await,
        json!(" hi {{there}} ")
    );
    assert_eq!(taken.key("b", "env.GREETING").await, json!(""));
    // A run starts at home, whoever's that is.
    assert_eq!(taken.key("a", "env.HOME").await, json!("/home/alice"));
    assert_eq!(taken.key("a", "cwd").await, json!("/home/alice"));
    assert_eq!(taken.key("b", "env.HOME").await, json!("/srv"));
    assert_eq!(taken.key("b", "cwd").await, json!("/srv"));
}

#[tokio::test]
async fn another_shell_than_sh_is_named_in_the_command() {
    let text = "* * * * * echo {a}\nSHELL=/bin/bash\n* * * * * cat <(echo {b})\nSHELL=/usr/bin/fish\n* * * * * x%in\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    assert_eq!(taken.key("echo", "shell").await, json!("echo {a}"));
    let bash = json!(["/bin/bash", "-c", "cat <(echo {{b}})"]);
    assert_eq!(taken.key("cat", "command").await, bash);
    assert_eq!(taken.key("cat", "env.SHELL").await, json!("/bin/bash"));
    // What hands over an input is written in the grammar of the Bourne shells.
    taken.says("crontab:5:1: not taken over: `%` hands the command an input");
    assert_eq!(taken.code, Some(1));
}

#[tokio::test]
async fn zones_are_those_that_cron_reads_the_times_in() {
    let text = "0 7 * * * /bin/a\nCRON_TZ=Europe/Paris\n0 7 * * * /bin/b\nTZ=America/New_York\n0 7 * * * /bin/c\n";
    let taken = Taken::crontab_with(text, &["--timezone", "Europe/Berlin"]).await;
    assert_eq!(taken.code, Some(0));
    assert_eq!(taken.key("a", "timezone").await, json!("Europe/Berlin"));
    assert_eq!(taken.key("b", "timezone").await, json!("Europe/Paris"));
    // TZ is for the runs: cron itself does not plan by it.
    assert_eq!(taken.key("c", "timezone").await, json!("Europe/Paris"));
    assert_eq!(taken.key("c", "env.TZ").await, json!("America/New_York"));
    taken.says("crontab:4:1: note: `TZ` is for the runs");

    let text = "CRON_TZ=Europe/Berln\n0 7 * * * /bin/a\nCRON_TZ=UTC\n0 7 * * * /bin/b\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    assert_eq!(
        (taken.code, taken.jobs().await),
        (Some(1), vec!["b".to_owned()])
    );
    taken.says("crontab:1:1: not taken over: time zone `Europe/Berln` is unknown");
    taken.says("did you mean `Europe/Berlin`?");
}

#[tokio::test]
async fn the_zone_of_the_machine_is_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("c");
    fs::write(&file, "0 7 * * * /bin/a\n").unwrap();
    let import = async |zone: &str, options: &[&str]| {
        let arguments = [&["import", "crontab", file.to_str().unwrap()], options].concat();
        Crontabber::new(arguments).env("TZ", zone).run().await
    };
    let taken = import("Asia/Tokyo", &[]).await;
    assert!(
        taken.stdout.contains("timezone = \"Asia/Tokyo\""),
        "{}",
        taken.stdout
    );
    let wrong = import("UTC", &["--timezone", "Berlin"]).await;
    assert_eq!(wrong.code, Some(64));
    assert!(
        wrong.stderr.contains("did you mean `Europe/Berlin`?"),
        "{}",
        wrong.stderr
    );
}

#[tokio::test]
async fn a_system_crontab_has_a_column_for_users() {
    let text = "17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n0 4 * * * nobody /bin/tidy\n5 4 * * * nobody /bin/b\n";
    let taken = Taken::crontab_with(text, &["--system", "--timezone", "UTC"]).await;
    assert_eq!(taken.jobs().await, ["b", "cron.hourly", "tidy"]);
    let command = taken.key("cron.hourly", "shell").await;
    assert_eq!(
        command,
        json!("cd / && run-parts --report /etc/cron.hourly")
    );
    assert_eq!(taken.key("cron.hourly", "cwd").await, json!("/root"));
    // Each user is told once, for all of its lines.
    assert_eq!(taken.code, Some(1));
    taken.says("crontab:1:1: not taken over: the jobs of user `root` run as crontabber's own");
    taken.says("crontab:2:1: not taken over: the jobs of user `nobody` run as crontabber's own");
    assert_eq!(taken.said.matches("`nobody`").count(), 1);

    // Read without it, the user would be the program.
    let taken = Taken::crontab_with(text, &["--timezone", "UTC"]).await;
    taken.says("crontab:1:1: note: the command is `root`: is this a system crontab?");
}

#[tokio::test]
async fn where_a_crontab_lies_tells_whether_it_has_that_column() {
    let directory = tempfile::tempdir().unwrap();
    for (path, is_system) in [
        ("etc/cron.d/x", true),
        ("etc/crontab", true),
        ("crontab", false),
        ("etc/x", false),
    ] {
        let file = directory.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "0 4 * * * root /bin/x\n").unwrap();
        let import = async |options: &[&str]| {
            let arguments = [&["import", "crontab", file.to_str().unwrap()], options].concat();
            Crontabber::new(arguments).run().await
        };
        let taken = import(&[]).await;
        assert_eq!(
            taken.stdout.contains("shell = \"/bin/x\""),
            is_system,
            "{path}"
        );
        assert_eq!(
            taken.stderr.contains("read as a system crontab"),
            is_system,
            "{path}"
        );
        assert!(
            import(&["--system"])
                .await
                .stdout
                .contains("shell = \"/bin/x\""),
            "{path}"
        );
        assert!(
            import(&["--user"])
                .await
                .stdout
                .contains("shell = \"root /bin/x\""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_secret_is_not_repeated() {
    let text = "PGPASSWORD=hunter2\nAPI_TOKEN='hunter3'\n* * * * * /bin/a\n* * * * * /bin/b\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    assert_eq!(taken.code, Some(1));
    taken.does_not_say("hunter");
    taken.says("crontab:1:1: not taken over: `PGPASSWORD` looks like a secret");
    let secret = json!({ "file": "/etc/crontabber/secrets/PGPASSWORD" });
    assert_eq!(taken.key("b", "secrets.PGPASSWORD").await, secret);
}

#[tokio::test]
async fn what_cron_does_besides_is_remarked() {
    let text = "MAILTO=ops@example.com\nMAILFROM=x\nRANDOM_DELAY=15\nPATH=$HOME/bin\nUSER=alice\nA-B=c\n-*/5 * * * * /bin/a\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    taken.says("crontab:1:1: note: nobody is sent mail");
    taken.says("crontab:4:1: note: cron does not fill in the `$` of `PATH`");
    taken.says("crontab:5:1: note: cron sets `USER` itself");
    taken.says("crontab:6:1: not taken over: `A-B` cannot be a variable of a run");
    assert_eq!(taken.key("a", "jitter").await, json!("15m"));
    assert_eq!(taken.key("a", "env.MAILTO").await, json!(null));
    assert_eq!(taken.key("a", "schedule").await, json!("*/5 * * * *"));

    let alone = Taken::crontab("MAILTO=\"\"\n* * * * * /bin/a\n", "2026-01-01T00:00:00Z").await;
    assert_eq!(alone.code, Some(0), "a note is no loss: {}", alone.said);
}

#[tokio::test]
async fn names_come_from_the_commands_and_are_unique() {
    let text = "* * * * * /usr/bin/backup.sh\n* * * * * nice backup --all\n* * * * * python3 /srv/backup.py\n* * * * * \"\"\n";
    let taken = Taken::crontab(text, "2026-01-01T00:00:00Z").await;
    assert_eq!(
        taken.jobs().await,
        ["backup", "backup-2", "backup-3", "job"]
    );

    let taken = Taken::crontab_with(text, &["--prefix", "web1-", "--timezone", "UTC"]).await;
    assert_eq!(taken.jobs().await[..2], ["web1-backup", "web1-backup-2"]);
    assert_eq!(taken.jobs().await[3], "web1-job");
    let wrong = taken
        .run(&["import", "crontab", "crontab", "--prefix", "-x y"])
        .await;
    assert_eq!(wrong.code, Some(64), "{}", wrong.stderr);
}

#[tokio::test]
async fn an_empty_crontab_is_no_success() {
    let taken = Taken::crontab("# nothing\n", "2026-01-01T00:00:00Z").await;
    assert_eq!(taken.code, Some(1));
    taken.says("crontab: not taken over: there is no job in it");
}

#[tokio::test]
async fn a_file_that_exists_is_left_alone() {
    let taken = Taken::crontab("* * * * * /bin/a\n", "2026-01-01T00:00:00Z").await;
    fs::write(taken.file("crontabber.toml"), "mine").unwrap();
    let again = taken
        .run(&[
            "import",
            "crontab",
            "crontab",
            "--output",
            "crontabber.toml",
        ])
        .await;
    assert_eq!(again.code, Some(64));
    assert!(
        again
            .stderr
            .contains("crontabber.toml exists, and is left alone"),
        "{}",
        again.stderr
    );
    assert_eq!(
        fs::read_to_string(taken.file("crontabber.toml")).unwrap(),
        "mine"
    );
}

#[tokio::test]
async fn what_cannot_be_read_or_written_is_74() {
    let taken = Taken::crontab("* * * * * /bin/a\n", "2026-01-01T00:00:00Z").await;
    fs::write(taken.file("large"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    for (arguments, why) in [
        (["missing", "--output", "x.toml"], "missing: No such file"),
        ([".", "--output", "x.toml"], "Is a directory"),
        (["large", "--output", "x.toml"], "larger than 1 MiB"),
        (
            ["crontab", "--output", "no/x.toml"],
            "no/x.toml: No such file",
        ),
    ] {
        let finished = taken
            .run(&[&["import", "crontab"], &arguments[..]].concat())
            .await;
        assert_eq!(finished.code, Some(74), "{}", finished.stderr);
        assert!(finished.stderr.contains(why), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn stdin_is_a_crontab_too() {
    let taken = Taken::crontab("* * * * * /bin/a\n", "2026-01-01T00:00:00Z").await;
    let piped = Crontabber::new(["import", "crontab", "-"])
        .behind_shell("printf '1 2 * * * /bin/b\\n0 61 * * * c\\n' | \"$@\"")
        .run()
        .await;
    assert_eq!(piped.code, Some(1));
    assert!(
        piped.stdout.contains("[jobs.b]\nschedule = \"1 2 * * *\""),
        "{}",
        piped.stdout
    );
    assert!(
        piped.stderr.contains("stdin:2:3: not taken over"),
        "{}",
        piped.stderr
    );
    drop(taken);
}

#[tokio::test]
async fn an_imported_line_runs_as_cron_ran_it() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |_| String::new());
    let home = site.file("home");
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(site.file("jobs.d")).unwrap();
    let text = format!(
        "HOME={}\nWHO='a  {{b}}'\n* * * * * cat > said; echo \"$WHO\" {{x}} 5\\% >> said # $HOME%one%{{two}} 'three'\\%\n",
        home.display()
    );
    fs::write(site.file("old"), text).unwrap();
    let arguments = [
        "import",
        "crontab",
        "old",
        "--drop-in",
        "--output",
        "jobs.d/cron.toml",
    ];
    let command = Crontabber::new(arguments);
    let import = command.current_dir(site.file("").as_path()).run().await;
    assert_eq!(import.code, Some(0), "{}", import.stderr);
    let run = site.on("alpha", &["run", "cat", "--force"]).run().await;
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let said = fs::read_to_string(home.join("said")).unwrap();
    assert_eq!(said, "one\n{two} 'three'%\na  {b} {x} 5%\n");
}
