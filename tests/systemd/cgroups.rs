//! What `Delegate=` and the drop-in for other users give a run on a real systemd.

use super::{
    common::{Database, Postgres},
    machine::Machine,
    unit::file,
};

/// The unit's cgroup.
const UNIT: &str = "system.slice/crontabber.service";

/// Where a run is, and which cgroups it may change.
const PLACE: &str = r#"
[jobs.place]
every = "1d"
start = "now"
shell = '''
sed -n 's/^0:://p' /proc/self/cgroup
mkdir /sys/fs/cgroup/system.slice/of_a_job 2> /dev/null && echo made
for group in system.slice/director.service system.slice/crontabber.service; do
    [ ! -w /sys/fs/cgroup/$group/cgroup.procs ] || echo $group
done
'''
"#;

const RAN: &str = "\
systemctl start crontabber.service
until journalctl --sync && journalctl -u crontabber.service -o cat | grep -q '^success job=place'; do sleep 0.02; done
systemctl stop crontabber.service
";

/// What the run has met.
async fn met(machine: &Machine, database: &Database) -> String {
    machine.boot(RAN).await;
    assert_eq!(
        machine.said("daemons"),
        "success 0\n",
        "{}",
        machine.said("log")
    );
    let sql = "SELECT replace(output, run_id::text, 'ID') FROM crontabber_log";
    database.query_one(sql).await
}

#[tokio::test]
async fn a_run_has_a_cgroup_of_its_own_and_changes_none_but_the_units() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, PLACE).await else {
        return;
    };
    let expected = format!("/{UNIT}/run-ID\n{UNIT}\n");
    assert_eq!(met(&machine, &database).await, expected);
}

#[tokio::test]
async fn a_daemon_that_is_shown_no_cgroup_to_write_to_does_without() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, PLACE).await else {
        return;
    };
    machine.drop_in("crontabber.service", "[Service]\nReadWritePaths=\n");
    let met = met(&machine, &database).await;
    assert_eq!(met, format!("/{UNIT}\n"));
}

/// One job of another user, and one that leaves a child and does not end.
const OTHERS: &str = r#"
[defaults]
user = "other"
grace = "1s"
cwd = "/tmp"

[jobs.who]
every = "1d"
start = "now"
shell = '''
id -un
grep -e NoNewPrivs: -e CapPrm: /proc/self/status | cut -f 2
kill -0 1 2> /dev/null || echo refused
sed -n 's/^0:://p' /proc/self/cgroup
'''

[jobs.hangs]
every = "1d"
start = "now"
timeout = "2s"
shell = '''
trap "" TERM
setsid sleep 1000 &
echo $! > /srv/shared/child
while :; do sleep 0.02; done
'''
"#;

/// Runs them until the second is over; what is left of it.
const OVER: &str = "\
echo 'other:x:4711:4711::/:/bin/sh' >> /etc/passwd
chown 4711 /srv/shared
systemctl start crontabber.service
until journalctl --sync && journalctl -u crontabber.service -o cat | grep -q 'job=hangs.*timeout\\|^timeout job=hangs'; do sleep 0.02; done
[ -e \"/proc/$(cat /srv/shared/child)\" ] && echo lives > /out/child || echo dead > /out/child
stat -c %U /var/lib/crontabber > /out/owner
systemctl stop crontabber.service
";

async fn others(more: &str, cgroup: &str) {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, OTHERS).await else {
        return;
    };
    let drop_in = file("user-switching.conf");
    // The jobs of this test write where they can be looked at.
    let drop_in = format!("{drop_in}\nReadWritePaths=/srv/shared\n{more}");
    machine.drop_in("crontabber.service", &drop_in);
    machine.boot(OVER).await;
    assert_eq!(machine.said("child"), "dead\n", "{}", machine.said("log"));
    assert_eq!(machine.said("owner"), "root\n");
    assert_eq!(machine.said("daemons"), "success 0\n");
    let rows = "SELECT app_name, outcome, CASE app_name WHEN 'who' THEN replace(output, run_id::text, 'ID') END \
        FROM crontabber_log ORDER BY app_name";
    let told = format!("other\n0000000000000000\n1\nrefused\n/{UNIT}{cgroup}\n");
    assert_eq!(
        database.rows(rows).await,
        [["hangs", "timeout", "NULL"], ["who", "success", &told]]
    );
}

#[tokio::test]
async fn with_the_drop_in_a_job_is_another_user_without_a_right_and_dies_in_time() {
    others("", "/run-ID").await;
}

#[tokio::test]
async fn it_dies_in_time_without_a_cgroup_too() {
    others("Delegate=no\n", "").await;
}

#[tokio::test]
async fn without_the_drop_in_no_job_is_another_user() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, OTHERS).await else {
        return;
    };
    let scenario = "\
echo 'other:x:4711:4711::/:/bin/sh' >> /etc/passwd
systemctl start crontabber.service
systemctl stop crontabber.service
";
    machine.boot(scenario).await;
    assert_eq!(
        machine.said("daemons"),
        "success 0\n",
        "{}",
        machine.said("log")
    );
    let rows: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log")
        .await;
    assert_eq!(rows, 0);
}
