//! The configuration, as text.

use std::{fmt::Write as _, iter};

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    config::{toml_key, toml_of},
    schedule::{self, Timetable},
    view::text::harmless,
};

use super::{Import, Job, Section, Shape};

/// The template that stands for `[defaults]` where a file cannot have them.
const TEMPLATE: &str = "imported";

pub(super) fn write(import: &Import, shape: Shape, after: Timestamp) -> String {
    let mut text = String::new();
    comments(&import.preface, &mut text);
    for section in &import.sections {
        text.push('\n');
        self::section(section, shape, &mut text);
    }
    let template = (shape == Shape::DropIn && has_defaults(import)).then_some(TEMPLATE);
    for job in &import.jobs {
        text.push('\n');
        self::job(job, template, after, &mut text);
    }
    text
}

fn has_defaults(import: &Import) -> bool {
    let mut sections = import.sections.iter();
    sections.any(|section| section.name == "defaults")
}

fn section(section: &Section, shape: Shape, text: &mut String) {
    let mut body = String::new();
    let name = match (section.name, shape) {
        ("defaults", Shape::DropIn) => format!("templates.{TEMPLATE}"),
        (name, _) => name.to_owned(),
    };
    let _ = writeln!(body, "[{name}]");
    comments(&section.comments, &mut body);
    for (key, value) in &section.keys {
        pair(key, value, &mut body);
    }
    if shape == Shape::DropIn && section.name != "defaults" {
        text.push_str("# Belongs in the main file:\n");
        commented_out(&body, text);
    } else {
        text.push_str(&body);
    }
}

fn job(job: &Job, template: Option<&str>, after: Timestamp, text: &mut String) {
    comments(&job.comments, text);
    if let Some(timetable) = &job.timetable {
        comments(&next_runs(timetable, after), text);
    }
    let mut body = format!("[jobs.{}]\n", toml_key(job.name.as_str()));
    if let Some(template) = template {
        pair("template", &template.into(), &mut body);
    }
    for (key, value) in &job.keys {
        pair(key, value, &mut body);
    }
    match &job.refused {
        None => text.push_str(&body),
        Some(why) => {
            comments(&[format!("not taken over: {why}")], text);
            commented_out(&body, text);
        }
    }
}

/// The next three, in the zone of the job and in UTC.
fn next_runs(timetable: &Timetable, after: Timestamp) -> Vec<String> {
    let next = |slot: &Timestamp| timetable.next(*slot, after);
    let slots = iter::successors(next(&after), next).take(3);
    let zone = schedule::zone(&timetable.timezone);
    slots
        .map(|slot| match &zone {
            Ok(zone) if timetable.timezone != "UTC" => {
                let local = slot.to_zoned(zone.clone());
                format!(
                    "next run {} {} = {slot}",
                    local.strftime("%F %T %:z"),
                    timetable.timezone
                )
            }
            _ => format!("next run {slot}"),
        })
        .collect()
}

fn pair(key: &str, value: &Value, text: &mut String) {
    let _ = writeln!(text, "{key} = {}", toml_of(value));
}

/// Lines that say something to people, each on one line of its own.
fn comments(lines: &[String], text: &mut String) {
    for line in lines {
        let _ = writeln!(text, "# {}", harmless(line));
    }
}

/// Lines that would say something to crontabber.
fn commented_out(body: &str, text: &mut String) {
    for line in body.lines() {
        // A comment may hold no control character, and what stands in a value's lines may be anything.
        let _ = writeln!(text, "# {}", harmless(line));
    }
}
