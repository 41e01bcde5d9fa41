//! What is shown, word for word. `UPDATE_GOLDEN=1 cargo test --test cli_read` writes the files anew; read the
//! difference.

use std::{collections::HashMap, env, fs, path::Path};

use crontabber::{
    plan::{Plan, State, plan},
    view::{
        Medium, Times, history,
        hosts::{Agreement, Hosts},
        list::List,
        ongoing,
        show::Show,
        subject,
        text::width,
        why::{Known, explain},
    },
};

use super::world;

pub(super) const TERMINAL: Medium = Medium::Terminal {
    width: 120,
    colour: false,
};

pub(super) fn with_plan(look: impl FnOnce(&Plan<'_>)) {
    let (config, table) = (world::config(), world::table());
    look(&plan(&config.graph, &table, &world::place()));
}

pub(super) fn is_as_in(name: &str, text: &str) {
    let file = Path::new("tests/cli_read/golden").join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, text).expect("the checkout is ours");
    }
    let expected = fs::read_to_string(&file).unwrap_or_default();
    assert!(text == expected, "{} is not so:\n{text}", file.display());
    assert!(
        !text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']),
        "{} can harm a terminal",
        file.display()
    );
}

fn list(medium: Medium, states: &[State]) -> String {
    let mut text = String::new();
    let last_hosts = HashMap::from([("fetch".to_owned(), "web2".to_owned())]);
    with_plan(|plan| {
        text = List {
            plan,
            last_hosts: &last_hosts,
            glob: None,
            states,
        }
        .text(medium);
    });
    text
}

#[test]
fn the_list_shows_every_state_in_the_order_of_the_graph() {
    let text = list(TERMINAL, &[]);
    is_as_in("list.txt", &text);
    for state in State::ALL {
        assert!(
            text.contains(&format!(" {state} ")),
            "{state} does not occur"
        );
    }
}

#[test]
fn a_narrow_list_keeps_its_lines_whole() {
    let text = list(
        Medium::Terminal {
            width: 80,
            colour: false,
        },
        &[],
    );
    is_as_in("list_narrow.txt", &text);
    let table = text
        .lines()
        .take_while(|line| !line.starts_with(char::is_numeric));
    assert!(table.map(width).all(|cells| cells <= 80));
}

#[test]
fn a_list_in_a_pipe_has_words_and_tabs_only() {
    let text = list(Medium::Pipe, &[]);
    is_as_in("list_pipe.txt", &text);
    assert!(text.lines().all(|line| line.split('\t').count() == 8));
    assert!(text.is_ascii());
}

#[test]
fn a_list_of_some_states_counts_what_it_shows() {
    let text = list(TERMINAL, &[State::Failing, State::Held]);
    is_as_in("list_failing_and_held.txt", &text);
    assert_eq!(list(Medium::Pipe, &[State::Held]).lines().count(), 1);
}

#[test]
fn programs_get_every_job_as_an_object() {
    with_plan(|plan| {
        let last_hosts = HashMap::new();
        is_as_in(
            "list.json",
            &List {
                plan,
                last_hosts: &last_hosts,
                glob: Some("*e*"),
                states: &[],
            }
            .json(),
        );
    });
}

#[test]
fn what_is_ongoing_includes_runs_of_jobs_nobody_here_knows() {
    with_plan(|plan| {
        is_as_in("ongoing.txt", &ongoing::text(plan, TERMINAL));
        is_as_in("ongoing_pipe.txt", &ongoing::text(plan, Medium::Pipe));
        is_as_in("ongoing.json", &ongoing::json(plan));
    });
}

#[test]
fn why_answers_for_every_state() {
    let config = world::config();
    let place = world::place();
    with_plan(|plan| {
        let why = |medium: Medium| {
            let times = Times {
                now: plan.now,
                medium,
            };
            let known = Known {
                plan,
                graph: &config.graph,
                place: &place,
                times,
            };
            let all = subject::all(plan).map(|subject| explain(&subject, &known).text(medium));
            all.collect::<Vec<_>>().join("\n")
        };
        is_as_in("why.txt", &why(TERMINAL));
        is_as_in("why_pipe.txt", &why(Medium::Pipe));
        let times = Times {
            now: plan.now,
            medium: Medium::Pipe,
        };
        let known = Known {
            plan,
            graph: &config.graph,
            place: &place,
            times,
        };
        let report = subject::named(plan, "report").expect("it is configured");
        is_as_in("why.json", &explain(&report, &known).json());
    });
}

#[test]
fn a_job_is_shown_whole() {
    let (config, entries) = (world::config(), world::entries());
    with_plan(|plan| {
        let show = |name: &str| {
            let subject = subject::named(plan, name).expect("a name in the listing");
            let entries = if name == "mail" {
                entries.as_slice()
            } else {
                &[]
            };
            Show {
                plan,
                graph: &config.graph,
                subject,
                entries,
            }
        };
        is_as_in("show.txt", &show("mail").text(TERMINAL));
        is_as_in("show_pipe.txt", &show("mail").text(Medium::Pipe));
        is_as_in("show.json", &show("mail").json());
        let others = [
            "fetch",
            "index",
            "fresh",
            "digest",
            "other",
            "old\u{1b}[2Jjob\n",
        ];
        let others = others.map(|name| show(name).text(TERMINAL));
        is_as_in("show_others.txt", &others.join("\n"));
    });
}

#[test]
fn the_history_tells_of_runs_and_of_slots_that_did_not_run() {
    let entries = world::entries();
    is_as_in(
        "history.txt",
        &history::text(&entries, world::now(), TERMINAL),
    );
    is_as_in(
        "history_pipe.txt",
        &history::text(&entries, world::now(), Medium::Pipe),
    );
    is_as_in("history.json", &history::json(&entries));
}

#[test]
fn the_hosts_are_shown_with_what_they_disagree_on() {
    let (announced, database) = (world::announced(), world::identity());
    let agreement = Agreement::of(world::meanings());
    with_plan(|plan| {
        let hosts = |all| Hosts {
            plan,
            announced: &announced,
            agreement: &agreement,
            database: &database,
            all,
        };
        is_as_in("hosts.txt", &hosts(false).text(TERMINAL));
        is_as_in("hosts_all.txt", &hosts(true).text(TERMINAL));
        is_as_in("hosts_pipe.txt", &hosts(true).text(Medium::Pipe));
        is_as_in("hosts.json", &hosts(false).json());
        assert_eq!(hosts(true).text(Medium::Pipe).lines().count(), 5);
        assert_eq!(hosts(false).text(Medium::Pipe).lines().count(), 4);
    });
}
