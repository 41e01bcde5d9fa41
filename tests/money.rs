//! Exactly once, literally: money that jobs of SQL move, while the hosts that move it are killed at any instant.

mod common;

use std::time::Duration;

use common::{
    money::{Money, SOUND},
    race::rounds,
};

/// Moments up to a tenth of a second, as irregular as a multiplication makes them; the same every time.
fn moments(seed: u64) -> impl Iterator<Item = Duration> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        // Knuth's MMIX multiplier.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Duration::from_micros((state >> 33) % 100_000)
    })
}

#[tokio::test]
async fn however_hosts_are_killed_each_move_is_made_once_and_no_money_is_made() {
    let money = Money::new().await;
    let kills = rounds(40, 1_000);
    tokio::join!(
        money.kill("alpha", kills / 2, moments(1)),
        money.kill("beta", kills - kills / 2, moments(2)),
    );
    let audit = money.audit().await;
    let told = money.told().await;
    println!("{kills} kills: {told}; {audit:?}");
    assert_eq!(audit, SOUND, "{kills} kills: {told}");
    assert!(
        !told.starts_with("0 runs lost"),
        "nobody was killed at work: {told}"
    );
}
