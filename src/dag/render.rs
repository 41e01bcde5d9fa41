//! The graph as a picture: for a terminal, for Mermaid, for programs.

use std::fmt::Write as _;

use serde_json::json;

use crate::spec::JobSpec;

use super::JobGraph;

/// Layers from top to bottom; each job with when it is wanted and whom it waits for.
///
/// ```text
/// feed_list    every 6h
/// report       0 8 * * MON
///   feed_scrape  */10 * * * *     ← feed_list
///     feed_index   after parents  ← feed_scrape
/// ```
#[must_use]
pub fn text(graph: &JobGraph) -> String {
    let rows: Vec<[String; 3]> = rows(graph);
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (names, times) = (width(0), width(1));
    let mut text = String::new();
    for [name, time, parents] in &rows {
        let line = format!("{name:names$}  {time:times$}  {parents}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn rows(graph: &JobGraph) -> Vec<[String; 3]> {
    let mut rows = Vec::with_capacity(graph.jobs().len());
    for (depth, layer) in graph.layers().iter().enumerate() {
        // A long chain would walk off the screen; its arrows still tell.
        let indent = "  ".repeat(depth.min(10));
        for number in layer.clone() {
            let job = &graph.jobs()[number];
            let parents = names(graph, graph.parents(number)).join(", ");
            let arrow = if parents.is_empty() { "" } else { "← " };
            rows.push([
                format!("{indent}{}", job.name),
                when(job),
                format!("{arrow}{parents}"),
            ]);
        }
    }
    rows
}

/// A flowchart for Mermaid, parents above their children.
#[must_use]
pub fn mermaid(graph: &JobGraph) -> String {
    let mut text = String::from("flowchart TD\n");
    for (number, job) in graph.jobs().iter().enumerate() {
        // Crontab fields start with characters that Mermaid would read as markup.
        let when = when(job).replace('*', "#42;").replace('"', "#quot;");
        let _ = writeln!(text, "  j{number}[\"{}<br/>{when}\"]", job.name);
    }
    for child in 0..graph.jobs().len() {
        for parent in graph.parents(child) {
            let _ = writeln!(text, "  j{parent} --> j{child}");
        }
    }
    text
}

/// Jobs in topological order: `{"jobs": [{job, layer, when, depends_on, children, tags}]}`.
#[must_use]
pub fn json(graph: &JobGraph) -> serde_json::Value {
    let layers = graph.layers().iter().enumerate();
    let numbered = layers.flat_map(|(layer, numbers)| numbers.clone().map(move |n| (layer, n)));
    let jobs = numbered.map(|(layer, number)| {
        let job = &graph.jobs()[number];
        json!({
            "job": job.name,
            "layer": layer,
            "when": when(job),
            "depends_on": names(graph, graph.parents(number)),
            "children": names(graph, graph.children(number)),
            "tags": job.tags,
        })
    });
    json!({ "jobs": jobs.collect::<serde_json::Value>() })
}

fn names<'a>(graph: &'a JobGraph, numbers: &[usize]) -> Vec<&'a str> {
    let names = numbers
        .iter()
        .map(|&number| graph.jobs()[number].name.as_str());
    names.collect()
}

/// When a job is wanted, in a few words: its schedule, `kept running`, `after parents` or `by hand`.
#[must_use]
pub fn when(job: &JobSpec) -> String {
    match &job.timetable {
        Some(timetable) => timetable.to_string(),
        None if job.keep_running => "kept running".to_owned(),
        None if job.depends_on.is_empty() => "by hand".to_owned(),
        None => "after parents".to_owned(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::schedule::{Crontab, Rule, Timetable};
    use crate::spec::{
        CatchUp, Kind, Lease, On, OnDbLoss, OnLost, Origin, Overlap, Parent, Placement, Retry,
        RunAs, Start,
    };

    /// A job that does nothing, when its parents have succeeded anew.
    pub(in crate::dag) fn job(name: &str) -> JobSpec {
        JobSpec {
            name: name.parse().expect("tests use good names"),
            origin: Origin::default(),
            description: None,
            kind: Kind::Command(vec!["true".to_owned()]),
            class: None,
            timetable: None,
            start: Start::Next,
            depends_on: Vec::new(),
            timeout: Duration::from_mins(1),
            lease: Lease::of(Duration::from_mins(2)),
            retry: Retry {
                first: Duration::from_mins(5),
                factor: 2.0,
                max: Duration::from_hours(1),
                jitter: 0.0,
                attempts: 0,
            },
            on_lost: OnLost::Retry,
            catch_up: CatchUp::Latest,
            catch_up_limit: None,
            start_deadline: None,
            overlap: Overlap::Skip,
            placement: Placement {
                hosts: Vec::new(),
                on: On::One,
            },
            keep_running: false,
            on_db_loss: OnDbLoss::Kill,
            stream_output: false,
            run_as: RunAs::default(),
            env: Vec::new(),
            secrets: Vec::new(),
            cwd: None,
            temporary_exit_codes: Vec::new(),
            fatal_exit_codes: Vec::new(),
            tags: Vec::new(),
        }
    }

    fn timetable(rule: Rule, timezone: &str) -> Timetable {
        Timetable {
            rules: vec![rule],
            timezone: timezone.to_owned(),
            jitter: Duration::ZERO,
        }
    }

    fn graph() -> JobGraph {
        let mut list = job("feed_list");
        list.timetable = Some(timetable(
            Rule::Every {
                period: Duration::from_hours(6),
                at: None,
            },
            "UTC",
        ));
        let mut scrape = job("feed_scrape");
        scrape.timetable = Some(timetable(
            Rule::Crontab(Crontab::parse("0 7 * * *").expect("it is sound")),
            "Europe/Berlin",
        ));
        scrape.depends_on = vec![Parent::named(list.name.clone())];
        let mut index = job("feed_index");
        index.depends_on = [&scrape, &list]
            .map(|parent| Parent::named(parent.name.clone()))
            .into();
        JobGraph::resolve(vec![index, job("adhoc"), scrape, list]).expect("it is sound")
    }

    #[test]
    fn the_text_shows_layers_and_arrows() {
        let expected = "\
adhoc           by hand
feed_list       every 6h
  feed_scrape   0 7 * * * (Europe/Berlin)  ← feed_list
    feed_index  after parents              ← feed_list, feed_scrape
";
        assert_eq!(text(&graph()), expected);
    }

    #[test]
    fn the_flowchart_has_every_job_and_every_edge() {
        let expected = "\
flowchart TD
  j0[\"adhoc<br/>by hand\"]
  j1[\"feed_list<br/>every 6h\"]
  j2[\"feed_scrape<br/>0 7 #42; #42; #42; (Europe/Berlin)\"]
  j3[\"feed_index<br/>after parents\"]
  j1 --> j2
  j1 --> j3
  j2 --> j3
";
        assert_eq!(mermaid(&graph()), expected);
    }

    #[test]
    fn the_json_names_layers_parents_and_children() {
        let json = json(&graph());
        let scrape = &json["jobs"][2];
        assert_eq!(scrape["job"], "feed_scrape");
        assert_eq!(scrape["layer"], 1);
        assert_eq!(scrape["depends_on"][0], "feed_list");
        assert_eq!(scrape["children"][0], "feed_index");
    }
}
