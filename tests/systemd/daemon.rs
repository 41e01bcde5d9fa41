//! The daemon's unit on a real systemd: when it counts as started, reloaded, hung and stopped, and what is left of it.

use std::time::Duration;

use super::{
    common::{Database, Postgres, tables, until},
    machine::Machine,
};

const SOON: Duration = Duration::from_secs(30);

/// What the scenarios say more than once.
const WORDS: &str = "\
show() { systemctl show crontabber.service -P \"$1\"; }
cd /var/lib/crontabber
";

/// A job that is not due before tomorrow.
const LATER: &str = "[jobs.later]\nevery = \"1d\"\nshell = \"true\"\n";

/// Comes back at once, or a test takes five seconds more.
const AT_ONCE: &str = "RestartSec=100ms";

/// A job that leaves a child in a session of its own and ends when it may; if it is started again it does so at once.
const PATIENT: &str = r#"
[jobs.patient]
every = "1d"
start = "now"
cwd = "/var/lib/crontabber"
shell = '''
[ ! -e ran ] || { touch ran_again; exit 0; }
touch ran
setsid sleep 1000 &
echo $! > child.new
mv child.new child
until [ -e may_end ]; do sleep 0.02; done
'''
"#;

async fn machine(database: &Database, sections: &str, drop_in: &str) -> Option<Machine> {
    let machine = Machine::new(database, sections).await?;
    machine.drop_in("crontabber.service", &format!("[Service]\n{drop_in}\n"));
    Some(machine)
}

async fn boot(machine: &Machine, scenario: &str) {
    machine.boot(&format!("{WORDS}{scenario}")).await;
}

async fn outcomes(database: &Database) -> Vec<Vec<String>> {
    database
        .rows("SELECT app_name, outcome FROM crontabber_log ORDER BY id")
        .await
}

#[tokio::test]
async fn the_unit_is_started_when_the_daemon_has_seen_its_tables_and_not_before() {
    let database = tables().await;
    let Some(machine) = machine(&database, LATER, "").await else {
        return;
    };
    let locked = database.connect().await;
    let lock = "BEGIN; LOCK TABLE crontabber IN ACCESS EXCLUSIVE MODE";
    locked.batch_execute(lock).await.expect("it is ours");
    let scenario = "\
systemctl start --no-block crontabber.service
until [ -e /out/waits ]; do sleep 0.02; done
show ActiveState > /out/before.new
mv /out/before.new /out/before
until [ \"$(show ActiveState)\" = active ]; do sleep 0.02; done
show StatusText > /out/status
";
    let let_go = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until(SOON, "the daemon waits for its tables", async || {
            database.query_one::<i64>(waiting).await > 0
        })
        .await;
        machine.write("out/waits", "");
        until(SOON, "systemd has been asked", async || {
            !machine.said("before").is_empty()
        })
        .await;
        locked.batch_execute("ROLLBACK").await.expect("it answers");
    };
    tokio::join!(boot(&machine, scenario), let_go);
    assert_eq!(
        machine.said("before"),
        "activating\n",
        "{}",
        machine.said("log")
    );
    let status = machine.said("status");
    assert!(
        status.starts_with("nothing running; next later at "),
        "{status}"
    );
}

#[tokio::test]
async fn a_daemon_that_cannot_work_fails_its_unit_and_is_not_started_again() {
    let database = Postgres::database().await;
    let Some(machine) = machine(&database, "no = \"such key\"\n", AT_ONCE).await else {
        return;
    };
    let scenario = "\
systemctl start crontabber.service || echo failed > /out/start
show SubState >> /out/state
show NRestarts >> /out/state
printf '[Service]\\nRestartPreventExitStatus=\\n' > /etc/systemd/system/crontabber.service.d/z.conf
systemctl daemon-reload
systemctl start crontabber.service || true
until [ \"$(show NRestarts)\" -gt 1 ]; do sleep 0.02; done
";
    boot(&machine, scenario).await;
    assert_eq!(machine.said("start"), "failed\n", "{}", machine.said("log"));
    // And without the line that keeps it from coming again, it comes again.
    assert_eq!(machine.said("state"), "failed\n0\n");
    let ends = machine.said("daemons");
    assert!(ends.starts_with("exit-code 78\nexit-code 78\n"), "{ends}");
}

#[tokio::test]
async fn a_reload_takes_what_is_right_and_refuses_what_is_not() {
    let database = Postgres::database().await;
    let Some(machine) = machine(&database, LATER, "").await else {
        return;
    };
    let scenario = r#"
file=/etc/crontabber/crontabber.toml
systemctl start crontabber.service
pid=$(show MainPID)
printf '[jobs.second]\nevery = "1d"\nstart = "now"\nshell = "touch /var/lib/crontabber/second"\n' >> $file
systemctl reload crontabber.service
until [ -e second ]; do sleep 0.02; done
cp $file good
echo 'no = "such key"' >> $file
systemctl reload crontabber.service || echo refused > /out/reload
show ActiveState >> /out/reload
show StatusText > /out/status
# Not asked first: the daemon finds it by itself.
kill -HUP "$pid"
until show StatusText | grep -q mistakes; do sleep 0.02; done
show StatusText >> /out/status
cp good $file
systemctl reload crontabber.service
until ! show StatusText | grep -q mistakes; do sleep 0.02; done
[ "$(show MainPID)" = "$pid" ] && echo the same > /out/daemon
systemctl stop crontabber.service
journalctl --sync
journalctl --no-pager -o cat -u crontabber.service > /out/journal
"#;
    boot(&machine, scenario).await;
    assert_eq!(
        machine.said("reload"),
        "refused\nactive\n",
        "{}",
        machine.said("log")
    );
    let status = machine.said("status");
    let told: Vec<bool> = status
        .lines()
        .map(|line| line.contains("mistakes"))
        .collect();
    assert_eq!(told, [false, true], "{status}");
    assert_eq!(machine.said("daemon"), "the same\n");
    assert_eq!(machine.said("daemons"), "success 0\n");
    let journal = machine.said("journal");
    assert!(journal.contains("unknown key `no`"), "{journal}");
    assert_eq!(outcomes(&database).await, [["second", "success"]]);
}

/// Freezes the daemon while its job runs.
const FROZEN: &str = "\
systemctl start crontabber.service
until [ -e child ]; do sleep 0.02; done
kill -STOP \"$(show MainPID)\"
";

#[tokio::test]
async fn a_daemon_that_hangs_is_killed_with_its_runs_and_comes_back_for_them() {
    let database = Postgres::database().await;
    let watched = format!("WatchdogSec=2s\n{AT_ONCE}");
    let Some(machine) = machine(&database, PATIENT, &watched).await else {
        return;
    };
    let scenario = "\
until [ -e ran_again ]; do sleep 0.02; done
show NRestarts > /out/restarts
[ -e \"/proc/$(cat child)\" ] || echo dead > /out/child
systemctl stop crontabber.service
";
    boot(&machine, &format!("{FROZEN}{scenario}")).await;
    assert_eq!(
        machine.said("daemons"),
        "watchdog KILL\nsuccess 0\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(machine.said("restarts"), "1\n");
    assert_eq!(machine.said("child"), "dead\n");
    let outcomes = outcomes(&database).await;
    assert_eq!(outcomes, [["patient", "lost"], ["patient", "success"]]);
}

#[tokio::test]
async fn without_the_watchdog_it_hangs_on() {
    let database = Postgres::database().await;
    let Some(machine) = machine(&database, PATIENT, "WatchdogSec=0").await else {
        return;
    };
    // As long as the watchdog of the other test takes, and half as long again.
    let scenario = "\
sleep 3
show ActiveState > /out/state
show NRestarts >> /out/state
systemctl kill --signal=KILL crontabber.service
";
    boot(&machine, &format!("{FROZEN}{scenario}")).await;
    assert_eq!(
        machine.said("state"),
        "active\n0\n",
        "{}",
        machine.said("log")
    );
}

/// A job that does not end when it is told to, with a child in a session of its own.
const STUBBORN: &str = r#"
[daemon]
drain = "1s"

[defaults]
grace = "1s"

[jobs.stubborn]
every = "1d"
start = "now"
cwd = "/var/lib/crontabber"
shell = '''
trap "" TERM
setsid sleep 1000 &
echo $! > stubborn.new
mv stubborn.new stubborn
while :; do sleep 0.02; done
'''
"#;

#[tokio::test]
async fn a_stop_lets_runs_end_kills_what_does_not_and_leaves_nothing() {
    let database = Postgres::database().await;
    let jobs = format!("{STUBBORN}{PATIENT}");
    let Some(machine) = machine(&database, &jobs, "").await else {
        return;
    };
    let scenario = "\
systemctl start crontabber.service
until [ -e child ] && [ -e stubborn ]; do sleep 0.02; done
group=/sys/fs/cgroup$(show ControlGroup)
[ -d \"$group\" ] || echo there is no $group > /out/left
systemctl stop --no-block crontabber.service
until [ \"$(show ActiveState)\" = deactivating ]; do sleep 0.02; done
until show StatusText | grep -q stopping; do sleep 0.02; done
touch may_end
until [ \"$(show ActiveState)\" = inactive ]; do sleep 0.02; done
for pid in $(cat child stubborn); do [ ! -e \"/proc/$pid\" ] || echo $pid >> /out/left; done
[ ! -e \"$group\" ] || find \"$group\" >> /out/left
";
    boot(&machine, scenario).await;
    assert_eq!(
        machine.said("daemons"),
        "success 0\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(machine.said("left"), "");
    let mut outcomes = outcomes(&database).await;
    outcomes.sort();
    assert_eq!(outcomes, [["patient", "success"], ["stubborn", "lost"]]);
}

/// Kills all that could end a run, at once: stopped first, none of them sees another's death.
const BEHEADED: &str = "\
systemctl start crontabber.service
until [ -e child ]; do sleep 0.02; done
all=\"$(show MainPID) $(pgrep -x ct-supervisor) $(pgrep -x ct-guard)\"
kill -STOP $all
kill -KILL $all
until [ -e /out/daemons ]; do sleep 0.02; done
until [ \"$(show SubState)\" = failed ]; do sleep 0.02; done
[ -e \"/proc/$(cat child)\" ] && echo lives > /out/child || echo dead > /out/child
";

#[tokio::test]
async fn a_daemon_that_is_killed_with_supervisor_and_guards_leaves_no_process() {
    let database = Postgres::database().await;
    let Some(machine) = machine(&database, PATIENT, "Restart=no").await else {
        return;
    };
    boot(&machine, BEHEADED).await;
    assert_eq!(machine.said("child"), "dead\n", "{}", machine.said("log"));
    assert_eq!(machine.said("daemons"), "signal KILL\n");
}

#[tokio::test]
async fn with_another_kill_mode_the_run_goes_on_without_them() {
    let database = Postgres::database().await;
    let Some(machine) = machine(&database, PATIENT, "Restart=no\nKillMode=process").await else {
        return;
    };
    boot(&machine, BEHEADED).await;
    assert_eq!(machine.said("child"), "lives\n", "{}", machine.said("log"));
}

#[tokio::test]
async fn a_stop_that_takes_longer_than_systemd_would_wait_is_waited_for() {
    let database = Postgres::database().await;
    let Some(machine) = machine(&database, PATIENT, "TimeoutStopSec=1s").await else {
        return;
    };
    // Three times what systemd would wait; `drain` is two minutes.
    let scenario = "\
systemctl start crontabber.service
until [ -e child ]; do sleep 0.02; done
systemctl stop --no-block crontabber.service
sleep 3
show ActiveState > /out/state
touch may_end
until [ \"$(show ActiveState)\" = inactive ]; do sleep 0.02; done
";
    boot(&machine, scenario).await;
    assert_eq!(
        machine.said("state"),
        "deactivating\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(machine.said("daemons"), "success 0\n");
    assert_eq!(outcomes(&database).await, [["patient", "success"]]);
}
