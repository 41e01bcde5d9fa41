//! What a host may not do it says, and leaves to hosts that may.

use super::{
    common::{Cut, Database, Postgres, Proxy},
    world::{OTHER, is_root, its_name, open, site, tidy_up, unprivileged},
};

fn job(name: &str, keys: &str) -> String {
    format!("[jobs.{name}]\nevery = \"1h\"\nstart = \"now\"\n{keys}\nshell = \"id -un; nice\"\n\n")
}

async fn outcomes(database: &Database) -> Vec<Vec<String>> {
    database
        .rows("SELECT app_name, host, outcome FROM crontabber_log ORDER BY app_name")
        .await
}

#[tokio::test]
async fn an_unknown_user_is_refused_in_a_sentence_everywhere() {
    let database = Postgres::database().await;
    let site = site(&database, &job("of_nobody", "user = \"no-such-user\""));
    let sentence = "this host knows no user `no-such-user`; create him here, or name the hosts that have him in `hosts`";
    let says = async |arguments: &[&str], code: i32| {
        let ran = site.on("alpha", arguments).run().await;
        assert_eq!(ran.code, Some(code), "{arguments:?}: {}", ran.stderr);
        let said = [ran.stdout, ran.stderr].concat();
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    };
    says(&["tick"], 0).await;
    assert_eq!(outcomes(&database).await, Vec::<Vec<String>>::new());
    says(&["run", "of_nobody"], 78).await;
    says(&["run", "of_nobody", "--force"], 78).await;
    says(&["list", "--json"], 0).await;
    says(&["why", "of_nobody"], 0).await;
    says(&["tick", "--dry-run"], 0).await;
    let dry = site.on("alpha", &["tick", "--dry-run"]).run().await;
    assert!(
        dry.stdout.starts_with("would run: nothing"),
        "{}",
        dry.stdout
    );
    assert_eq!(outcomes(&database).await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn a_job_that_one_host_may_not_run_is_run_by_one_that_may() {
    if !is_root() {
        return;
    }
    let database = Postgres::database().await;
    let jobs = [
        job("as_daemon", "user = \"daemon\""),
        job("first", "nice = -5"),
        job("last", "nice = 5"),
        job("as_itself", &format!("user = \"{OTHER}\"")),
    ];
    let jobs = jobs.concat();
    let site = site(&database, &jobs);
    // The server's own socket may be for its user only.
    let wire = Proxy::new(&database, "nothing", Cut::Answer);
    let through = wire.url(&database);
    open(&wire.socket(), 0o777);
    open(wire.socket().parent().expect("it is in a directory"), 0o755);
    site.configure(&through, &jobs);
    let pass = unprivileged(&site, "poor", &["tick"]).run().await;
    assert_eq!(pass.code, Some(0), "{}", pass.stderr);
    let name = its_name();
    for sentence in [
        format!("this host cannot switch to user `daemon`: it runs as `{name}`, not as root"),
        format!(
            "this host cannot give it nice = -5, only 0 and more: it runs as `{name}`, not as root"
        ),
    ] {
        let times = pass.stderr.matches(&sentence).count();
        assert_eq!(times, 1, "{sentence}: {}", pass.stderr);
    }
    let ran = |job: &str, host: &str| vec![job.to_owned(), host.to_owned(), "success".to_owned()];
    let by_poor = [ran("as_itself", "poor"), ran("last", "poor")];
    assert_eq!(outcomes(&database).await, by_poor);

    let pass = site.on("rich", &["tick"]).run().await;
    assert_eq!(
        (pass.code, &*pass.stderr),
        (Some(0), ""),
        "it may all of it"
    );
    let mut all = by_poor.to_vec();
    all.extend([ran("as_daemon", "rich"), ran("first", "rich")]);
    all.sort();
    assert_eq!(outcomes(&database).await, all);
    tidy_up();
}

#[tokio::test]
async fn a_host_that_a_job_is_not_for_has_nothing_to_warn_of() {
    let database = Postgres::database().await;
    let keys = "user = \"no-such-user\"\nhosts = [\"other\"]";
    let site = site(&database, &job("elsewhere", keys));
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!((pass.code, &*pass.stderr), (Some(0), ""));
}

#[tokio::test]
async fn sql_has_no_process_that_could_be_anybodys() {
    let database = Postgres::database().await;
    let jobs = "[defaults]\nuser = \"no-such-user\"\n\n[jobs.counted]\nevery = \"1h\"\nstart = \"now\"\nsql = \"SELECT 1\"\n";
    let site = site(&database, jobs);
    let pass = site.on("alpha", &["tick"]).run().await;
    assert_eq!((pass.code, &*pass.stderr), (Some(0), ""));
    let ran = ["counted", "alpha", "success"].map(str::to_owned).to_vec();
    assert_eq!(outcomes(&database).await, [ran]);
}
