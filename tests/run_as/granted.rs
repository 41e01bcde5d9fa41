//! What a host may do, it does.

use std::time::Duration;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    common::{Postgres, children, left_over, until},
    world::{OTHER, is_root, me, open, site, uid_of},
};

const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_job_of_another_user_is_his_from_the_environment_to_the_files() {
    if !is_root() {
        return;
    }
    let database = Postgres::database().await;
    let secret = tempfile::NamedTempFile::new().expect("/tmp takes files");
    open(secret.path(), 0o600);
    let script = format!(
        "id -u; id -G; pwd; env | sort | grep -v CRONTABBER_; head -c 1 {0} || echo closed",
        secret.path().display()
    );
    let jobs = format!(
        "[jobs.his]\nevery = \"1h\"\nstart = \"now\"\nuser = \"{OTHER}\"\nshell = '''{script}'''\n"
    );
    let site = site(&database, &jobs);
    let pass = site
        .on("alpha", &["run", "his"])
        .env("SECRET", "of the host");
    let ran = pass.env("HOME", "/root").env("USER", "root").run().await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let account = nix::unistd::User::from_name(OTHER).unwrap().unwrap();
    let home = account.dir.display().to_string();
    let directory = if account.dir.is_dir() { &home } else { "/" };
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], uid_of(OTHER).to_string());
    assert!(!lines[1].split(' ').any(|group| group == "0"), "{lines:?}");
    assert_eq!(lines[2], directory);
    let environment: Vec<&str> = lines[3..]
        .iter()
        .copied()
        .filter(|line| line.contains('=') && !line.starts_with("PWD=") && !line.starts_with("_="))
        .collect();
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let (home, name, user) = (
        format!("HOME={home}"),
        format!("LOGNAME={OTHER}"),
        format!("USER={OTHER}"),
    );
    let all = [&*home, "LANG=C.UTF-8", &*name, path, "TZ=UTC", &*user];
    let ours = environment
        .iter()
        .filter(|line| !line.starts_with("OLDPWD=") && !line.starts_with("SHLVL="));
    assert_eq!(ours.copied().collect::<Vec<_>>(), all);
    assert!(ran.stdout.contains("Permission denied"), "{}", ran.stdout);
    assert_eq!(lines.last(), Some(&"closed"));
}

#[tokio::test]
async fn the_hosts_own_user_is_always_allowed() {
    let database = Postgres::database().await;
    let user = me();
    let jobs = format!(
        "[jobs.own]\nevery = \"1h\"\nstart = \"now\"\nuser = \"{user}\"\nnice = 19\nshell = \"echo $LOGNAME; nice\"\n"
    );
    let site = site(&database, &jobs);
    let ran = site.on("alpha", &["run", "own"]).run().await;
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stdout, format!("{user}\n19\n"));
    assert_eq!(ran.stderr, "", "nothing to warn of");
}

#[tokio::test]
async fn another_users_tree_dies_at_its_timeout() {
    if !is_root() {
        return;
    }
    let database = Postgres::database().await;
    let mark = format!("run-as-{}", database.name());
    let jobs = format!(
        "[defaults]\nlease = \"12s\"\ngrace = \"1s\"\n
        [jobs.his]\nevery = \"1h\"\nstart = \"now\"\ntimeout = \"1s\"\nuser = \"{OTHER}\"\nenv = {{ MARK = \"{mark}\" }}
        shell = '''trap \"\" TERM; (setsid sh -c 'trap \"\" TERM; sleep 60; sleep 60' &); sleep 60; sleep 60'''\n"
    );
    let site = site(&database, &jobs);
    let ran = site.on("alpha", &["run", "his"]).run().await;
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert_eq!(left_over(&mark), Vec::<i32>::new());
}

#[tokio::test]
async fn what_nobody_guards_of_another_user_is_killed_by_the_next_pass() {
    if !is_root() {
        return;
    }
    let database = Postgres::database().await;
    let mark = format!("run-as-{}", database.name());
    let jobs = format!(
        "[jobs.his]\nevery = \"1h\"\nstart = \"now\"\nuser = \"{OTHER}\"\nenv = {{ MARK = \"{mark}\" }}\nshell = \"setsid sleep 600 & sleep 600; :\"\n"
    );
    let site = site(&database, &jobs);
    let running = site.on("alpha", &["tick"]).spawn();
    until(LIMIT, "the run is there", async || {
        left_over(&mark).len() == 3
    })
    .await;
    let supervisor = children(running.pid())[0];
    let guard = children(supervisor)[0];
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in [guard, supervisor, running.pid()] {
            kill(Pid::from_raw(pid), signal).expect("it is there");
        }
    }
    running.finished().await;
    assert_eq!(left_over(&mark).len(), 3, "nobody was left to kill them");
    let next = site.on("alpha", &["tick"]).run().await;
    assert!(
        next.stderr.contains("nobody left to guard them"),
        "{}",
        next.stderr
    );
    assert_eq!(left_over(&mark), Vec::<i32>::new());
}

#[tokio::test]
async fn a_run_that_wants_too_much_memory_says_so_or_is_refused() {
    let database = Postgres::database().await;
    let jobs = "[jobs.large]\nevery = \"1h\"\nstart = \"now\"\nmemory_max = \"32M\"
        shell = \"x=0123456789abcdef; while [ ${#x} -lt 400000000 ]; do x=$x$x; done\"\n";
    let site = site(&database, jobs);
    let ran = site.on("alpha", &["run", "large"]).run().await;
    if let Err(why) = crontabber::supervise::can_limit_memory() {
        println!("not tried with a limit: {why}");
        assert_eq!(ran.code, Some(78), "{}", ran.stderr);
        let sentence = "this host cannot keep it to memory_max = \"32M\": ";
        assert!(ran.stderr.contains(sentence), "{}", ran.stderr);
        assert!(ran.stderr.contains("Delegate=yes"), "{}", ran.stderr);
        return;
    }
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let reason = "killed: out of memory (memory_max 32M)";
    assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    let log: String = database
        .query_one("SELECT outcome || ': ' || reason FROM crontabber_log")
        .await;
    assert_eq!(log, format!("failure: {reason}"));
}
