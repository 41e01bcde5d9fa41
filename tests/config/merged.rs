//! What the files mean together.

use std::{fs, path::PathBuf, time::Duration};

use crontabber::{
    config::{Surroundings, load_in, reference},
    spec::{JobName, JobSpec, Kind, Lease, NO_TIMEOUT},
};
use proptest::prelude::*;

use super::written::{DATABASE, HELLO, Written};

fn job(text: &str) -> JobSpec {
    let config = Written::main(text).sound();
    let name: JobName = "a".parse().expect("it is a good name");
    config.graph.get(&name).expect("it is there").clone()
}

#[test]
fn a_job_lies_over_its_template_over_the_defaults_over_what_is_built_in() {
    let a = job("
        [defaults]
        timeout = \"1h\"
        on_lost = \"skip\"
        cwd = \"/defaults\"
        [templates.t]
        timeout = \"2h\"
        cwd = \"/template\"
        [jobs.a]
        template = \"t\"
        cwd = \"/job\"
        command = [\"true\"]
    ");
    assert_eq!(a.cwd, Some(PathBuf::from("/job")));
    assert_eq!(a.timeout, Duration::from_hours(2));
    assert_eq!(format!("{:?}", a.on_lost), "Skip");
    assert_eq!(a.temporary_exit_codes, [75]);
}

#[test]
fn a_class_is_run_by_the_program_that_runs_classes() {
    let text = "
        [compat]
        run_with = [\"python2.7\", \"/run_class.py\", \"--admin.conf=/etc/{host}.ini\"]
        [templates.t]
        class = \"feeds.jobs.Feed\"
        [jobs.a]
        template = \"t\"
    ";
    let a = job(text);
    let argv = [
        "python2.7",
        "/run_class.py",
        "--admin.conf=/etc/{host}.ini",
        "feeds.jobs.Feed",
    ];
    assert_eq!(a.kind, Kind::Command(argv.map(str::to_owned).to_vec()));
    assert_eq!(a.class.as_deref(), Some("feeds.jobs.Feed"));
    // One answer to one question: the job's own kind leaves nothing of its template's.
    let a = job(&format!("{text} command = [\"true\"]"));
    assert_eq!(a.kind, Kind::Command(vec!["true".to_owned()]));
    assert_eq!(a.class, None);
}

#[test]
fn tables_merge_key_by_key_and_lists_replace() {
    let a = job("
        [defaults]
        env = { A = \"defaults\", B = \"defaults\" }
        retry = { first = \"1m\", jitter = 0 }
        hosts = [\"web*\"]
        tags = [\"x\"]
        [jobs.a]
        env = { B = \"job\", C = \"job\" }
        retry = { factor = 3 }
        hosts = [\"tag:eu\"]
        command = [\"true\"]
    ");
    let env: Vec<_> = a
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(env, ["A=defaults", "B=job", "C=job"]);
    assert_eq!(a.retry.first, Duration::from_mins(1));
    assert_eq!(a.retry.max, Duration::from_hours(1));
    assert_eq!((a.retry.factor, a.retry.jitter), (3.0, 0.0));
    assert_eq!(a.placement.hosts, ["tag:eu"]);
    assert_eq!(a.tags, ["x"]);
}

#[test]
fn a_job_with_a_schedule_has_nothing_to_do_with_the_period_of_its_template() {
    let template = "[templates.t]\nevery = \"1d\"\nat = \"06:30\"\nshell = \"true\"\n[jobs.a]\ntemplate = \"t\"\n";
    let when = |text: &str| {
        job(&format!("{template}{text}"))
            .timetable
            .unwrap()
            .to_string()
    };
    assert_eq!(when(""), "every 1d at 06:30");
    assert_eq!(when("at = \"07:00\""), "every 1d at 07:00");
    assert_eq!(when("every = \"1h\""), "every 1h");
    assert_eq!(when("schedule = \"0 * * * *\""), "0 * * * *");
    let kind = job(&format!("{template}command = [\"false\"]")).kind;
    assert_eq!(kind, Kind::Command(vec!["false".to_owned()]));
}

#[test]
fn a_lease_that_is_named_alone_sets_its_parts() {
    let lease = |text: &str| job(&format!("[jobs.a]\ncommand = [\"true\"]\n{text}")).lease;
    assert_eq!(lease(""), Lease::of(Duration::from_mins(2)));
    assert_eq!(lease("lease = \"6s\""), Lease::of(Duration::from_secs(6)));
    let named = lease("lease = \"1m\"\ngrace = \"20s\"");
    assert_eq!(named.grace, Duration::from_secs(20));
    assert_eq!(named.heartbeat, Duration::from_secs(10));
}

#[test]
fn the_lease_of_the_host_holds_for_its_jobs() {
    let text = format!("[daemon]\nlease = \"1m\"\n{}", HELLO.replace("hello", "a"));
    assert_eq!(job(&text).lease, Lease::of(Duration::from_mins(1)));
    assert_eq!(
        Written::main(&text).sound().daemon.lease,
        Lease::of(Duration::from_mins(1))
    );
}

#[test]
fn a_host_has_at_least_four_runs_at_once() {
    assert_eq!(Written::main(HELLO).sound().daemon.max_parallel, 4);
}

#[test]
fn the_definition_is_what_a_job_is_and_not_how_it_is_called() {
    let job = |text: &str| job(&format!("[jobs.a]\n{text}\n")).definition();
    let plain = job("command = [\"true\"]");
    assert_eq!(plain.len(), 16);
    assert_eq!(
        plain,
        job("# moved\n\ndescription = \"x\"\ntags = [\"y\"]\ncommand = ['true']")
    );
    assert_ne!(plain, job("command = [\"false\"]"));
    assert_ne!(plain, job("command = [\"true\"]\ntimeout = \"1h\""));
}

#[test]
fn show_names_the_origin_of_every_value() {
    let written = Written::main(
        "[defaults]\ntimeout = \"1h\"\n\n[templates.t]\ncwd = \"/srv\"\nretry = { first = \"1m\" }\n\n\
         [jobs.a]\ntemplate = \"t\"\nschedule = \"*/10 * * * *\"\nsecrets = { TOKEN = { credential = \"token\" } }\n\
         command = [\"echo\", \"a \\\"b\\\"\"]\n",
    );
    let config = written.sound();
    let shown = config.show(Some(&"a".parse().unwrap()));
    let expected = r#"# crontabber.toml

[jobs.a]
template = "t"                            # crontabber.toml:12
schedule = "*/10 * * * *"                 # crontabber.toml:13
timezone = "UTC"                          # default
jitter = "0s"                             # default
start = "next"                            # default
timeout = "1h"                            # crontabber.toml:5
lease = "2m"                              # default
heartbeat = "20s"                         # lease / 6
margin = "20s"                            # lease / 6
grace = "10s"                             # lease / 12
retry.first = "1m"                        # template t (crontabber.toml:9)
retry.factor = 2.0                        # default
retry.max = "1h"                          # default
retry.jitter = 0.1                        # default
retry.attempts = 0                        # default
on_lost = "retry"                         # default
catch_up = "latest"                       # default
overlap = "skip"                          # default
keep_running = false                      # default
on_db_loss = "kill"                       # default
stream_output = false                     # default
hosts = []                                # default
on = "one"                                # default
secrets.TOKEN = { credential = "token" }  # crontabber.toml:14
cwd = "/srv"                              # template t (crontabber.toml:8)
temporary_exit_codes = [75]               # default
fatal_exit_codes = [64, 78]               # default
keep.days = 90                            # default
keep.runs = 100                           # default
command = ["echo", 'a "b"']               # crontabber.toml:15
"#;
    assert_eq!(written.without_directory(&shown), expected);
    let json = config.show_json(None);
    assert_eq!(json["jobs.a"]["timeout"]["value"], "1h");
    assert_eq!(json["daemon"]["max_parallel"]["value"], 4);
    assert_eq!(json["database"]["schema"]["origin"], "default");
    assert!(
        config
            .show(Some(&"nobody".parse().unwrap()))
            .lines()
            .count()
            == 1
    );
}

#[test]
fn a_job_that_is_kept_running_has_delays_of_its_own_and_no_timeout() {
    let text = "[defaults]\ntimeout = \"1h\"\nevery = \"1d\"\nretry = { first = \"2m\", jitter = 0 }\n\
                [templates.t]\nkeep_running = true\nretry = { max = \"5m\" }\n\
                [jobs.a]\ntemplate = \"t\"\ncommand = [\"relay\"]\n";
    let a = job(text);
    assert!(a.keep_running && a.timetable.is_none());
    assert_eq!(a.timeout, NO_TIMEOUT);
    assert_eq!(
        (a.retry.first, a.retry.jitter),
        (Duration::from_secs(1), 0.0)
    );
    assert_eq!(a.retry.max, Duration::from_mins(5));
    let named = job(&format!(
        "{text}timeout = \"1d\"\nretry = {{ first = \"3s\" }}\n"
    ));
    assert_eq!(named.timeout, Duration::from_hours(24));
    assert_eq!(named.retry.first, Duration::from_secs(3));
    let other = job(&text.replace("keep_running = true", "keep_running = false"));
    assert_eq!(other.timeout, Duration::from_hours(1));
    assert_eq!(other.retry.first, Duration::from_mins(2));
    assert!(other.timetable.is_some());
}

#[test]
fn show_names_what_a_job_that_is_kept_running_has_from_where() {
    let written = Written::main(
        "[defaults]\ntimeout = \"1h\"\n\n[jobs.a]\nkeep_running = true\nretry = { max = \"5m\" }\n\
         command = [\"relay\"]\n",
    );
    let config = written.sound();
    let json = config.show_json(Some(&"a".parse().unwrap()));
    let shown = |key: &str| {
        let line = &json["jobs.a"][key];
        let origin = written.without_directory(&line["origin"].as_str().unwrap());
        format!("{} {origin}", line["value"].as_str().unwrap())
    };
    assert_eq!(shown("timeout"), "never default");
    assert_eq!(shown("retry.first"), "1s default");
    assert_eq!(shown("retry.max"), "5m crontabber.toml:9");
}

#[test]
fn any_job_may_take_as_long_as_it_wants() {
    let a = job("[jobs.a]\nevery = \"1d\"\ntimeout = \"never\"\ncommand = [\"true\"]\n");
    assert_eq!(a.timeout, NO_TIMEOUT);
}

#[test]
fn what_show_prints_is_toml_again() {
    let config = load_in(
        Some("examples/complete/crontabber.toml".as_ref()),
        &Surroundings::none(),
    );
    let shown = config
        .unwrap_or_else(|report| panic!("{report}"))
        .show(None);
    let parsed: toml::Table = shown
        .parse()
        .unwrap_or_else(|error| panic!("{error}\n{shown}"));
    assert_eq!(
        parsed["jobs"]["feed_scrape"]["retry"]["attempts"].as_integer(),
        Some(6)
    );
}

#[test]
fn every_file_of_the_examples_loads() {
    let examples = fs::read_dir("examples").expect("there are examples");
    let mut loaded = 0;
    for example in examples {
        let main = example
            .expect("it can be read")
            .path()
            .join("crontabber.toml");
        if main.exists() {
            let config = load_in(Some(&main), &Surroundings::none());
            let config = config.unwrap_or_else(|report| panic!("{report}"));
            assert!(config.database.is_some() && !config.graph.jobs().is_empty());
            loaded += 1;
        }
    }
    assert!(loaded > 0);
}

#[test]
fn the_reference_has_every_key_with_its_default() {
    let keys = reference();
    let find = |section: &str, key: &str| {
        let found = keys
            .iter()
            .find(|found| found.section == section && found.key == key);
        found.unwrap_or_else(|| panic!("{section}.{key} is not in the reference"))
    };
    assert_eq!(
        find("jobs.NAME", "timeout").default.as_deref(),
        Some("\"12h\"")
    );
    assert_eq!(
        find("jobs.NAME", "retry.factor").default.as_deref(),
        Some("2.0")
    );
    assert_eq!(find("jobs.NAME", "cwd").default, None);
    assert_eq!(
        find("check", "errors_backfill").default.as_deref(),
        Some("{ warning = 1, critical = 2 }")
    );
    assert_eq!(
        find("database", "schema").default.as_deref(),
        Some("\"public\"")
    );
    assert!(
        keys.iter()
            .all(|key| key.about.ends_with('.') && !key.expected.is_empty())
    );
}

#[test]
fn a_name_of_a_mebibyte_is_refused_in_a_few_lines() {
    let name = "x".repeat(1 << 20);
    let written = Written::main(&format!(
        "[jobs.{name}]\ncommand = [\"true\"]\ndepends_on = [\"{name}\"]\n"
    ));
    let refused = written.refused();
    assert!(
        refused.contains("error[bad-name]") && refused.len() < 2000,
        "{}",
        refused.len()
    );
}

#[test]
fn a_thousand_jobs_that_miss_one_parent_are_told_in_time() {
    let mut jobs = String::new();
    for number in 0..1000 {
        let parent = format!("depends_on = [\"j{number}x\"]");
        jobs.push_str(
            &[
                "[jobs.j",
                &number.to_string(),
                "]\n",
                &parent,
                "\nshell = \"true\"\n",
            ]
            .concat(),
        );
    }
    let report = Written::main(&jobs).load().expect_err("it is wrong");
    assert_eq!(report.errors(), 1000);
    assert!(report.to_string().contains("... and 500 more"));
}

/// Text that looks like a configuration until it does not.
fn almost_toml() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("[database]".to_owned()),
        Just("[daemon]".to_owned()),
        Just("[defaults]".to_owned()),
        Just("[check]".to_owned()),
        "\\[(jobs|templates|notify)\\.[a-c]\\]",
        "(every|at|schedule|timeout|lease|grace|retry|env|secrets|with|hosts|command|shell|sql|url|tags|keep|notify|depends_on|cwd|template|jobs) = .{0,20}",
        "(every|at|schedule|timeout|lease|command|depends_on|template|env|hosts) = (\"[a-c0-9*: ]{0,8}\"|\\[\"[a-c]\"\\]|\\{ [a-c] = \"x\" \\}|[0-9]{1,20}|[0-9]\\.[0-9])",
        ".{0,30}",
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_answered_and_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let written = Written::new(&[]);
        written.write("crontabber.toml", &bytes);
        answer(&written);
    }

    #[test]
    fn almost_a_configuration_is_answered_and_never_a_panic(text in almost_toml(), drop_in in almost_toml()) {
        let written = Written::new(&[("crontabber.toml", &text), ("jobs.d/a.toml", &drop_in)]);
        answer(&written);
    }
}

/// Everything that can be asked of whatever comes out.
fn answer(written: &Written) {
    match written.load() {
        Ok(config) => {
            let _ = (
                config.show(None),
                config.show_json(None),
                config.require_database(),
            );
            let _ = config.check_secrets(&Surroundings::none()).to_string();
        }
        Err(report) => {
            assert!(report.errors() > 0);
            let text = report.to_string();
            assert!(
                text.chars().all(|c| c == '\n' || !c.is_control()),
                "{text:?}"
            );
            let _ = report.to_json();
        }
    }
}

#[test]
fn a_database_says_where_it_is() {
    let text = format!("[database]\nembedded = true\ndirectory = \"/srv/db\"\n{HELLO}");
    let config = Written::new(&[("crontabber.toml", &text)]).sound();
    let access = format!("{:?}", config.require_database().unwrap().access);
    assert_eq!(
        access,
        "Embedded { directory: Some(\"/srv/db\"), bin_directory: None }"
    );
    assert!(
        Written::new(&[("crontabber.toml", &format!("{DATABASE}{HELLO}"))])
            .sound()
            .warnings
            .is_empty()
    );
}
