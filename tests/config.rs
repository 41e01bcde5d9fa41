//! Files in, values or messages out.

#[path = "config/files.rs"]
mod files;
#[path = "config/merged.rs"]
mod merged;
#[path = "config/written.rs"]
mod written;

use std::{env, fs, path::Path};

use crontabber::config::{Surroundings, load_in};

/// Each name is a directory under `tests/config` with files as an operator writes them and, in
/// `expected.txt`, what crontabber answers. `UPDATE_GOLDEN=1 cargo test --test config` writes them
/// anew; read the difference.
macro_rules! answers {
    ($($name:ident)*) => {
        $(#[test] fn $name() { check(stringify!($name)); })*

        const ANSWERS: &[&str] = &[$(stringify!($name)),*];
    };
}

answers! {
an_unknown_key_is_named_with_what_was_meant
an_unknown_section_is_named_with_what_was_meant
a_value_of_the_wrong_type_is_told_what_was_expected
a_value_out_of_range_is_told_the_range
a_bad_duration_is_pointed_at_inside_its_text
braces_that_stand_for_nothing_are_pointed_at
a_bad_time_zone_is_told_the_nearest
a_bad_crontab_field_is_pointed_at_inside_its_text
at_needs_whole_days
a_job_does_one_thing
a_class_needs_something_that_runs_it
a_job_has_every_or_schedule
an_unknown_parent_is_told_the_nearest
a_circle_is_named_whole_with_each_of_its_edges
a_job_that_two_files_define_is_shown_twice
a_bad_name_is_shown_harmless
an_action_is_named_as_its_program_is
an_unknown_template_is_told_the_nearest
a_secret_in_the_open_is_refused_and_not_repeated
a_password_hides_in_a_key_value_text_too
a_password_is_hidden_on_a_broken_line
text_that_is_not_toml_is_shown_where_it_breaks
a_key_given_twice_is_refused
nothing_says_where_the_database_is
no_jobs_at_all
a_lease_that_is_too_short_is_told_the_arithmetic
a_warning_that_comes_after_its_alarm_is_refused
a_text_with_a_nul_is_refused
a_drop_in_holds_jobs_and_templates_only
a_listed_file_that_is_not_there_is_told_where_it_is_listed
a_database_is_named_once
a_channel_that_is_not_defined_is_told
a_named_database_says_where_it_is
a_variable_has_one_value
what_has_no_effect_yet_is_a_warning
either_day_is_enough
a_step_that_does_not_come_round_is_told_its_last_gap
a_time_that_some_night_has_not_or_has_twice_is_told
a_job_that_is_kept_running_has_no_slots
sql_cannot_go_on_without_its_database
an_sql_file_that_is_not_there_is_told_where_it_is_named
a_long_line_is_clipped_and_its_control_characters_shown
a_mistake_in_defaults_or_a_template_is_told_once}

fn check(name: &str) {
    let directory = Path::new("tests/config").join(name);
    let expected = directory.join("expected.txt");
    let answer = answer(&directory).replace(&format!("{}/", directory.display()), "");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&expected, &answer).expect("the checkout is ours");
    }
    let expected = fs::read_to_string(&expected).expect("each case has its expected.txt");
    assert_eq!(answer, expected, "\n--- the answer ---\n{answer}");
}

/// When the answers are asked for: clocks change twice in the year that follows.
const NOW: &str = "2027-01-01T00:00:00Z";

/// What an operator is told: by `config check`, or else by the first command that needs a database.
fn answer(directory: &Path) -> String {
    match load_in(
        Some(&directory.join("crontabber.toml")),
        &Surroundings::none(),
    ) {
        Err(report) => report.to_string(),
        Ok(config) => {
            if let Err(report) = config.require_database() {
                return report.to_string();
            }
            let clocks = config.check_clocks(NOW.parse().expect("an instant"));
            config.warnings.with(clocks).to_string()
        }
    }
}

#[test]
fn every_directory_of_answers_is_tested() {
    let entries = fs::read_dir("tests/config").expect("the answers are there");
    for entry in entries {
        let entry = entry.expect("it can be read");
        let name = entry.file_name();
        let name = name.to_str().expect("names are plain");
        if entry.path().is_dir() {
            assert!(ANSWERS.contains(&name), "{name} is in no test");
        }
    }
}
