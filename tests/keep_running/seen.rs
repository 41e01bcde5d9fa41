//! How it is shown.

use serde_json::Value;

use crate::common::{Site, tables};

#[tokio::test]
async fn list_and_show_say_that_it_is_kept_running() {
    let database = tables().await;
    let site = Site::with(&database, |site| {
        let keys = "keep_running = true\non_db_loss = \"continue\"";
        site.job("relay", keys, "true")
    });
    site.on("alpha", &["tick"]).run().await;
    let listed = site.on("alpha", &["list"]).run().await.stdout;
    assert!(listed.contains("kept running"), "{listed}");
    assert!(
        listed.contains("kept running by daemons: no pass runs it"),
        "{listed}"
    );
    let shown = site.on("alpha", &["show", "relay"]).run().await.stdout;
    let value = |label: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("no {label} in {shown}"))
            .trim()
            .to_owned()
    };
    assert_eq!(value("schedule"), "kept running");
    assert_eq!(value("timeout"), "never");
    assert_eq!(
        value("promise"),
        "at least once: it goes on while the database is away, and another host may run it meanwhile"
    );
    let json = site
        .on("alpha", &["show", "relay", "--json"])
        .run()
        .await
        .stdout;
    let json: Value = serde_json::from_str(&json).expect("an object");
    assert_eq!(json["state"], "due");
    assert_eq!(json["schedule"], Value::Null);
    let definition = &json["definition"];
    assert_eq!(definition["keep_running"], true);
    assert_eq!(definition["timeout"], Value::Null);
    assert_eq!(definition["on_db_loss"], "continue");
    assert_eq!(definition["promise"], "at_least_once");
}
