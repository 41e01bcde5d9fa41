//! The JSON of these commands, and that all of it is documented.

use std::fs;

use serde_json::Value;

use crate::common::{Finished, Postgres, Site};

fn parsed(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {finished:?}"))
}

fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            // What a row of the audit holds are columns.
            .filter(|(key, _)| *key != "detail")
            .flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat())
            .collect(),
        Value::Array(values) => values.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn every_command_answers_in_json_and_every_key_is_documented() {
    let documented = fs::read_to_string("docs/json.md").expect("docs/json.md");
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| site.job("it", "every = \"1h\"", "exit 1"));
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    database
        .execute("INSERT INTO crontabber (app_name, next_run) VALUES ('old', now())")
        .await;
    let until = "2098-01-01T00:00:00Z";
    for (line, code, did) in [
        (
            &["pause", "it", "--until", until, "--reason", "swap"][..],
            0,
            "paused",
        ),
        (&["resume", "it"], 0, "resumed"),
        (&["reset", "it"], 0, "reset"),
        (&["mark", "it", "--success"], 0, "marked"),
        (&["ghosts"], 1, ""),
        (&["ghosts", "--remove", "old", "--yes"], 0, "removed"),
        (&["cancel", "it"], 4, ""),
        (&["trigger", "it"], 0, "triggered"),
        (&["trigger", "it"], 4, ""),
        (&["cancel", "it"], 0, "untriggered"),
        (&["hosts"], 0, ""),
        (&["audit"], 0, ""),
    ] {
        let finished = site.on("alpha", &[line, &["--json"]].concat()).run().await;
        assert_eq!(finished.code, Some(code), "{finished:?}");
        let told = parsed(&finished);
        for key in keys(&told) {
            assert!(
                documented.contains(&format!("`{key}`")),
                "`{key}` of {line:?}"
            );
        }
        if !did.is_empty() {
            // Those that change any number of jobs answer with an array.
            let told = if told.is_array() { &told[0] } else { &told };
            assert_eq!(told["did"], did, "{told:#}");
            assert!(documented.contains(&format!("`{did}`")), "`{did}`");
        }
    }
}

#[tokio::test]
async fn what_was_refused_is_in_the_json_too() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("a", "every = \"1h\"", "true") + &site.job("b", "every = \"1h\"", "true")
    });
    assert_eq!(site.on("alpha", &["tick"]).run().await.code, Some(0));
    database
        .execute(
            "UPDATE crontabber SET revision = revision + 1, ongoing = now() WHERE app_name = 'b'",
        )
        .await;
    let reset = site.on("alpha", &["reset", "a", "b", "--json"]).run().await;
    assert_eq!((reset.code, reset.stderr.as_str()), (Some(3), ""));
    let told = parsed(&reset);
    assert_eq!(
        (&told[0]["did"], &told[0]["refused"]),
        (&"reset".into(), &Value::Null)
    );
    assert_eq!(
        (&told[1]["did"], &told[1]["refused"]),
        (&Value::Null, &"ongoing".into())
    );
    assert_eq!(told[1]["ongoing"]["host"], "python");
    let paused = site.on("alpha", &["pause", "a", "--json"]).run().await;
    let told = parsed(&paused);
    assert_eq!(told[0]["before"]["paused"], Value::Null);
    assert_eq!(told[0]["after"]["paused"]["until"], Value::Null);
    assert_eq!(told[0]["after"]["next_run"], Value::Null);
    assert_eq!(told[0]["after"]["slot"], told[0]["before"]["slot"]);
}
