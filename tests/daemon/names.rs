//! Who is who: a name is not an identity.

use nix::sys::signal::Signal;

use crate::{
    common::{Postgres, Site},
    world::{ASLEEP, hears, holds, nothing_ran_twice, started, stays},
};

#[tokio::test]
async fn two_daemons_of_one_name_are_told_so_and_keep_their_own_leases() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        let daemon = "[daemon]\nlease = \"3s\"\npoll = \"1s\"\n\n".to_owned();
        daemon + &site.job("often", "every = \"1s\"", "sleep 0.2")
    });
    let first = stays(&site, "alpha").await;
    started(&site, 1).await;
    let second = stays(&site, "alpha").await;
    hears(&second, "another daemon goes by this name").await;
    let known = "SELECT other_instance IS NOT NULL FROM crontabber_host";
    holds(&database, "everybody can see it", known).await;
    let before = site.ledger().starts().len();
    started(&site, before + 5).await;
    nothing_ran_twice(&site);
    let lost: i64 = database
        .query_one("SELECT count(*) FROM crontabber_log WHERE outcome = 'lost'")
        .await;
    assert_eq!(lost, 0);
    drop((first, second));
}

#[tokio::test]
async fn a_successor_is_no_twin() {
    let database = Postgres::database().await;
    let site = Site::with(&database, |site| {
        ASLEEP.to_owned() + &site.job("later", "every = \"1h\"", "true")
    });
    let first = stays(&site, "alpha").await;
    first.signal(Signal::SIGKILL);
    let _ = first.finished().await;
    let second = stays(&site, "alpha").await;
    second.signal(Signal::SIGTERM);
    let second = second.finished().await;
    assert!(
        !second.stderr.contains("another daemon"),
        "{}",
        second.stderr
    );
    let third = stays(&site, "alpha").await;
    third.signal(Signal::SIGTERM);
    let third = third.finished().await;
    assert!(!third.stderr.contains("another daemon"), "{}", third.stderr);
}
