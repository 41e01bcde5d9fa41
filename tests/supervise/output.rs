//! What a program prints, however much and whatever it is.

use crate::house::{House, above, eventually, kibibytes, over};
use crontabber::{ended::How, output::Output};

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
