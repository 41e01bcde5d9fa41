//! What programs read.

use std::{fs, path::Path};

use serde_json::Value;

use super::host::{Host, JOBS};

#[tokio::test]
async fn programs_read_json_with_every_promised_key() {
    let host = Host::new(JOBS).await;
    host.run(&["tick"]).await;
    host.database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, run_id = gen_random_uuid(), run_slot = now(), attempt = 1,
             run_trigger = 'manual', host = 'web2', ongoing = now(), lease_until = now() + interval '1 hour'
             WHERE app_name = 'fetch'; INSERT INTO crontabber (app_name, ongoing) VALUES ('python_job', now())",
        )
        .await;
    let list = host.json(&["list"]).await;
    for job in list.as_array().expect("an array") {
        has_keys(
            job,
            "name state schedule next_run slot last_run last_success error_count last_error depends_on paused ongoing why last_host",
        );
    }
    let named = |name: &str| {
        let jobs = list.as_array().expect("an array");
        jobs.iter()
            .find(|job| job["name"] == name)
            .unwrap_or_else(|| panic!("{name} is not listed"))
    };
    has_keys(
        &named("fetch")["ongoing"],
        "since host run_id lease_until attempt",
    );
    assert_eq!(named("fetch")["ongoing"]["host"], "web2");
    assert_eq!(named("report")["depends_on"], serde_json::json!(["mail"]));
    assert_eq!(named("mail")["error_count"], 1);
    assert_eq!(named("mail")["last_error"], "exit 3: 421 busy");
    assert_eq!(named("mail")["last_host"], "web1");
    assert_eq!(named("python_job")["ongoing"]["host"], "python");
    assert!(
        named("mail")["last_run"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z'))
    );

    let ongoing = host.json(&["ongoing"]).await;
    assert_eq!(ongoing.as_array().map(Vec::len), Some(2));
    for run in ongoing.as_array().expect("an array") {
        has_keys(
            run,
            "name known since host run_id lease_until attempt slot trigger",
        );
    }
    let history = host.json(&["history", "mail"]).await;
    has_keys(
        &history[0],
        "run_id name slot slot_until slots attempt fence host trigger outcome reason started_at finished_at exit_code signal",
    );
    assert_eq!(
        (&history[0]["outcome"], &history[0]["exit_code"]),
        (&"failure".into(), &3.into())
    );
    let why = host.json(&["why", "report"]).await;
    has_keys(&why, "name state conclusion checks commands");
    has_keys(&why["checks"][0], "check passed detail");
    let show = host.json(&["show", "mail"]).await;
    has_keys(&show, "name state definition next_slots runs last_output");
    assert_eq!(show["definition"]["timeout"], 43_200.0);
    assert_eq!(show["last_output"], "421 busy\n");
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect()
}

fn has_keys(value: &Value, wanted: &str) {
    let keys = keys(value);
    for key in wanted.split_whitespace() {
        assert!(keys.contains(&key), "`{key}` is missing: {value:#}");
    }
}

#[test]
fn every_key_of_the_json_is_documented() {
    let documented = fs::read_to_string("docs/json.md").expect("docs/json.md");
    let mut directory: Vec<_> = fs::read_dir("tests/cli_read/golden")
        .expect("the golden files")
        .flatten()
        .collect();
    directory.retain(|file| {
        Path::new(&file.file_name())
            .extension()
            .is_some_and(|extension| extension == "json")
    });
    assert_eq!(directory.len(), 7);
    for file in directory {
        let text = fs::read_to_string(file.path()).expect("it was listed");
        let value: Value = serde_json::from_str(&text).expect("golden JSON is JSON");
        for key in all_keys(&value) {
            assert!(
                documented.contains(&format!("`{key}`")),
                "{key} of {}",
                file.path().display()
            );
        }
    }
}

fn all_keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match key.as_str() {
                // What a job counts is its own affair.
                "counts" => vec![key.clone()],
                _ => [vec![key.clone()], all_keys(value)].concat(),
            })
            .collect(),
        Value::Array(values) => values.iter().flat_map(all_keys).collect(),
        _ => Vec::new(),
    }
}
