//! What urllib3 2.8.0 and 1.20 did against a local server, replayed: outcomes in, requests and waits out.

use super::*;

const FOREVER: Duration = Duration::from_hours(24);

fn status(status: u16) -> Ended {
    Ended::Answered {
        status,
        retry_after: None,
    }
}

fn asking(status: u16, seconds: u64) -> Ended {
    Ended::Answered {
        status,
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

/// The waits in milliseconds between requests that end so; the last outcome goes on for ever.
fn waits(policy: &Policy, method: &Method, ends: &[Ended], remaining: Duration) -> Vec<u128> {
    let mut retries = Retries::new(policy, method);
    let mut waits = Vec::new();
    let mut now = Duration::ZERO;
    let last = ends.last().expect("an outcome");
    for ended in ends.iter().chain(std::iter::repeat(last)) {
        match retries.after(*ended, remaining.saturating_sub(now)) {
            Some(wait) => {
                waits.push(wait.as_millis());
                now += wait;
            }
            None => break,
        }
    }
    waits
}

/// What it is, the policy, what is sent, how each attempt ends, and the waits in milliseconds.
type Vector<'a> = (&'a str, Policy, &'a Method, &'a [Ended], &'a [u128]);

#[test]
fn requests_are_sent_again_as_urllib3_sends_them() {
    use Ended::{Unanswered, Unheard};
    let usual = Policy::default();
    let any = || Policy {
        methods: Methods::Any,
        ..Policy::default()
    };
    let total = |total| Policy {
        total,
        ..Policy::default()
    };
    let (get, post) = (&Method::GET, &Method::POST);
    let full = &[0, 600, 1_200][..];
    let vectors: [Vector<'_>; 27] = [
        ("refused GET", usual.clone(), get, &[Unheard], full),
        ("refused POST", usual.clone(), post, &[Unheard], full),
        ("500", usual.clone(), get, &[status(500)], full),
        ("502", usual.clone(), get, &[status(502)], full),
        ("504", usual.clone(), get, &[status(504)], full),
        ("503", usual.clone(), get, &[status(503)], &[]),
        ("404", usual.clone(), get, &[status(404)], &[]),
        ("200", usual.clone(), get, &[status(200)], &[]),
        (
            "503, 1 s",
            usual.clone(),
            get,
            &[asking(503, 1)],
            &[1_000; 3],
        ),
        (
            "429, 1 s",
            usual.clone(),
            get,
            &[asking(429, 1)],
            &[1_000; 3],
        ),
        (
            "413, 1 s",
            usual.clone(),
            get,
            &[asking(413, 1)],
            &[1_000; 3],
        ),
        ("429", usual.clone(), get, &[status(429)], &[]),
        ("429 POST", usual.clone(), post, &[asking(429, 1)], &[]),
        (
            "500, 1 s",
            usual.clone(),
            get,
            &[asking(500, 1)],
            &[1_000; 3],
        ),
        (
            "504, 1 s",
            usual.clone(),
            get,
            &[asking(504, 1)],
            &[1_000; 3],
        ),
        ("200, 1 s", usual.clone(), get, &[asking(200, 1)], &[]),
        ("503, 0 s", usual.clone(), get, &[asking(503, 0)], full),
        (
            "500s, 200",
            usual.clone(),
            get,
            &[status(500), status(500), status(200)],
            &[0, 600],
        ),
        (
            "500, 404",
            usual.clone(),
            get,
            &[status(500), status(404)],
            &[0],
        ),
        ("500 POST", usual.clone(), post, &[status(500)], &[]),
        ("500 POST, any", any(), post, &[status(500)], full),
        ("silence GET", usual.clone(), get, &[Unanswered], full),
        ("silence POST", usual.clone(), post, &[Unanswered], &[]),
        ("silence POST, any", any(), post, &[Unanswered], full),
        ("none", total(0), get, &[status(500)], &[]),
        ("one", total(1), get, &[status(500)], &[0]),
        ("none of 503, 1 s", total(0), get, &[asking(503, 1)], &[]),
    ];
    for (name, policy, method, ends, expected) in vectors {
        assert_eq!(waits(&policy, method, ends, FOREVER), expected, "{name}");
    }
}

#[test]
fn waits_double_up_to_two_minutes() {
    let waits: Vec<u128> = (1..=11)
        .map(|failures| Policy::default().backoff(failures).as_millis())
        .collect();
    assert_eq!(
        waits,
        [
            0, 600, 1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 76_800, 120_000, 120_000
        ]
    );
    assert_eq!(Policy::default().backoff(u32::MAX), Duration::from_mins(2));
}

#[test]
fn other_factors_and_limits_change_the_waits() {
    let steady = Policy {
        total: 5,
        factor: Duration::from_millis(100),
        ..Policy::default()
    };
    let capped = Policy {
        longest: Duration::from_millis(500),
        ..Policy::default()
    };
    let silence = &[Ended::Unanswered];
    assert_eq!(
        waits(&steady, &Method::GET, silence, FOREVER),
        [0, 200, 400, 800, 1_600]
    );
    assert_eq!(
        waits(&capped, &Method::GET, silence, FOREVER),
        [0, 500, 500]
    );
}

#[test]
fn a_server_cannot_ask_for_more_than_the_caller_allows() {
    let policy = Policy {
        total: 1,
        ..Policy::default()
    };
    let six_hours = Duration::from_hours(6).as_millis();
    let week = &[asking(503, 604_800)];
    assert_eq!(waits(&policy, &Method::GET, week, FOREVER), [six_hours]);
}

#[test]
fn nothing_waits_for_the_deadline() {
    let policy = Policy::default();
    let seconds = Duration::from_secs;
    let busy = &[asking(503, 1)];
    // The third would start when the time is over.
    assert_eq!(waits(&policy, &Method::GET, busy, seconds(2)), [1_000]);
    assert!(waits(&policy, &Method::GET, &[Ended::Unheard], seconds(0)).is_empty());
}

#[test]
fn a_hundred_retries_are_a_hundred() {
    let policy = Policy {
        total: u8::MAX,
        ..Policy::default()
    };
    let waits = waits(&policy, &Method::GET, &[Ended::Unheard], FOREVER * 365);
    assert_eq!(waits.len(), 255);
    assert_eq!(waits.last(), Some(&120_000));
}
