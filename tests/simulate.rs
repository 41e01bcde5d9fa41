//! `crontabber simulate`, without a database: what it says, and how.

mod common;

use std::fs;

use common::{Crontabber, Finished};
use tempfile::TempDir;

const JOBS: &str = r#"
[database]
url = "postgresql:///nowhere"

[daemon]
max_parallel = 1

[jobs.import]
schedule = "0 * * * *"
command = ["true"]

[jobs.report]
schedule = "30 2 * * *"
depends_on = ["import"]
command = ["true"]

[jobs.mail]
schedule = "0 3 * * *"
catch_up = "none"
command = ["true"]

[jobs.everywhere]
schedule = "45 4 * * *"
on = "each"
command = ["true"]
"#;

async fn simulate(arguments: &[&str]) -> Finished {
    let directory = TempDir::new().expect("/tmp takes directories");
    let file = directory.path().join("crontabber.toml");
    fs::write(&file, JOBS).expect("the directory is writable");
    let arguments = ["simulate", "--offline"].iter().chain(arguments);
    Crontabber::new(arguments.copied().collect::<Vec<_>>())
        .env("CRONTABBER_CONFIG", &file)
        .env("CRONTABBER_HOST", "alpha")
        .run()
        .await
}

const DAY: [&str; 4] = [
    "--from",
    "2031-05-05T00:00:00Z",
    "--to",
    "2031-05-06T00:00:00Z",
];

/// The columns of each job: name, runs, failed, lost, seconds, skipped.
async fn sums(more: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = DAY.iter().chain(more).copied().collect();
    let finished = simulate(&arguments).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines = finished.stdout.lines();
    lines.map(|line| line.trim_end().to_owned()).collect()
}

#[tokio::test]
async fn a_day_without_trouble_runs_each_slot_once() {
    let expected = [
        "everywhere@alpha\t1\t0\t0\t10",
        "import\t24\t0\t0\t240",
        "mail\t1\t0\t0\t10",
        "report\t1\t0\t0\t10",
    ];
    assert_eq!(sums(&[]).await, expected);
}

#[tokio::test]
async fn a_host_that_is_down_loses_its_run_and_what_it_missed_follows_each_job_s_policy() {
    let down = "alpha@2031-05-05T01:00:05Z..2031-05-05T09:00:30Z";
    let expected = [
        // At 04:45 nobody was there; it runs when the host is back.
        "everywhere@alpha\t1\t0\t0\t10",
        // 01:00 was lost half-way; of 02:00 to 09:00 the latest runs.
        "import\t17\t0\t1\t165\t8 coalesced",
        "mail\t0\t0\t0\t0\t1 missed",
        "report\t1\t0\t0\t10",
    ];
    let sums = sums(&["--down", down]).await;
    assert_eq!(sums.len(), expected.len(), "{sums:?}");
    assert_eq!(sums[0], expected[0]);
    assert!(sums[1].starts_with("import\t17\t0\t1\t"), "{sums:?}");
    assert!(sums[1].ends_with("coalesced"), "{sums:?}");
    assert_eq!(sums[2..], expected[2..]);
}

#[tokio::test]
async fn jobs_that_have_had_their_time_keep_no_others_waiting_behind_them() {
    let directory = TempDir::new().expect("/tmp takes directories");
    let file = directory.path().join("crontabber.toml");
    let rest = "schedule = \"0 3 * * *\"\ncommand = [\"true\"]";
    let config = format!(
        "[database]\nurl = \"postgresql:///nowhere\"\n[daemon]\nmax_parallel = 1\n\
         [jobs.a]\ncatch_up = \"none\"\n{rest}\n\
         [jobs.b]\ncatch_up = \"none\"\n{rest}\n\
         [jobs.c]\ncatch_up = \"latest\"\n{rest}\n"
    );
    fs::write(&file, config).expect("the directory is writable");
    let down = "alpha@2031-05-05T02:00:00Z..2031-05-05T09:00:30Z";
    let arguments = ["simulate", "--offline", "--down", down];
    let finished = Crontabber::new(arguments.into_iter().chain(DAY).collect::<Vec<_>>())
        .env("CRONTABBER_CONFIG", &file)
        .env("CRONTABBER_HOST", "alpha")
        .run()
        .await;
    let expected = "a\t0\t0\t0\t0\t1 missed\nb\t0\t0\t0\t0\t1 missed\nc\t1\t0\t0\t10\t\n";
    assert_eq!(finished.stdout, expected);
}

#[tokio::test]
async fn another_host_takes_over_and_each_runs_what_is_for_each() {
    let down = "alpha@2031-05-05T01:00:05Z..2031-05-06T00:00:00Z";
    let sums = sums(&["--on", "alpha", "--on", "beta", "--down", down]).await;
    let names: Vec<&str> = sums
        .iter()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(names, ["everywhere@beta", "import", "mail", "report"]);
    let import = sums[1].split('\t').collect::<Vec<_>>();
    // Whoever had the run of 01:00: all 24 slots are done, the lost one twice.
    assert!(matches!(import[1], "24" | "25"), "{sums:?}");
}

#[tokio::test]
async fn a_failure_keeps_the_child_waiting_until_the_retry() {
    let arguments: Vec<&str> = DAY
        .iter()
        .chain(&[
            "--fail",
            "import@2031-05-05T02:00:00Z",
            "--took",
            "import=1m",
        ])
        .chain(&["--json"])
        .copied()
        .collect();
    let finished = simulate(&arguments).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let told: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let runs = told["events"].as_array().expect("an array");
    let of = |name: &str| {
        let runs = runs.iter().filter(|run| run["name"] == name);
        runs.map(|run| {
            (
                run["slot"].as_str(),
                run["outcome"].as_str(),
                run["attempt"].as_i64(),
            )
        })
        .collect::<Vec<_>>()
    };
    let two = Some("2031-05-05T02:00:00Z");
    let tries: Vec<_> = of("import")
        .into_iter()
        .filter(|run| run.0 == two)
        .collect();
    let expected = [
        (two, Some("failure"), Some(1)),
        (two, Some("success"), Some(2)),
    ];
    assert_eq!(tries, expected);
    assert_eq!(of("report").len(), 1);
    assert_eq!(told["peak"]["runs"], 1, "one host, one run at once");
    assert_eq!(told["hosts"], serde_json::json!(["alpha"]));
}

#[tokio::test]
async fn a_night_in_which_clocks_jump_is_played_as_it_will_be() {
    let directory = TempDir::new().expect("/tmp takes directories");
    let file = directory.path().join("crontabber.toml");
    let job = "[database]\nurl = \"postgresql:///nowhere\"\n[jobs.night]\nschedule = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\ncommand = [\"true\"]\n";
    fs::write(&file, job).expect("the directory is writable");
    let arguments = [
        "simulate",
        "--offline",
        "--json",
        "--from",
        "2031-03-29T12:00:00Z",
        "--to",
        "2031-03-31T12:00:00Z",
    ];
    let finished = Crontabber::new(arguments)
        .env("CRONTABBER_CONFIG", &file)
        .run()
        .await;
    let told: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
    let slots: Vec<_> = told["events"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|run| run["slot"].clone())
        .collect();
    // 02:30 does not exist in the night to 30 March: at the jump.
    assert_eq!(slots, ["2031-03-30T01:00:00Z", "2031-03-31T00:30:00Z"]);
}

#[tokio::test]
async fn what_is_typed_wrong_is_told_with_what_to_type() {
    let wrong = [
        (vec!["--to", "2001-01-01T00:00:00Z"], "before it begins"),
        (
            vec!["--down", "alpha"],
            "`alpha` is not of the form HOST@T1..T2",
        ),
        (
            vec!["--down", "alpha@2031-05-05T00:00:00Z"],
            "is not of the form HOST@T1..T2",
        ),
        (
            vec!["--fail", "imprt@2031-05-05T00:00:00Z"],
            "did you mean `import`?",
        ),
        (vec!["--took", "import=soon"], "`soon`"),
        (vec!["--from", "yesterday"], "`yesterday` is no instant"),
        (vec!["--on", "no such"], "`no such` is no name of a host"),
    ];
    for (arguments, said) in wrong {
        let finished = simulate(&arguments).await;
        assert_eq!(finished.code, Some(64), "{arguments:?}: {finished:?}");
        assert!(
            finished.stderr.contains(said),
            "{arguments:?}: {}",
            finished.stderr
        );
    }
}
