//! The shipped jobs: each of them loads, and says what it should about a machine that is well and one that is not.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use crontabber::{
    config::{self, Config},
    spec::{JobSpec, Kind},
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// A configuration with the shipped jobs and nothing else.
fn shipped() -> Config {
    let home = tempfile::tempdir().expect("/tmp takes directories");
    let file = home.path().join("crontabber.toml");
    let jobs = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    fs::write(
        &file,
        format!(
            "jobs = [{:?}]\n[database]\nembedded = true\n",
            jobs.display().to_string()
        ),
    )
    .expect("it is ours");
    config::load(Some(&file)).unwrap_or_else(|report| panic!("{report}"))
}

/// Runs the script of a shipped job with its own environment, and these variables instead.
fn run(job: &str, variables: &[(&str, &str)]) -> Output {
    let config = shipped();
    let job = config
        .graph
        .jobs()
        .iter()
        .find(|spec| spec.name.as_str() == job)
        .expect("it is shipped");
    let Kind::Shell(script) = &job.kind else {
        panic!("it is no script")
    };
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", script])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    shell.envs(job.env.iter().map(|(name, value)| (name, value)));
    shell
        .envs(variables.iter().copied())
        .output()
        .expect("there is a shell")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_file_in_jobs_loads_without_a_warning_and_defines_the_job_of_its_name() {
    let config = shipped();
    assert!(config.warnings.is_empty(), "{}", config.warnings);
    let is_at_home = |spec: &JobSpec| {
        spec.origin
            .file
            .file_stem()
            .is_some_and(|stem| stem == spec.name.as_str())
    };
    for spec in config.graph.jobs() {
        assert!(
            is_at_home(spec),
            "{} is defined in {}",
            spec.name,
            spec.origin.file.display()
        );
        assert!(
            spec.description.is_some(),
            "{} has no description",
            spec.name
        );
    }
    assert!(!config.graph.jobs().is_empty());
}

#[test]
fn the_demo_loads_without_a_warning() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo/crontabber.toml");
    let config = config::load(Some(&file)).unwrap_or_else(|report| panic!("{report}"));
    assert!(config.warnings.is_empty(), "{}", config.warnings);
}

#[test]
fn disk_usage_names_the_filesystems_above_the_limit_and_no_others() {
    let full = run("disk_usage", &[("LIMIT", "-1")]);
    assert_eq!(full.status.code(), Some(1));
    assert!(said(&full).contains("/ is "), "{full:?}");
    let well = run("disk_usage", &[("LIMIT", "100")]);
    assert_eq!((well.status.code(), said(&well).as_str()), (Some(0), ""));
}

/// A certificate that is valid until the first day of this year.
fn certificate(directory: &TempDir, name: &str, until: i32) -> String {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("a key");
    let path = directory.path().join(name);
    fs::write(
        &path,
        params.self_signed(&key).expect("a certificate").pem(),
    )
    .expect("it is ours");
    path.display().to_string()
}

#[test]
fn certificates_names_those_that_expire_and_no_others() {
    let home = tempfile::tempdir().expect("/tmp takes directories");
    let good = certificate(&home, "good.pem", 4000);
    let bad = certificate(&home, "bad.pem", 2020);
    let output = run(
        "certificates",
        &[("FILES", &format!("{}/*.pem", home.path().display()))],
    );
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said(&output).contains(&bad) && !said(&output).contains(&good),
        "{output:?}"
    );
    let output = run("certificates", &[("FILES", &good)]);
    assert_eq!(
        (output.status.code(), said(&output).as_str()),
        (Some(0), "")
    );
}

#[test]
fn certificates_that_do_not_exist_are_no_mistake() {
    let output = run(
        "certificates",
        &[("FILES", "/nonexistent/*.pem /nonexistent/cert.pem")],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
