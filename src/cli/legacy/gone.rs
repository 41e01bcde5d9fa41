//! Options of crontabber's that mean nothing any more, and what to use instead. Nothing is ignored in silence: a
//! value that somebody has put on a command line meant something.

use super::argv;

/// What takes the place of an option, and how that is called.
struct Instead {
    /// The name of the option; with a `.` in front of it: in whatever section.
    option: &'static str,
    /// What to do now.
    now: &'static str,
}

const fn instead(option: &'static str, now: &'static str) -> Instead {
    Instead { option, now }
}

const DATABASE: &str = "write `url` in `[database]` of the configuration";
const NO_CLASS: &str =
    "leave it out: the state is in PostgreSQL, and nothing else can be plugged in";
const NO_SENTRY: &str = "nothing is sent to Sentry any more; `crontabber check` raises the alarm";
const LOG: &str = "use `--log-format` and $RUST_LOG, with a command such as `crontabber tick`";

/// The first that fits is told.
const OPTIONS: &[Instead] = &[
    instead("admin.print_conf", "type `crontabber config show`"),
    instead(
        "admin.dump_conf",
        "type `crontabber import crontabber F.ini --output F.toml` to write a configuration, `crontabber config show` to see one",
    ),
    instead(
        "admin.strict",
        "leave it out: an unknown key is always an error",
    ),
    instead(
        "admin.expose_secrets",
        "leave it out: the configuration names where a secret is, and nothing prints it",
    ),
    instead("sentrytest", NO_SENTRY),
    instead(".dsn", NO_SENTRY),
    instead(
        "crontabber.jobs",
        "write a `[jobs.NAME]` for each job in the configuration",
    ),
    instead(
        "crontabber.error_retry_time",
        "write `retry = { first = \"300s\" }` in `[defaults]` of the configuration, or in a job",
    ),
    instead(
        "crontabber.max_ongoing_age_hours",
        "write `max_ongoing_age = \"12h\"` in `[daemon]` of the configuration, for claims of Python hosts; a run of ours ends at its `timeout`",
    ),
    instead(
        ".password",
        "write `url = { file = \"...\" }` in `[database]` of the configuration, or use ~/.pgpass",
    ),
    instead(".host", DATABASE),
    instead(".hostname", DATABASE),
    instead(".database_hostname", DATABASE),
    instead(".port", DATABASE),
    instead(".dbname", DATABASE),
    instead(".database_name", DATABASE),
    instead(".user", DATABASE),
    instead(".username", DATABASE),
    instead(".database_class", NO_CLASS),
    instead(".transaction_executor_class", NO_CLASS),
    instead(".job_state_db_class", NO_CLASS),
    instead("application", NO_CLASS),
];

/// Sections whose options all have one answer.
const SECTIONS: &[Instead] = &[
    instead("logging.", LOG),
    instead("resource.logging.", LOG),
    instead(
        "crontabber.class-",
        "write it into `env` of `[jobs.NAME]` in the configuration, where the job reads it",
    ),
    instead("resource.postgresql.", DATABASE),
    instead("database.", DATABASE),
    instead(
        "secrets.",
        "write `secrets` of a job in the configuration: where each is kept, not what it is",
    ),
];

/// Whether a first argument of this name makes a line crontabber's: none of our own options has a dot.
pub(super) fn is_named(name: &str) -> bool {
    name.contains('.') || OPTIONS.iter().any(|option| option.option == name)
}

/// What to say about an option that does nothing here.
pub(super) fn instead_of(name: &str) -> String {
    let shown = name.escape_debug();
    match now(name) {
        Some(now) => format!("`--{shown}` is gone: {now}"),
        None if name.contains('.') => format!(
            "`--{shown}` is gone: what a job and its host do is in the configuration (`crontabber config show`)"
        ),
        None => {
            let near = argv::names()
                .map(|flag| (strsim::damerau_levenshtein(flag, name), flag))
                .filter(|(distance, flag)| {
                    *distance <= flag.len() / 3 || (name.len() > 2 && flag.starts_with(name))
                })
                .min();
            let hint = near.map_or_else(
                || "; `crontabber --help` tells what there is".to_owned(),
                |(_, flag)| format!("; did you mean `--{flag}`?"),
            );
            format!("`--{shown}` does not go together with crontabber's own flags{hint}")
        }
    }
}

fn now(name: &str) -> Option<&'static str> {
    let in_section = |section: &&Instead| name.starts_with(section.option);
    let is_meant = |option: &&Instead| {
        let anywhere = option.option.starts_with('.') && name.ends_with(option.option);
        option.option == name || anywhere
    };
    let classes = SECTIONS
        .iter()
        .filter(|section| section.option.ends_with('-'))
        .find(in_section);
    classes
        .or_else(|| OPTIONS.iter().find(is_meant))
        .or_else(|| SECTIONS.iter().find(in_section))
        .map(|instead| instead.now)
}

/// What to say about a word that belongs to no option: crontabber drops it.
pub(super) fn word(word: &str) -> String {
    let shown = word.escape_debug();
    format!(
        "`{shown}` belongs to none of crontabber's flags: a job is named by `--job={shown}`, and a new command comes \
         first, with `--config FILE` instead of `--admin.conf`"
    )
}
