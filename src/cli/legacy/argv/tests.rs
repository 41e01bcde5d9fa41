use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ')
        .filter(|word| !word.is_empty())
        .map(OsString::from)
        .collect()
}

fn is_old(line: &str) -> bool {
    is_crontabbers(&words(line))
}

fn order(line: &str) -> Order {
    let order = Line::read(&words(line)).order();
    order.unwrap_or_else(|failure| panic!("{line}: {failure}"))
}

fn refused(line: &str) -> String {
    let order = Line::read(&words(line)).order();
    order.expect_err(line).to_string()
}

fn job(job: &str, force: bool) -> Asked {
    let job = job.to_owned();
    Asked::Job { job, force }
}

#[test]
fn the_first_argument_tells_whose_line_it_is() {
    for line in [
        "--admin.conf=F",
        "--admin.conf F tick",
        "-j x",
        "-jx",
        "--job=x",
        "--job x",
        "-f",
        "-lf",
        "--list-jobs",
        "-n",
        "-r x",
        "--audit-ghosts",
        "--configtest",
        "--sentrytest",
        "-v",
        "-v -j list",
        "--version --admin.conf=F",
        "--crontabber.error_retry_time=60",
        "--database.host=db",
    ] {
        assert!(is_old(line), "{line}");
    }
    for line in [
        "",
        "tick",
        "run x",
        "list --json",
        "--config F tick",
        "--config=F.toml tick",
        "--config",
        "--host a.b tick",
        "-h",
        "--help",
        "-V",
        "-v tick",
        "-vv tick --dry-run",
        "-v --config=F tick",
        "--version tick",
        "--",
        "-",
        "jobs.list",
        "--job-x",
    ] {
        assert!(!is_old(line), "{line}");
    }
}

#[test]
fn a_line_is_read_as_getopt_reads_it() {
    for (line, asked) in [
        ("-j x", job("x", false)),
        ("-jx", job("x", false)),
        ("--job x --force", job("x", true)),
        ("--job=a.b.C -f", job("a.b.C", true)),
        ("-fj x", job("x", true)),
        ("-fjx", job("x", true)),
        ("--job=x --job=y", job("y", false)),
        ("--job=--list-jobs", job("--list-jobs", false)),
        ("--force", Asked::All { force: true }),
        ("--admin.conf=F", Asked::All { force: false }),
        ("-r x", Asked::ResetJob("x".into())),
        ("--configtest", Asked::Configtest),
        ("-lf", Asked::ListJobs),
    ] {
        assert_eq!(order(line).asked, asked, "{line}");
    }
    for line in ["--admin.conf=a=b.ini -n", "-n --admin.conf a=b.ini"] {
        let conf = Some("a=b.ini".into());
        assert_eq!(
            order(line),
            Order {
                asked: Asked::Nagios,
                conf
            }
        );
    }
}

#[test]
fn of_several_orders_the_one_that_crontabber_asks_for_first_is_obeyed() {
    assert_eq!(order("-j x -l -n").asked, Asked::ListJobs);
    assert_eq!(order("-j x -r x -n").asked, Asked::Nagios);
    assert_eq!(order("-j x -r y").asked, Asked::ResetJob("y".into()));
    assert_eq!(
        order("--configtest --audit-ghosts -v").asked,
        Asked::Version
    );
}

#[test]
fn what_means_nothing_any_more_is_refused_with_what_takes_its_place() {
    for (line, says) in [
        (
            "--crontabber.max_ongoing_age_hours=6",
            "`max_ongoing_age = ",
        ),
        (
            "--crontabber.max_ongoing_age_hours 6",
            "`max_ongoing_age = ",
        ),
        ("--crontabber.error_retry_time=60", "`retry = { first"),
        ("--crontabber.jobs=a.B|1d", "`[jobs.NAME]`"),
        ("--crontabber.class-Foo.password=x", "`env`"),
        ("--crontabber.host=db", "`url` in `[database]`"),
        ("--database.host=db", "`url` in `[database]`"),
        ("--database.database_hostname=db", "`url` in `[database]`"),
        ("--resource.postgresql.password=x", "~/.pgpass"),
        ("--resource.postgresql.anything=x", "`url` in `[database]`"),
        ("--crontabber.transaction_executor_class=x", "leave it out"),
        ("--resource.logging.syslog_host=x", "--log-format"),
        ("--secrets.sentry.dsn=x", "Sentry"),
        ("--sentrytest", "crontabber check"),
        ("--admin.print_conf=ini", "crontabber config show"),
        ("--admin.dump_conf=F", "crontabber import crontabber"),
        ("--some.thing=x", "crontabber config show"),
        ("-l --list", "did you mean `--list-jobs`?"),
        ("-l --ngaios", "did you mean `--nagios`?"),
        ("-l --config=F", "does not go together"),
        ("-l jobs", "--job=jobs"),
        ("-l -- -n", "--job=-n"),
        ("--force=1", "takes no value"),
        ("-lx", "`-x` is no flag"),
        ("--job=", "needs a value"),
        ("--job", "needs a value"),
        ("-fj", "needs a value"),
        ("--admin.conf=", "needs a value"),
    ] {
        let refused = refused(line);
        assert!(refused.contains(says), "{line}: {refused}");
        assert!(
            !refused.contains("=x") && !refused.contains("=db"),
            "{line} shows a value: {refused}"
        );
    }
    let all = refused("--crontabber.host=db --sentrytest x -y");
    assert_eq!(all.lines().count(), 4, "{all}");
}

#[test]
fn every_flag_is_in_the_table_of_the_documentation() {
    let documented = include_str!("../../../../docs/crontabber-flags.md");
    for flag in Flag::ALL {
        let short = flag
            .short()
            .map(|letter| format!("`-{}", char::from(letter)));
        for name in [Some(format!("--{}", flag.long())), short]
            .into_iter()
            .flatten()
        {
            assert!(documented.contains(&name), "{name}");
        }
    }
}

mod arbitrary {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_line_is_too_strange_to_be_answered(line in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..8), 0..6)) {
            let line: Vec<OsString> = line.into_iter().map(OsString::from_vec).collect();
            let _ = is_crontabbers(&line);
            let _ = Line::read(&line).order();
        }
    }
}
