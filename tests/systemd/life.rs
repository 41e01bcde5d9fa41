//! The life of the units: started by the timer, stopped with care, failed when there is something to do.

use super::{
    common::{Database, Postgres},
    machine::Machine,
};

/// A job that says when it runs, and when it is told to stop, and ends when it may. It says so by itself: a program that
/// it started for that might be told to stop before it has said anything, because systemd goes through the unit's
/// processes until there are no new ones.
const PATIENT: &str = r#"
[jobs.patient]
every = "1d"
start = "now"
cwd = "/var/lib/crontabber"
shell = "trap ': > told; exit 9' TERM; touch runs; until [ -e may_end ]; do sleep 0.02; done"
"#;

/// Stops the unit while the job runs, and lets the job end when systemd has passed the word on.
const STOPPED: &str = "\
cd /var/lib/crontabber
systemctl start --no-block crontabber-tick.service
until [ -e runs ]; do sleep 0.02; done
systemctl stop --no-block crontabber-tick.service
until systemctl show -P ActiveState crontabber-tick.service | grep -q deactivating; do sleep 0.02; done
touch may_end
until [ -e /out/passes ]; do sleep 0.02; done
[ ! -e told ] || echo told > /out/job
";

async fn outcomes(database: &Database) -> Vec<Vec<String>> {
    database
        .rows("SELECT app_name, outcome FROM crontabber_log ORDER BY id")
        .await
}

#[tokio::test]
async fn the_timer_starts_passes() {
    let database = Postgres::database().await;
    let jobs = "[jobs.fetch]\nevery = \"1d\"\nstart = \"now\"\nshell = \"touch /var/lib/crontabber/ran\"\n";
    let Some(machine) = Machine::new(&database, jobs).await else {
        return;
    };
    // Each second, or the test takes a minute.
    let sooner = "[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\n";
    machine.drop_in("crontabber-tick.timer", sooner);
    let scenario = "\
systemctl start crontabber-tick.timer
until [ -e /var/lib/crontabber/ran ]; do sleep 0.02; done
systemctl stop crontabber-tick.timer
until systemctl show -P ActiveState crontabber-tick.service | grep -q inactive; do sleep 0.02; done
journalctl --sync
journalctl --no-pager -o cat -u crontabber-tick.service CRONTABBER_JOB=fetch > /out/journal
";
    machine.boot(scenario).await;
    assert_eq!(outcomes(&database).await, [["fetch", "success"]]);
    // The journal says of which job it speaks, and can be asked for it.
    let told = machine.said("journal");
    assert!(
        told.contains("ongoing job=fetch slot=") && told.contains("\nsuccess job=fetch "),
        "{told}"
    );
    assert!(!told.contains("made the tables"), "{told}");
}

#[tokio::test]
async fn a_unit_that_is_stopped_lets_its_run_end() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, PATIENT).await else {
        return;
    };
    machine.boot(STOPPED).await;
    assert_eq!(
        machine.said("passes"),
        "success 0\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(machine.said("job"), "");
    assert_eq!(outcomes(&database).await, [["patient", "success"]]);
}

#[tokio::test]
async fn with_another_kill_mode_the_job_is_told_to_stop() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, PATIENT).await else {
        return;
    };
    machine.drop_in(
        "crontabber-tick.service",
        "[Service]\nKillMode=control-group\n",
    );
    machine.boot(STOPPED).await;
    assert_eq!(machine.said("job"), "told\n", "{}", machine.said("log"));
}

#[tokio::test]
async fn a_pass_that_could_not_be_made_fails_the_unit_and_the_next_good_one_mends_it() {
    let database = Postgres::database().await;
    let jobs = "[jobs.fetch]\nevery = \"1d\"\nshell = \"true\"\n";
    let Some(machine) = Machine::new(&database, jobs).await else {
        return;
    };
    let scenario = "\
pass() {
    systemctl start crontabber-tick.service || true
    systemctl is-failed crontabber-tick.service >> /out/states || true
}
cd /etc/crontabber
cp crontabber.toml good
echo 'no = such key' >> crontabber.toml
pass
cp good crontabber.toml
pass
rm /etc/credstore/crontabber.database_url
pass
echo postgres://127.0.0.1:9/none > /etc/credstore/crontabber.database_url
pass
journalctl --sync
journalctl --no-pager -u crontabber-tick.service -o cat > /out/journal
";
    machine.boot(scenario).await;
    // Mistakes, none, a credential that is not there (which keeps no unit from starting), no server.
    assert_eq!(
        machine.said("passes"),
        "exit-code 78\nsuccess 0\nexit-code 78\nexit-code 69\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(machine.said("states"), "failed\ninactive\nfailed\nfailed\n");
    let journal = machine.said("journal");
    assert!(
        journal.contains("/run/credentials/crontabber-tick.service/database_url"),
        "{journal}"
    );
}

#[cfg(feature = "embedded")]
#[tokio::test]
async fn an_embedded_database_lives_in_a_unit_of_its_own() {
    let database = Postgres::database().await;
    let Some(machine) = Machine::new(&database, "").await else {
        return;
    };
    let toml = "[database]\nembedded = true\n\n[jobs.fetch]\nevery = \"1d\"\nstart = \"now\"\nshell = \"true\"\n";
    machine.write("etc/crontabber/crontabber.toml", toml);
    let scenario = "\
pid() { head -n 1 /var/lib/crontabber/postgres/data/postmaster.pid; }
systemctl start crontabber-embedded.service
before=$(pid)
systemctl start crontabber-tick.service
systemctl start crontabber-tick.service
[ \"$(pid)\" = \"$before\" ] && [ -e \"/proc/$before\" ] && echo lives > /out/server
systemctl stop crontabber-embedded.service
[ -e \"/proc/$before\" ] || echo gone >> /out/server
systemctl start crontabber-tick.service
[ -e \"/proc/$(pid)\" ] || echo died with its pass >> /out/server
";
    machine.boot(scenario).await;
    assert_eq!(
        machine.said("server"),
        "lives\ngone\ndied with its pass\n",
        "{}",
        machine.said("log")
    );
    assert_eq!(machine.said("passes"), "success 0\n".repeat(3));
}
