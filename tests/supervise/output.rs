//! What a program prints, however much and whatever it is.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::house::{House, above, eventually, gone, kibibytes, over};
use crontabber::{
    clock::Boottime,
    ended::{How, Stopped},
    output::{Listener, Output},
};

/// What was told of a run that goes on: where each part began, and how long it was.
#[derive(Debug, Default)]
struct Parts(Mutex<Vec<(u64, usize)>>);

impl Parts {
    fn all(&self) -> Vec<(u64, usize)> {
        self.0.lock().expect("nobody panics with it").clone()
    }
}

impl Listener for Parts {
    fn hear(&self, position: u64, bytes: &[u8]) {
        let mut parts = self.0.lock().expect("nobody panics with it");
        parts.push((position, bytes.len()));
    }
}

#[tokio::test]
async fn stdout_and_stderr_are_kept_in_the_order_of_writing() {
    let house = House::new();
    let ended = house.run("echo a; echo b >&2; echo c; printf d >&2").await;
    assert_eq!(ended.output.text(), "a\nb\nc\nd");
    house.leave().await;
}

#[tokio::test]
async fn the_first_16_and_the_last_48_kib_are_exact_and_the_rest_is_counted() {
    let house = House::new();
    let ended = house.run("seq 1 200000").await;
    let numbers: Vec<String> = (1..=200_000).map(|number| number.to_string()).collect();
    let all = numbers.join("\n") + "\n";
    let all = all.as_bytes();
    assert!(ended.output.head == all[..Output::HEAD], "the head");
    assert!(
        ended.output.tail == all[all.len() - Output::TAIL..],
        "the tail"
    );
    assert_eq!(ended.output.total, all.len() as u64);
    house.leave().await;
}

#[tokio::test]
async fn what_is_no_text_becomes_text_that_does_nothing() {
    let house = House::new();
    let ended = house
        .run(r"printf '\377\376 \033[31mred\r\n\000ok\n'")
        .await;
    assert_eq!(ended.output.head, b"\xff\xfe \x1b[31mred\r\n\0ok\n");
    let text = ended.output.text();
    assert_eq!(
        text,
        "\u{fffd}\u{fffd} \u{fffd}[31mred\u{fffd}\n\u{fffd}ok\n"
    );
    house.leave().await;
}

#[tokio::test]
async fn a_gigabyte_of_output_costs_no_memory_and_is_counted_to_the_byte() {
    let house = House::new();
    let script = "head -c 1G /dev/zero; echo $$ > $D/printed; read x < $D/gate";
    let run = house.start(&house.order(script)).await;
    let (_, guard, supervisor) = above(&run);
    house.pid("printed").await;
    for process in [guard, supervisor] {
        let highest = kibibytes(process, "status", "VmHWM:");
        assert!(highest < 64 * 1024, "{highest} KiB");
    }
    house.open_gate(1);
    let ended = over(run).await;
    assert_eq!(ended.how, How::Exited(0));
    assert_eq!(ended.output.total, 1 << 30);
    house.leave().await;
}

#[tokio::test]
async fn a_program_that_closes_its_output_goes_on() {
    let house = House::new();
    let script =
        "echo before; exec > /dev/null 2>&1; echo $$ > $D/closed; read x < $D/gate; exit 3";
    let run = house.start(&house.order(script)).await;
    let (_, guard, _) = above(&run);
    house.pid("closed").await;
    // A guard that polls a closed pipe again and again would never sleep.
    eventually("the guard to sleep", || {
        let status = std::fs::read_to_string(format!("/proc/{guard}/status")).ok()?;
        status.contains("State:\tS").then_some(())
    })
    .await;
    house.open_gate(1);
    let ended = over(run).await;
    assert_eq!(
        (ended.how, ended.output.text()),
        (How::Exited(3), "before\n".to_owned())
    );
    house.leave().await;
}

#[tokio::test]
async fn what_is_printed_is_told_at_once_to_who_wants_it_and_to_nobody_else() {
    let house = House::new();
    for stream in [true, false] {
        let mut order =
            house.order("echo first; echo $$ > $D/printed; read x < $D/gate; echo second");
        order.stream = stream;
        let parts = Arc::new(Parts::default());
        let run = house.start(&order).await.heard_by(parts.clone());
        let ended = tokio::spawn(over(run));
        house.pid("printed").await;
        if stream {
            eventually("the first line", || (parts.all() == [(0, 6)]).then_some(())).await;
        }
        house.open_gate(1);
        let ended = ended.await.expect("it does not panic");
        assert_eq!(ended.output.text(), "first\nsecond\n");
        assert_eq!(parts.all().is_empty(), !stream);
    }
    house.leave().await;
}

#[tokio::test]
async fn a_flood_that_is_told_costs_no_memory_and_little_of_it_is_told() {
    let house = House::new();
    let mut order = house.order("head -c 200M /dev/zero; echo $$ > $D/printed; read x < $D/gate");
    order.stream = true;
    let parts = Arc::new(Parts::default());
    let run = house.start(&order).await.heard_by(parts.clone());
    let (_, guard, _) = above(&run);
    let since = Boottime::now();
    let ended = tokio::spawn(over(run));
    house.pid("printed").await;
    let last = || parts.all().last().map(|&(at, length)| at + length as u64);
    eventually("the last of it", || {
        (last() == Some(200 << 20)).then_some(())
    })
    .await;
    let highest = kibibytes(guard, "status", "VmHWM:");
    assert!(highest < 64 * 1024, "{highest} KiB");
    let tenths = Boottime::now().saturating_since(since).as_millis() / 100;
    let told: usize = parts.all().iter().map(|&(_, length)| length).sum();
    let most = usize::try_from(tenths + 2).expect("seconds") * (Output::HEAD + Output::TAIL);
    assert!(told <= most, "{told} bytes in {tenths} tenths of a second");
    let orderly = |pair: &[(u64, usize)]| pair[0].0 + pair[0].1 as u64 <= pair[1].0;
    assert!(parts.all().windows(2).all(orderly));
    house.open_gate(1);
    let ended = ended.await.expect("it does not panic");
    assert_eq!(ended.output.total, 200 << 20);
    house.leave().await;
}

#[tokio::test]
async fn a_host_that_hears_nothing_delays_neither_the_deadline_nor_the_end() {
    let house = House::new();
    let mut order = house.order("trap '' TERM; yes");
    order.stream = true;
    order.grace = Duration::from_millis(100);
    order.deadline = Boottime::now() + Duration::from_secs(1);
    let deadline = order.deadline;
    let run = house.start(&order).await;
    let (program, guard, _) = above(&run);
    eventually("the guard to be done", || gone(guard).then_some(())).await;
    assert!(gone(program) && Boottime::now() > deadline - Duration::from_millis(300));
    let ended = over(run).await;
    assert_eq!(ended.stopped, Some(Stopped::Deadline));
    assert_eq!(ended.output.tail.len(), Output::TAIL);
    house.leave().await;
}
