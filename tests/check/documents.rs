//! What docs/monitoring.md and the examples say is so.

use std::{collections::BTreeSet, fs};

use crontabber::config::reference;

use crate::common::Crontabber;

const PAGE: &str = "docs/monitoring.md";

fn read(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn every_key_of_the_section_is_in_the_table_with_its_default() {
    let page = read(PAGE);
    let keys: Vec<_> = reference()
        .into_iter()
        .filter(|key| key.section == "check")
        .collect();
    assert!(keys.len() > 10);
    for key in keys {
        let default = key.default.expect("every key of the section has a default");
        let cell = format!("| `{} = {default}` |", key.key);
        assert!(page.contains(&cell), "{PAGE} does not say {cell}");
    }
}

#[test]
fn every_kind_that_the_json_may_hold_is_in_the_table() {
    let json = read("docs/json.md");
    let kinds = json
        .split("`kind` is one of `")
        .nth(1)
        .and_then(|rest| rest.split('`').next())
        .expect("the list of kinds");
    let page = read(PAGE);
    for kind in kinds.split(' ') {
        assert!(page.contains(&format!("| `{kind}` |")), "{kind}");
    }
}

#[tokio::test]
async fn the_examples_use_options_that_there_are() {
    let help = Crontabber::new(["check", "--help"]).run().await.stdout;
    let options = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| c.is_whitespace() || "\"',=$!".contains(c));
        words
            .filter(|word| word.starts_with('-') && word.len() > 1)
            .map(str::to_owned)
            .collect()
    };
    let known = options(&help);
    let nagios = read("examples/monitoring/nagios.cfg");
    let lines = nagios
        .lines()
        .filter_map(|line| line.split_once("/usr/bin/crontabber check"));
    let asked = options(&lines.map(|(_, after)| after).collect::<Vec<_>>().join(" "));
    assert!(asked.len() >= 5 && asked.is_subset(&known), "{asked:?}");

    let icinga = read("examples/monitoring/icinga2.conf");
    assert!(icinga.contains("[ \"/usr/bin/crontabber\", \"check\" ]"));
    let asked = options(&icinga);
    assert!(asked.len() >= 6 && asked.is_subset(&known), "{asked:?}");
}
