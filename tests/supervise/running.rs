//! What a program finds, and what the host hears of it.

use std::{
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crontabber::{
    clock::Boottime,
    ended::{How, Stopped},
    heartbeat::Leash,
};
use nix::unistd::dup;

use crate::house::{House, PROGRAM, above, gone, kibibytes, over};

#[tokio::test]
async fn the_exit_code_is_the_programs() {
    let house = House::new();
    for code in [0, 1, 75, 255] {
        let ended = house.run(&format!("exit {code}")).await;
        assert_eq!((ended.how, ended.stopped), (How::Exited(code), None));
    }
    house.leave().await;
}

#[tokio::test]
async fn a_program_that_a_signal_killed_says_which_even_if_it_has_no_name() {
    let house = House::new();
    for signal in [9, 11, 40] {
        let ended = house.run(&format!("kill -{signal} $$")).await;
        assert_eq!((ended.how, ended.stopped), (How::Signaled(signal), None));
    }
    house.leave().await;
}

#[tokio::test]
async fn what_cannot_be_started_is_said_in_words() {
    let house = House::new();
    let says = async |argv: &[&str], cwd: &str, message: &str| {
        let mut order = house.order("");
        order.argv = argv.iter().map(|&word| word.to_owned()).collect();
        order.cwd = cwd.into();
        let ended = house.finish(&order).await;
        assert_eq!(ended.how, How::NotStarted(message.to_owned()));
    };
    says(
        &["no-such-thing"],
        "/",
        "cannot start `no-such-thing`: No such file or directory",
    )
    .await;
    says(
        &["/no/such/thing"],
        "/",
        "cannot start `/no/such/thing`: No such file or directory",
    )
    .await;
    says(&["/etc"], "/", "cannot start `/etc`: Permission denied").await;
    says(
        &["/etc/passwd"],
        "/",
        "cannot start `/etc/passwd`: Permission denied",
    )
    .await;
    says(
        &["true"],
        "/no/such/place",
        "cannot enter `/no/such/place`: No such file or directory",
    )
    .await;
    says(
        &["true"],
        "/etc/passwd",
        "cannot enter `/etc/passwd`: Not a directory",
    )
    .await;
    let long = "x".repeat(200_000);
    says(
        &["true", &long],
        "/",
        "cannot start `true`: Argument list too long",
    )
    .await;
    house.leave().await;
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_an_error() {
    let house = House::new();
    let mut order = house.order("");
    order.argv.clear();
    let error = house
        .supervisor
        .start(&order)
        .await
        .expect_err("there is no program");
    assert_eq!(error.to_string(), "the command is empty");
    house.leave().await;
}

#[tokio::test]
async fn a_run_whose_deadline_has_come_is_not_started() {
    let house = House::new();
    let mut order = house.order("echo ran");
    order.deadline = Boottime::now() + order.grace;
    let ended = house.finish(&order).await;
    assert_eq!(ended.stopped, Some(Stopped::Deadline));
    let why = "the deadline has come before the start";
    assert_eq!(ended.how, How::NotStarted(why.to_owned()));
    house.leave().await;
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_nothing_else() {
    let house = House::new();
    let mut order = house.order("");
    order.argv = vec!["env".to_owned()];
    order.env.push(("EMPTY".to_owned(), String::new()));
    order.env.push(("LINES".to_owned(), "a\nb=c ü".to_owned()));
    let ended = house.finish(&order).await;
    let pairs = order
        .env
        .iter()
        .map(|(name, value)| [name, "=", value, "\n"].concat());
    let expected: String = pairs.collect();
    assert_eq!(ended.output.text(), expected);
    house.leave().await;
}

#[tokio::test]
async fn it_starts_in_its_directory_with_a_session_and_a_umask_of_its_own() {
    let house = House::new();
    let mut order = house.order(
        "pwd; umask; read -r pid name state parent group session rest < /proc/$$/stat
        [ $session = $$ ] && echo leader",
    );
    order.cwd = house.directory.path().to_owned();
    let ended = house.finish(&order).await;
    let expected = format!("{}\n0022\nleader\n", order.cwd.display());
    assert_eq!(ended.output.text(), expected);
    house.leave().await;
}

#[tokio::test]
async fn no_signal_is_blocked_or_ignored_for_it() {
    let house = House::new();
    let ended = house.run("grep -E 'Sig(Blk|Ign)' /proc/self/status").await;
    let text = ended.output.text();
    let masks: Vec<u64> = text
        .lines()
        .map(|line| u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap())
        .collect();
    // 32 and 33 belong to libc itself: ignored in the supervisor, by the posix_spawn that started it.
    let own = 0b11 << 31;
    assert_eq!(
        masks.iter().map(|mask| mask & !own).collect::<Vec<_>>(),
        [0, 0],
        "{text}"
    );
    house.leave().await;
}

#[tokio::test]
async fn it_has_no_file_of_the_hosts_not_even_one_that_leaks() {
    let house = House::new();
    // Without close-on-exec, as a careless ancestor would leave it.
    let leak = dup(std::io::stderr()).expect("stderr is open");
    let ended = house.run("ls /proc/$$/fd").await;
    assert_eq!(ended.output.text(), "0\n1\n2\n");
    drop(leak);
    house.leave().await;
}

#[tokio::test]
async fn it_reads_the_stdin_it_was_given() {
    let house = House::new();
    let mut order = house.order("cat");
    order.stdin = (0..=255_u8).cycle().take(60_000).collect();
    let ended = house.finish(&order).await;
    let read = [ended.output.head, ended.output.tail].concat();
    assert!(read == order.stdin, "every byte, in its order");

    let mut order = house.order("wc -c");
    order.stdin = vec![b'x'; 1 << 20];
    assert_eq!(house.finish(&order).await.output.text(), "1048576\n");
    house.leave().await;
}

#[tokio::test]
async fn a_stdin_that_nobody_reads_holds_nothing_up_and_none_is_the_end_of_file() {
    let house = House::new();
    let mut order = house.order("true");
    order.stdin = vec![b'x'; 1 << 20];
    assert_eq!(house.finish(&order).await.how, How::Exited(0));
    let ended = house.run("cat; readlink /proc/self/fd/0").await;
    assert_eq!(ended.output.text(), "/dev/null\n");
    house.leave().await;
}

#[tokio::test]
async fn two_hundred_runs_go_on_at_once_and_their_guards_are_small() {
    let house = House::new();
    let mut runs = Vec::new();
    for number in 0..200 {
        let script = format!("read x < $D/gate; echo {number}; exit {}", number % 7);
        runs.push(house.start(&house.order(&script)).await);
    }
    // Of its own: the pages of the program file, eight MiB when it is not optimised, are in memory once for all of them.
    let sizes = runs
        .iter()
        .map(|run| kibibytes(above(run).1, "smaps_rollup", "Pss_Anon:"));
    let mean = sizes.sum::<u64>() / 200;
    assert!(mean < 128, "{mean} KiB");
    println!("a guard has {mean} KiB");
    house.open_gate(runs.len());
    for (number, run) in (0..).zip(runs) {
        let ended = over(run).await;
        assert_eq!(ended.how, How::Exited(number % 7));
        assert_eq!(ended.output.text(), format!("{number}\n"));
    }
    house.leave().await;
}

#[tokio::test]
async fn runs_that_are_ordered_at_the_same_moment_all_start() {
    let house = House::new();
    let order = house.order("true");
    // More orders than the socket queues.
    let starts = (0..100).map(|_| house.start(&order));
    for run in futures_util::future::join_all(starts).await {
        assert_eq!(over(run).await.how, How::Exited(0));
    }
    house.leave().await;
}

#[tokio::test]
async fn a_run_can_be_started_and_awaited_from_any_task() {
    let house = Arc::new(House::new());
    let host = Arc::clone(&house);
    let task = tokio::spawn(async move { host.run("exit 7").await });
    assert_eq!(task.await.unwrap().how, How::Exited(7));
    Arc::into_inner(house).unwrap().leave().await;
}

#[tokio::test]
async fn a_verdict_is_not_lost_when_the_guard_leaves_a_message_unread() {
    let house = House::new();
    let order = house.order("true");
    for _ in 0..200 {
        let run = house.start(&order).await;
        let reins = run.reins();
        let heartbeat = async {
            for seconds in 0..50 {
                reins.extend(order.deadline + Duration::from_secs(seconds));
                tokio::task::yield_now().await;
            }
        };
        let (ended, ()) = futures_util::future::join(over(run), heartbeat).await;
        assert_eq!(ended.how, How::Exited(0));
    }
    house.leave().await;
}

#[tokio::test]
async fn when_the_end_is_reported_nothing_is_left_not_even_a_status() {
    let house = House::new();
    let run = house.start(&house.order("read x < $D/gate")).await;
    let (program, _, supervisor) = above(&run);
    house.open_gate(1);
    assert_eq!(over(run).await.how, How::Exited(0));
    assert!(gone(program));
    house.leave().await;
    assert!(gone(supervisor));
}

#[test]
fn supervise_is_no_command_for_people() {
    let output = Command::new(PROGRAM)
        .arg("supervise")
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(70));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(
        message.contains("is started by crontabber itself"),
        "{message}"
    );
}
