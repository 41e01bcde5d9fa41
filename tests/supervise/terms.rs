//! As whom a program runs and how willingly. To become somebody else takes root; where the tests are run by an ordinary
//! user they show that he cannot.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use crontabber::{
    clock::Boottime,
    ended::{Ended, How, Stopped},
    rights::{Account, Terms},
    supervise::{Order, Supervisor},
};
use nix::unistd::{Uid, chown};

use crate::house::{House, PROGRAM, above, gone, last_entry, over, session};

/// The user whom every machine has for this.
const OTHER: &str = "nobody";

async fn account() -> Account {
    Account::named(OTHER).await.expect("every machine has him")
}

impl House {
    /// An order for a script of the other user's, who may use the house.
    pub(crate) async fn order_of_another(&self, script: &str) -> Order {
        let account = account().await;
        if Uid::effective().is_root() {
            for place in [self.directory.path().to_owned(), self.path("gate")] {
                chown(&place, Some(Uid::from_raw(account.uid)), None).expect("root may");
            }
        }
        let mut order = self.order(script);
        order.terms.account = Some(account);
        order
    }

    /// What a script of the other user's has printed; `None`, and the refusal looked at, where this is not root.
    async fn run_of_another(&self, script: &str) -> Option<Ended> {
        let order = self.order_of_another(script).await;
        let ended = self.finish(&order).await;
        if Uid::effective().is_root() {
            return Some(ended);
        }
        println!("not tried: only root may become {OTHER}");
        let uid = account().await.uid;
        let why = format!("cannot become user {uid}: Operation not permitted");
        assert_eq!(ended.how, How::NotStarted(why));
        None
    }
}

#[tokio::test]
async fn a_program_of_another_user_is_he_and_nobody_else_for_good() {
    for supervisor in [
        Supervisor::with_program(PROGRAM),
        Supervisor::with_program(PROGRAM).without_cgroups(),
    ] {
        let mut house = House::new();
        house.supervisor = supervisor;
        let script =
            "grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status";
        let Some(ended) = house.run_of_another(script).await else {
            return house.leave().await;
        };
        let account = account().await;
        let text = ended.output.text();
        let line = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let words = line.expect("the kernel says it").split_ascii_whitespace();
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let four = |number: u32| vec![number.to_string(); 4];
        assert_eq!(line("Uid:"), four(account.uid));
        assert_eq!(line("Gid:"), four(account.gid));
        let groups: Vec<String> = account.groups.iter().map(u32::to_string).collect();
        assert_eq!(line("Groups:"), groups, "none of the host's");
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(line(set), ["0000000000000000"], "{set}");
        }
        assert_eq!(line("NoNewPrivs:"), ["1"]);
        house.leave().await;
    }
}

#[tokio::test]
async fn he_may_not_read_what_is_roots_and_the_host_may() {
    let house = House::new();
    let secret = house.path("secret");
    fs::write(&secret, "of root's\n").expect("the house is ours");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("it is ours");
    let script = "cat $D/secret || echo refused";
    let Some(ended) = house.run_of_another(script).await else {
        return house.leave().await;
    };
    let text = ended.output.text();
    assert!(
        text.contains("Permission denied") && text.ends_with("refused\n"),
        "{text}"
    );
    let of_the_host = house.run(script).await;
    assert_eq!(of_the_host.output.text(), "of root's\n");
    house.leave().await;
}

#[tokio::test]
async fn he_may_open_again_what_was_opened_for_him() {
    let house = House::new();
    let mut order = house
        .order_of_another("cat /dev/stdin > /dev/stderr; echo too > /dev/stdout")
        .await;
    order.stdin = b"given\n".to_vec();
    let ended = house.finish(&order).await;
    if Uid::effective().is_root() {
        assert_eq!(ended.output.text(), "given\ntoo\n");
    }
    house.leave().await;
}

#[tokio::test]
async fn a_directory_that_is_not_for_him_is_not_entered_for_him() {
    let house = House::new();
    let closed = house.path("closed");
    fs::create_dir(&closed).expect("the house is ours");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let mut order = house.order_of_another("pwd").await;
    order.cwd.clone_from(&closed);
    let ended = house.finish(&order).await;
    if Uid::effective().is_root() {
        let why = format!("cannot enter `{}`: Permission denied", closed.display());
        assert_eq!(ended.how, How::NotStarted(why));
    }
    house.leave().await;
}

#[tokio::test]
async fn a_program_that_he_may_not_execute_is_not_found_for_him() {
    let house = House::new();
    let tool = house.path("tool");
    fs::write(&tool, "#!/bin/sh\necho ran\n").expect("the house is ours");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o700)).expect("it is ours");
    let mut order = house.order_of_another("").await;
    order.argv = vec!["tool".to_owned()];
    order.env[0].1 = house.directory.path().display().to_string();
    let ended = house.finish(&order).await;
    if Uid::effective().is_root() {
        let why = "cannot start `tool`: Permission denied";
        assert_eq!(ended.how, How::NotStarted(why.to_owned()));
    }
    house.leave().await;
}

/// What another user has started, far away, is killed by the guard as its own would be.
async fn of_another_dies_by_its_deadline(mut house: House, supervisor: Supervisor) {
    house.supervisor = supervisor;
    let script = r#"trap "" TERM HUP
        (trap "" TERM HUP; setsid sh -c '
            while :; do read up rest < /proc/uptime; echo "$up" >> "$D/ledger"; sleep 0.02; done' &)
        sleep 60; sleep 60"#;
    let mut order = house.order_of_another(script).await;
    order.grace = Duration::from_millis(200);
    order.deadline = Boottime::now() + Duration::from_millis(1200);
    let ended = house.finish(&order).await;
    if Uid::effective().is_root() {
        assert_eq!(ended.stopped, Some(Stopped::Deadline));
        let (last, entries) = last_entry(&house);
        assert!(entries > 5, "it has lived");
        assert!(last < order.deadline.since_boot(), "{last:?}, {order:?}");
    }
    house.leave().await;
}

#[tokio::test]
async fn what_another_user_has_started_is_dead_by_its_deadline() {
    let supervisor = Supervisor::with_program(PROGRAM);
    of_another_dies_by_its_deadline(House::new(), supervisor).await;
}

#[tokio::test]
async fn and_without_a_cgroup_it_is_too() {
    let supervisor = Supervisor::with_program(PROGRAM).without_cgroups();
    of_another_dies_by_its_deadline(House::new(), supervisor).await;
}

#[tokio::test]
async fn a_niceness_is_given_and_the_guard_keeps_its_own() {
    let house = House::new();
    let mut order = house.order("nice; read x < $D/gate");
    order.terms.nice = Some(7);
    let run = house.start(&order).await;
    let (program, guard, _) = above(&run);
    let niceness = |pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is alive");
        let fields = stat.rsplit_once(')').expect("a name").1;
        fields
            .split_ascii_whitespace()
            .nth(16)
            .map(str::parse::<i8>)
    };
    assert_eq!(niceness(program), Some(Ok(7)));
    assert_eq!(niceness(guard), niceness(nix::unistd::Pid::this()));
    house.open_gate(1);
    assert_eq!(over(run).await.output.text(), "7\n");

    order = house.order("nice");
    order.terms.nice = Some(-5);
    let ended = house.finish(&order).await;
    if Uid::effective().is_root() {
        assert_eq!(ended.output.text(), "-5\n");
    } else {
        let why = "cannot be given nice -5: Permission denied";
        assert_eq!(ended.how, How::NotStarted(why.to_owned()));
    }
    house.leave().await;
}

/// With a cgroup, a priority, or neither: the same session, signals, descriptors, mask of files.
#[tokio::test]
async fn whatever_its_terms_a_program_finds_the_same() {
    let house = House::new();
    let script = "pwd; umask; ls /proc/$$/fd; ulimit -c
        grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status
        read -r pid name state parent group session rest < /proc/$$/stat
        [ $session = $$ ] && [ $group = $$ ] && echo leader";
    let run = async |terms: Terms, supervisor: Supervisor| {
        let mut order = house.order(script);
        order.terms = terms;
        let ended = over(supervisor.start(&order).await.expect("it starts")).await;
        assert!(supervisor.close(Duration::from_secs(20)).await);
        let text = ended.output.text();
        // 32 and 33 belong to libc itself: ignored in the supervisor, by the posix_spawn that started it.
        text.replace("0000000180000000", "0000000000000000")
    };
    let plain = || Supervisor::with_program(PROGRAM).without_cgroups();
    let without = run(Terms::default(), plain()).await;
    let nice = Terms {
        nice: Some(5),
        ..Terms::default()
    };
    assert!(without.ends_with("leader\n"), "{without}");
    assert_eq!(run(nice, plain()).await, without);
    let in_cgroup = run(Terms::default(), Supervisor::with_program(PROGRAM)).await;
    assert_eq!(in_cgroup, without);
    house.leave().await;
}

#[tokio::test]
async fn a_run_with_a_priority_ends_as_any_other_does() {
    let house = House::new();
    let mut order = house.order("echo $$; read x < $D/gate; exit 3");
    order.terms.nice = Some(1);
    let run = house.start(&order).await;
    let (program, ..) = above(&run);
    house.open_gate(1);
    let ended = over(run).await;
    assert_eq!(ended.how, How::Exited(3));
    assert_eq!(ended.output.text(), format!("{program}\n"));
    assert!(gone(program) && session(program).is_empty());
    house.leave().await;
}
