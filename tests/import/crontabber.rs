//! Files of crontabber 0.18.

use std::fs;

use serde_json::{Value, json};

use super::taken::Taken;

/// An ini with this list of jobs and a database.
fn with_jobs(jobs: &str) -> String {
    format!("[crontabber]\n    dbname=breakpad\n    jobs='''\n{jobs}\n'''\n")
}

/// When a job is wanted: `every`, and `at` or null.
async fn when(taken: &Taken, job: &str) -> (Value, Value) {
    (taken.key(job, "every").await, taken.key(job, "at").await)
}

#[tokio::test]
async fn a_line_of_the_list_is_a_class_a_frequency_and_a_time() {
    for (line, every, at) in [
        ("a.b.Foo|1d", "1d", json!(null)),
        ("a.b.Foo|3m", "3m", json!(null)),
        ("a.b.Foo|12h", "12h", json!(null)),
        ("a.b.Foo|90m", "1h30m", json!(null)),
        ("a.b.Foo|7d|03:45", "7d", json!("03:45")),
        ("a.b.Foo|1d|1:1", "1d", json!("01:01")),
        ("a.b.Foo|03:45", "1d", json!("03:45")),
        ("a.b.Foo|1d|", "1d", json!(null)),
        ("a.b.Foo | 24h | 00:00", "1d", json!("00:00")),
    ] {
        let taken = Taken::ini(&with_jobs(line)).await;
        assert_eq!(taken.code, Some(0), "{line}: {}", taken.said);
        assert_eq!(when(&taken, "foo").await, (json!(every), at), "{line}");
        assert_eq!(taken.key("foo", "class").await, json!("a.b.Foo"));
        assert_eq!(taken.key("foo", "timezone").await, json!("UTC"));
        assert!(
            taken.toml.contains(&format!("# line 4: {line}\n")),
            "{}",
            taken.toml
        );
    }
    let taken = Taken::ini(&with_jobs("a.b.Foo|1d|03:45")).await;
    assert_eq!(
        taken.next_runs(),
        [
            "2026-01-01T03:45:00Z",
            "2026-01-02T03:45:00Z",
            "2026-01-03T03:45:00Z"
        ]
    );
}

#[tokio::test]
async fn newlines_commas_and_semicolons_separate_jobs() {
    let lists = [
        "jobs='''\n  a.A|1d\n  a.B|1h, a.C|2h;a.D|3h\n\n ,;\n'''",
        "jobs='a.A|1d;a.B|1h;a.C|2h,a.D|3h'   # in one line",
        "jobs=\"\"\"a.A|1d\n# a comment\na.B|1h\na.C|2h\na.D|3h\"\"\"",
        "jobs = a.A|1d, a.B|1h, a.C|2h, a.D|3h",
        "jobs = 'a.A|1d', 'a.B|1h', 'a.C|2h', 'a.D|3h' # quoted one by one",
        "jobs =\n      a.A|1d\n      # a comment\n      a.B|1h\n      a.C|2h\n      a.D|3h",
        "jobs=a.A|1d;a.B|1h;a.C|2h;a.D|3h",
    ];
    for list in lists {
        let text = format!(
            "[crontabber]\n  dbname=x\n  {list}\n[logging]\n  stderr_error_logging_level=10\n"
        );
        let taken = Taken::ini(&text).await;
        assert_eq!(taken.code, Some(0), "{list}: {}", taken.said);
        assert_eq!(taken.jobs().await, ["a", "b", "c", "d"], "{list}");
        assert_eq!(when(&taken, "c").await.0, json!("2h"), "{list}");
    }
    let dotted = "crontabber.jobs = a.A|1d\nresource.postgresql.dbname = x\n";
    assert_eq!(Taken::ini(dotted).await.jobs().await, ["a"]);
}

#[tokio::test]
async fn a_comment_is_a_comment_and_what_python_ran_out_of_it_is_told() {
    let list = "# off for now, a.b.Bar|1d\na.b.Foo|1h # note; c.d.Baz|2d\n# a, list; of # words";
    let taken = Taken::ini(&with_jobs(list)).await;
    assert_eq!(taken.jobs().await, ["foo"]);
    assert_eq!(taken.code, Some(1));
    taken.says("crontabber.ini:4:16: not taken over: crontabber 0.18 runs `a.b.Bar|1d` out of this comment");
    taken.says("crontabber.ini:5:20: not taken over: crontabber 0.18 runs `c.d.Baz|2d` out of this comment");
    assert_eq!(taken.said.matches("out of this comment").count(), 2);
}

#[tokio::test]
async fn what_says_nothing_or_two_things_is_told_and_not_guessed() {
    for (line, place, message) in [
        (
            "a.b.Bad|1d12h",
            "4:9:",
            "`1d12h` is two frequencies: crontabber 0.18 reads `1d` and drops the rest",
        ),
        (
            "a.b.Bad|1h30m",
            "4:9:",
            "write every = \"1h30m\" if that was meant, every = \"1h\" if not",
        ),
        ("a.b.Bad|0m", "4:9:", "`0m` is no time at all"),
        ("a.b.Bad|5", "4:9:", "did you mean `5m`, `5h` or `5d`?"),
        ("a.b.Bad|1w", "4:9:", "`1w` is no frequency"),
        ("a.b.Bad|", "4:9:", "a frequency is missing"),
        ("a.b.Bad", "4:1:", "`a.b.Bad` has no frequency"),
        ("a.b.Bad|1d|25:00", "4:12:", "`25:00` is no time of day"),
        (
            "a.b.Bad|1h|03:45",
            "4:12:",
            "a time of day goes with whole days",
        ),
        ("a.b.Bad|1d|03:45|x", "4:18:", "a fourth part"),
        ("Bad|1d", "4:1:", "`Bad` is no class with its package"),
        ("ä.b.Bad|1d", "4:1:", "is no class with its package"),
    ] {
        let taken = Taken::ini(&with_jobs(&format!("{line}\na.b.Good|1d"))).await;
        assert_eq!(taken.code, Some(1), "{line}");
        taken.says(&format!("crontabber.ini:{place} not taken over: "));
        taken.says(message);
        assert_eq!(taken.jobs().await, ["good"], "{line}");
    }
}

#[tokio::test]
async fn the_section_of_a_class_can_say_when_it_runs() {
    let text = "[crontabber]\ndbname=x\njobs='a.b.Foo|1d|03:45;a.b.Bar|1h'\n\
        [[class-Foo]]\n  frequency=2d\n  time=04:00  # later\n  colour=crimson\n[[class-Bar]]\n  frequency=5\n";
    let taken = Taken::ini(text).await;
    assert_eq!(when(&taken, "foo").await, (json!("2d"), json!("04:00")));
    taken.says("crontabber.ini:9:13: not taken over: `5` has no unit");
    // Its other options stay where the class looks for them.
    taken.does_not_say("crimson");
}

#[tokio::test]
async fn classes_that_share_what_python_keeps_apart_badly_are_told() {
    let taken = Taken::ini(&with_jobs(
        "a.b.Foo|1d\nc.d.Foo|2h\na.b.Twice|1h\na.b.Twice|3h",
    ))
    .await;
    assert_eq!(taken.jobs().await, ["foo", "foo-2", "twice"]);
    assert_eq!(when(&taken, "foo").await.0, json!("1d"));
    assert_eq!(when(&taken, "foo-2").await.0, json!("2h"));
    assert_eq!(when(&taken, "twice").await.0, json!("3h"));
    taken.says("crontabber.ini:5:1: note: `a.b.Foo` and `c.d.Foo` share [[class-Foo]]");
    taken.says("crontabber.ini:6:1: note: `a.b.Twice` is listed again below, and that counts");
}

#[tokio::test]
async fn delays_and_ages_are_crontabbers_where_it_names_them() {
    let text = with_jobs("a.b.Foo|1d") + "    error_retry_time=90\n    max_ongoing_age_hours=1.5\n";
    let taken = Taken::ini(&text).await;
    let key = async |key| taken.key("foo", key).await;
    assert_eq!(key("retry.first").await, json!("1m30s"));
    assert_eq!(key("retry.max").await, json!("1m30s"));
    assert_eq!(
        (key("retry.factor").await, key("retry.jitter").await),
        (json!(1.0), json!(0.0))
    );
    assert_eq!(key("timeout").await, json!("1h30m"));
    // Runs of Python hosts are respected for as long, while there are any.
    let daemon = taken.shown().await["daemon"].clone();
    assert_eq!(daemon["max_ongoing_age"]["value"], json!("1h30m"));

    let unsaid = Taken::ini(&with_jobs("a.b.Foo|1d")).await;
    assert_eq!(unsaid.key("foo", "retry.factor").await, json!(2.0));
    assert_eq!(unsaid.key("foo", "timeout").await, json!("12h"));

    let text = with_jobs("a.b.Foo|1d") + "    error_retry_time=0\n    max_ongoing_age_hours=nan\n";
    let wrong = Taken::ini(&text).await;
    assert_eq!((wrong.code, wrong.jobs().await.len()), (Some(1), 1));
    wrong.says("crontabber.ini:6:5: not taken over: `0` is no value of `error_retry_time`");
    wrong.says("crontabber.ini:7:5: not taken over: `nan` is no value of `max_ongoing_age_hours`");
}

#[tokio::test]
async fn the_database_is_named_without_its_password() {
    let url = async |text: &str| {
        let taken = Taken::ini(&format!("[crontabber]\njobs='a.b.Foo|1d'\n{text}")).await;
        taken.does_not_say("hunter2");
        let shown = taken.shown().await;
        (shown["database"]["url"]["value"].clone(), taken)
    };
    let shared = "[resource]\n[[postgresql]]\nhost=db1\nport=5433\ndbname=breakpad\nuser=a b@c\npassword=hunter2\n";
    let (found, taken) = url(shared).await;
    assert_eq!(found, json!("postgresql://a%20b%40c@db1:5433/breakpad"));
    assert_eq!(taken.code, Some(1));
    taken.says(
        "crontabber.ini:9:1: not taken over: the password of the database is not repeated here",
    );
    taken.says("as db1:5433:breakpad:a b@c:PASSWORD");
    // What crontabber has of its own goes before what its classes share.
    let (found, _) = url(&format!("host='/run/postgresql'\n{shared}")).await;
    assert_eq!(
        found,
        json!("postgresql://a%20b%40c@%2Frun%2Fpostgresql:5433/breakpad")
    );
    let (found, taken) = url("host=::1\ndbname=x\n").await;
    assert_eq!(
        (found, taken.code),
        (json!("postgresql://[::1]/x"), Some(0))
    );
    // What only looks like such an address is a name, whatever is in it.
    let (found, taken) = url("host=a:b\0c\ndbname=x\n").await;
    assert_eq!(
        (found, taken.code),
        (json!("postgresql://a%3Ab%00c/x"), Some(0))
    );
    let (found, taken) = url("dbname=x\nport=many\n").await;
    assert_eq!(
        (found, taken.code),
        (json!("postgresql://localhost/x"), Some(1))
    );
    // And the program can make something of such a URL.
    let address = "postgresql://a%20b%40c@%2Frun%2Fpostgresql:5433/breakpad";
    let parsed = crontabber::store::Address::parse(
        address,
        &crontabber::store::Environment::of_this_process(),
    );
    let shown = parsed.unwrap().shown();
    assert!(shown.contains("a%20b%40c@"), "{shown}");
}

#[tokio::test]
async fn a_file_that_names_no_database_says_so() {
    let taken = Taken::ini("[crontabber]\njobs='a.b.Foo|1d'\n").await;
    assert_eq!(taken.code, Some(1));
    taken.says("crontabber.ini: not taken over: the file does not say where the database is");
    assert!(!taken.toml.contains("[database]"), "{}", taken.toml);
}

#[tokio::test]
async fn what_has_no_place_any_more_is_remarked() {
    let text = with_jobs("a.b.Foo|1d")
        + "    transaction_executor_class=x.Y\n    backoff_delays=\"1,2\"\n    host=%(dbname)s\n    hoost=x\n\
           [logging]\nsyslog_host=x\n[sentry]\ndsn=https://hunter2@sentry/1\n[resource]\n+include ./common.ini\n[[x]\nnonsense\n";
    let taken = Taken::ini(&text).await;
    assert_eq!((taken.code, taken.jobs().await.len()), (Some(1), 1));
    taken.does_not_say("hunter2");
    for said in [
        "6:5: note: crontabber connects, and tries again, by itself",
        "8:5: not taken over: `crontabber.host` refers to another setting",
        "9:5: note: `crontabber.hoost` stays in the ini, for the classes",
        "11:1: note: the log goes to stderr",
        "13:1: not taken over: failures are not sent to Sentry",
        "15:1: not taken over: `+include` is not followed",
        "16:1: not taken over: a section that is not closed",
        "17:1: not taken over: neither a section nor a key",
    ] {
        taken.says(&format!("crontabber.ini:{said}"));
    }
    let without = Taken::ini(&(with_jobs("a.b.Foo|1d") + "[sentry]\ndsn=\n")).await;
    assert_eq!(without.code, Some(0), "{}", without.said);
}

const CLASSES: &str = "a.b.FooCronApp|1d\na.b.Bar|1h\na.b.Baz|1d|03:45\na.b.Self|1h";

async fn with_names(names: &str) -> Taken {
    let directory = tempfile::tempdir().expect("/tmp takes directories");
    let file = directory.path().join("names");
    fs::write(&file, names).expect("the directory is writable");
    let options = [
        "--names",
        file.to_str().expect("the paths of tests are text"),
    ];
    Taken::ini_with(&with_jobs(CLASSES), &options).await
}

#[tokio::test]
async fn jobs_are_called_as_python_called_its_apps() {
    let taken = with_names(
        "# from run_class.py --describe\na.b.FooCronApp = foo-app\na.b.Bar = \"bar.app\"\n\
         \"a.b.Baz\" = { app_name = \"baz\", depends_on = [\"foo-app\", \"bar.app\"], backfill = true }\na.b.Self=me\n",
    )
    .await;
    assert_eq!(taken.code, Some(0), "{}", taken.said);
    assert_eq!(taken.jobs().await.len(), 4);
    assert_eq!(taken.key("foo-app", "class").await, json!("a.b.FooCronApp"));
    assert_eq!(taken.key("bar.app", "class").await, json!("a.b.Bar"));
    assert_eq!(
        taken.key("baz", "depends_on").await,
        json!(["foo-app", "bar.app"])
    );
    assert_eq!(taken.key("baz", "catch_up").await, json!("all"));
    assert!(!taken.toml.contains("# check"), "{}", taken.toml);
}

#[tokio::test]
async fn a_name_that_is_a_guess_is_marked() {
    let taken = with_names("a.b.Bar = foo\n").await;
    assert_eq!(taken.code, Some(0));
    // The name that is known is not given to the guess.
    assert_eq!(taken.key("foo", "class").await, json!("a.b.Bar"));
    assert_eq!(taken.key("foo-2", "class").await, json!("a.b.FooCronApp"));
    let marked = "# check: must be the app_name of a.b.FooCronApp\n";
    assert!(taken.toml.contains(marked), "{}", taken.toml);
    assert!(
        !taken.toml.contains("app_name of a.b.Bar\n"),
        "{}",
        taken.toml
    );
    taken.says("crontabber.ini: note: names marked `check` are guesses");
}

#[tokio::test]
async fn edges_that_no_job_could_pass_are_left_out_and_told() {
    let taken = with_names(
        "a.b.FooCronApp = foo, bar, elsewhere\na.b.Bar = bar, baz\na.b.Baz = baz, foo\na.b.Self = self, self\n",
    )
    .await;
    assert_eq!(taken.code, Some(1));
    for job in ["foo", "bar", "baz", "self"] {
        assert_eq!(taken.key(job, "depends_on").await, json!(null), "{job}");
    }
    taken.says("crontabber.ini:4:1: not taken over: `foo` waits for `elsewhere`: a job that is not in this file");
    taken.says("crontabber.ini:7:1: not taken over: `self` waits for `self`: itself");
    taken.says("not taken over: jobs wait for each other in a circle: bar, baz, foo");
}

#[tokio::test]
async fn two_classes_of_one_name_are_told() {
    let taken = with_names("a.b.FooCronApp = foo\na.b.Bar = foo\n").await;
    assert_eq!(taken.code, Some(1));
    taken.says("crontabber.ini:5:1: not taken over: two classes are called `foo`");
}

#[tokio::test]
async fn a_file_of_names_that_names_nothing_is_wrong_usage() {
    let taken = Taken::ini(&with_jobs(CLASSES)).await;
    fs::write(taken.file("names"), "a.b.Foo\n").unwrap();
    let arguments = ["import", "crontabber", "crontabber.ini", "--names", "names"];
    let finished = taken.run(&arguments).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(64), ""));
    assert!(
        finished.stderr.contains("names: line 1: there is no `=`"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn a_drop_in_has_jobs_and_a_template_and_the_rest_in_comments() {
    let text = with_jobs("a.b.Foo|1d") + "    error_retry_time=60\n";
    let taken = Taken::ini_with(&text, &["--drop-in"]).await;
    fs::create_dir(taken.file("jobs.d")).unwrap();
    fs::rename(taken.file("crontabber.toml"), taken.file("jobs.d/old.toml")).unwrap();
    let main = "[database]\nurl = \"postgresql:///x\"\n[compat]\nrun_with = [\"python2.7\"]\n[defaults]\ntimezone = \"Asia/Tokyo\"\n";
    fs::write(taken.file("crontabber.toml"), main).unwrap();
    assert_eq!(taken.key("foo", "retry.max").await, json!("1m"));
    assert_eq!(taken.key("foo", "timezone").await, json!("UTC"));
    for section in [
        "# Belongs in the main file:\n# [database]\n",
        "# [compat]\n",
    ] {
        assert!(taken.toml.contains(section), "{}", taken.toml);
    }
}
