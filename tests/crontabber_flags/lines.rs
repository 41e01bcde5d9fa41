//! Which configuration a line means, and lines that mean nothing any more.

use std::fs;

use super::{
    common::{Crontabber, Postgres, Site},
    old::{Old, assert_ended, assert_silent},
};

#[tokio::test]
async fn the_configuration_is_the_one_beside_the_ini_file_or_the_file_itself() {
    let old = Old::jobs(&[("it", "true")]).await;
    let (ini, toml) = (
        old.site.file("crontabber.ini"),
        old.site.file("crontabber.toml"),
    );
    for conf in [&ini, &toml, &old.site.file("crontabber.conf")] {
        let conf = conf.to_str().unwrap();
        for line in [
            vec![format!("--admin.conf={conf}"), "-l".into()],
            vec!["-l".into(), "--admin.conf".into(), conf.into()],
        ] {
            let listed = Crontabber::new(line).run().await;
            assert_silent(&listed, 0);
            assert!(listed.stdout.contains("App name:       it\n"), "{listed:?}");
        }
    }
    // Where none is named it is looked for as ever.
    let named = old.site.on("alpha", &["--list-jobs"]).run().await;
    assert!(named.stdout.contains("App name:       it\n"), "{named:?}");
    let here = Crontabber::new(["-l"])
        .current_dir(ini.parent().unwrap())
        .run()
        .await;
    assert!(here.stdout.contains("App name:       it\n"), "{here:?}");
}

#[tokio::test]
async fn an_ini_file_that_nobody_has_imported_is_78_with_the_line_that_imports_it() {
    let site = Site::new();
    fs::write(site.file("old jobs.ini"), "[crontabber]\njobs=a.B|1d\n").unwrap();
    let (ini, toml) = (site.file("old jobs.ini"), site.file("old jobs.toml"));
    let line = format!(
        "crontabber import crontabber '{}' --output '{}'",
        ini.display(),
        toml.display()
    );
    for flags in [
        &[][..],
        &["--list-jobs"],
        &["--job=it"],
        &["--configtest"],
        &["-r", "it"],
    ] {
        let mut arguments = vec!["--admin.conf".to_owned(), ini.to_str().unwrap().to_owned()];
        arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
        let refused = Crontabber::new(arguments).run().await;
        assert_ended(&refused, 78, &line);
        assert_eq!(refused.stdout, "");
    }
}

#[tokio::test]
async fn what_means_nothing_any_more_is_64_and_runs_nothing() {
    let old = Old::jobs(&[("it", "true")]).await;
    for (line, says) in [
        (
            &["--crontabber.max_ongoing_age_hours=6"][..],
            "`max_ongoing_age",
        ),
        (&["--job=it", "--database.host=db"], "`url` in `[database]`"),
        (&["--sentrytest"], "nothing is sent to Sentry any more"),
        (&["--admin.print_conf=ini"], "crontabber config show"),
        (&["--admin.dump_conf=f.ini"], "crontabber import crontabber"),
        (&["tick"], "a new command comes first"),
        (&["--job=it", "--dry-run"], "does not go together"),
        (&["--job="], "needs a value"),
    ] {
        let refused = old.run(line).await;
        assert_ended(&refused, 64, says);
        assert_eq!(refused.stdout, "");
    }
    let all = old
        .run(&["--sentrytest", "--nope", "--logging.syslog_host=x"])
        .await;
    assert_eq!(all.stderr.lines().count(), 3, "{}", all.stderr);
    assert!(old.ran().is_empty());
}

#[tokio::test]
async fn configtest_is_1_for_mistakes_and_says_nothing_where_there_are_none() {
    let old = Old::jobs(&[("it", "true")]).await;
    let well = old.run(&["--configtest"]).await;
    assert_silent(&well, 0);
    assert_eq!(well.stdout, "");
    old.site.configure(
        old.database.url(),
        "[jobs.it]\nevery = \"1x\"\nshell = \"true\"\n[jobs.a]\n",
    );
    let wrong = old.run(&["--configtest"]).await;
    assert_ended(&wrong, 1, "crontabber.toml:5:11");
    assert_ended(&wrong, 1, "job `a`");
    assert_eq!(wrong.stdout, "");
}

#[tokio::test]
async fn the_version_is_a_number_alone_and_needs_nothing() {
    for line in [
        &["-v"][..],
        &["--version"],
        &["-v", "--admin.conf=/nonexistent.toml"],
    ] {
        let version = Crontabber::new(line).run().await;
        assert_silent(&version, 0);
        assert_eq!(version.stdout, concat!(env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[tokio::test]
async fn the_new_commands_are_left_alone() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        site.job("it", "every = \"1h\"\nstart = \"now\"", "true")
    });
    let told = site.on("alpha", &["-v", "tick"]).run().await;
    assert_ended(&told, 0, "pass over");
    assert_eq!(site.ledger().starts().len(), 1);
    for line in [
        &["--help"][..],
        &["-h"],
        &["--admin.conf=x", "--help"],
        &["-l", "-h"],
    ] {
        let help = Crontabber::new(line).run().await;
        assert_silent(&help, 0);
        assert!(help.stdout.contains("crontabber tick"), "{line:?}");
    }
    let version = Crontabber::new(["-V"]).run().await;
    assert_eq!(
        version.stdout,
        concat!("crontabber ", env!("CARGO_PKG_VERSION"), "\n")
    );
    // Nothing at all is no line of an old crontab: they all name their configuration.
    let nothing = Crontabber::new([""; 0]).run().await;
    assert_ended(&nothing, 64, "crontabber tick");
    for line in [&["--config=F"][..], &["-v", "--config=F"]] {
        let nothing = site.on("alpha", line).run().await;
        assert_ended(&nothing, 64, "crontabber tick");
    }
    assert_eq!(site.ledger().starts().len(), 1);
}
