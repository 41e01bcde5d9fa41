//! One job by its name, for units of the operator's own.

use super::{common::Postgres, machine::Machine, unit::file};

const JOBS: &str = r#"
[jobs.report]
every = "1d"
start = "now"
shell = "true"

[jobs.fails]
every = "1d"
start = "now"
shell = "exit 7"

[jobs.clean-up]
shell = "true"
"#;

/// The drop-in and the lines of another unit, as the instructions have them: the block that says this.
fn block(says: &str) -> String {
    let readme = file("README.md");
    let blocks = readme.split("```ini\n").skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    let found = blocks.find(|block| block.contains(says));
    found.expect("the instructions show it").to_owned()
}

#[tokio::test]
async fn a_unit_of_its_own_runs_a_job_and_fails_when_the_job_does() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, JOBS).await else {
        return;
    };
    let scenario = "\
for job in report report fails nobody; do
    systemctl start crontabber-run@$job.service || true
    systemctl is-failed crontabber-run@$job.service >> /out/states || true
done
";
    machine.boot(scenario).await;
    // It was due; it is not any more; it failed; there is none.
    assert_eq!(
        machine.said("runs"),
        "success 0\nsuccess 4\nexit-code 1\nexit-code 64\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(
        machine.said("states"),
        "inactive\ninactive\nfailed\nfailed\n"
    );
    let outcomes = database
        .rows("SELECT app_name, outcome FROM crontabber_log ORDER BY id")
        .await;
    assert_eq!(outcomes, [["report", "success"], ["fails", "failure"]]);
}

#[tokio::test]
async fn a_job_without_a_schedule_follows_the_failure_of_another_unit() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, JOBS).await else {
        return;
    };
    let force = block("run --force %i").replace("/usr/bin/crontabber", "/opt/crontabber");
    machine.drop_in("crontabber-run@clean-up.service", &force);
    let backup = block("OnFailure=crontabber-run@clean-up.service");
    machine.write(
        "etc/systemd/system/backup.service",
        &format!("{backup}\n[Service]\nType=oneshot\nExecStart=/bin/false\n"),
    );
    let scenario = "\
systemctl start backup.service || true
until [ -e /out/runs ]; do sleep 0.02; done
";
    machine.boot(scenario).await;
    assert_eq!(
        machine.said("runs"),
        "success 0\n",
        "{}",
        machine.said("log")
    );
    let outcomes = database
        .rows("SELECT app_name, outcome, trigger FROM crontabber_log ORDER BY id")
        .await;
    assert_eq!(outcomes, [["clean-up", "success", "manual"]]);
}
