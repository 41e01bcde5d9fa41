//! What of the units' lines needs no systemd to be tried.

use super::common::{NotifySocket, Postgres, Site};

/// Prints the environment of the job, and of all processes above it up to the program.
const ENVIRONMENTS: &str = "\
pid=$$
while [ \"$pid\" -gt 1 ] && ! tr '\\0' '\\n' < /proc/$pid/environ | grep -q '^IS_THE_PROGRAM='; do
    echo \"$(cat /proc/$pid/comm):\"
    tr '\\0' '\\n' < /proc/$pid/environ
    pid=$(cut -d ' ' -f 4 /proc/$pid/stat)
done
echo \"end: $(cat /proc/$pid/comm)\"";

/// What names the socket and the watchdog is for the program: a job that had it could say for the program that all is
/// well.
#[tokio::test]
async fn what_systemd_tells_the_program_is_told_to_no_job_and_to_nobody_above_it() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |_| {
        format!(
            "[jobs.probe]\nevery = \"1d\"\nstart = \"now\"\nshell = '''\n{ENVIRONMENTS}\n'''\n\n"
        )
    });
    let manager = NotifySocket::new();
    let tick = site
        .on("web1", &["tick"])
        .env("NOTIFY_SOCKET", manager.path())
        .env("WATCHDOG_USEC", "60000000")
        .env("IS_THE_PROGRAM", "1");
    let ended = tick.run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let sql = "SELECT output FROM crontabber_log WHERE app_name = 'probe'";
    let output: String = database.query_one(sql).await;
    // Job, guard and supervisor were looked at.
    assert!(output.contains("CRONTABBER_RUN_ID="), "{output}");
    assert!(output.contains("\nct-guard:\n"), "{output}");
    assert!(output.contains("\nct-supervisor:\n"), "{output}");
    assert!(output.ends_with("end: crontabber\n"), "{output}");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!output.contains(name), "{output}");
    }
}

/// systemd shows a unit's credentials to its `ExecStart=`, and not always to the commands beside it.
#[tokio::test]
async fn the_check_before_a_reload_finds_mistakes_and_does_not_ask_for_credentials() {
    let site = Site::new();
    let write = |more: &str| {
        let toml = format!("[database]\nurl = {{ credential = \"database_url\" }}\n\n{more}");
        std::fs::write(site.file("crontabber.toml"), toml).expect("it is ours");
    };
    let check = async |flags: &[&str]| {
        let arguments = [&["config", "check"], flags].concat();
        let ended = site.on("web1", &arguments).run().await;
        (ended.code, ended.stdout)
    };
    write("[jobs.fetch]\nevery = \"1h\"\nshell = \"true\"\n");
    let (code, said) = check(&[]).await;
    assert!(code == Some(1) && said.contains("secret-file"), "{said}");
    let (code, said) = check(&["--no-secrets"]).await;
    assert!(code == Some(0) && said.contains("1 job checked"), "{said}");
    write("[jobs.fetch]\nevry = \"1h\"\nshell = \"true\"\n");
    let (code, said) = check(&["--no-secrets"]).await;
    assert!(code == Some(1) && said.contains("evry"), "{said}");
    let toml = "[jobs.fetch]\nevery = \"1h\"\nshell = \"true\"\n";
    std::fs::write(site.file("crontabber.toml"), toml).expect("it is ours");
    let (code, said) = check(&["--no-secrets"]).await;
    assert!(
        code == Some(1) && said.contains("nothing says where"),
        "{said}"
    );
}
