//! Slots keep to the clock: whatever late passes, retries and the zones of servers and hosts make of the times at which
//! jobs run, they move none of the times at which they are due.

mod common;

use std::time::Duration;

use common::{
    Postgres, Site,
    host::{Host, crontab, every, job, log, minutes, next_run, noon},
};
use crontabber::{
    schedule::{Rule, Timetable},
    spec::{JobSpec, Retry, Start},
};
use jiff::{SignedDuration, civil::time};

#[tokio::test]
async fn a_job_of_the_late_evening_that_succeeds_past_midnight_does_not_skip_a_day() {
    let by_crontab = crontab("30 23 * * *");
    let by_period = Timetable {
        rules: vec![Rule::Every {
            period: Duration::from_hours(24),
            at: Some(time(23, 30, 0, 0)),
        }],
        ..crontab("30 23 * * *")
    };
    for timetable in [by_crontab, by_period] {
        let database = Postgres::database().await;
        let failing_once = job("a", "test $CRONTABBER_ATTEMPT = 2");
        let nightly = JobSpec {
            timetable: Some(timetable),
            start: Start::Next,
            retry: Retry {
                first: Duration::from_mins(40),
                ..failing_once.retry
            },
            ..failing_once
        };
        let alpha = Host::new("alpha", &database, &[nightly]);
        alpha.at(noon()).tick().await;
        let (evening, day) = (minutes(11 * 60 + 30), minutes(24 * 60));
        assert_eq!(alpha.at(noon() + evening).tick().await.well, 0);
        let past_midnight = noon() + evening + minutes(41);
        assert_eq!(alpha.at(past_midnight).tick().await.well, 1);
        assert_eq!(next_run(&database, "a").await, 690 + 1_440);
        alpha.at(noon() + evening + day).tick().await;
        assert_eq!(
            log(&database).await,
            ["a 690 1 failure", "a 690 2 success", "a 2130 1 failure"]
        );
    }
}

#[tokio::test]
async fn an_hourly_job_whose_passes_come_late_does_not_slide() {
    let database = Postgres::database().await;
    let hourly = JobSpec {
        timetable: Some(every(Duration::from_hours(1))),
        ..job("a", "true")
    };
    let alpha = Host::new("alpha", &database, &[hourly]);
    let first = noon() + minutes(7);
    for hour in 0..12 {
        // As cron starts them: in the right minute, some seconds into it, and not the same seconds.
        let late = SignedDuration::from_secs(if hour == 0 { 0 } else { 1 + hour * 23 % 59 });
        let pass = alpha.at(first + minutes(60 * hour) + late).tick().await;
        assert_eq!(pass.well, 1, "hour {hour}");
    }
    let on_the_hour: Vec<String> = (0..12)
        .map(|hour| format!("a {} 1 success", 7 + 60 * hour))
        .collect();
    assert_eq!(log(&database).await, on_the_hour);
}

#[tokio::test]
async fn the_zone_of_a_job_is_its_own_whatever_the_servers_and_the_hosts() {
    for (of_server, of_host) in [
        ("UTC", "America/New_York"),
        ("America/New_York", "Asia/Tokyo"),
        ("Asia/Kathmandu", "Australia/Lord_Howe"),
    ] {
        let database = Postgres::database().await;
        let name = database.name();
        let of_all = format!("ALTER DATABASE {name} SET timezone = '{of_server}'");
        database.execute(&of_all).await;
        let site = Site::with(&database, |site| {
            let in_tokyo = |when: &str| format!("{when}\ntimezone = \"Asia/Tokyo\"");
            let by_crontab = in_tokyo("schedule = \"45 3 * * *\"");
            let by_period = in_tokyo("every = \"1d\"\nat = \"03:45\"");
            site.job("crontab", &by_crontab, "true")
                + &site.job("period", &by_period, "true")
                + &site.job("unzoned", "schedule = \"45 3 * * *\"", "true")
        });
        let pass = site.on("alpha", &["tick"]).env("TZ", of_host).run().await;
        assert_eq!(pass.code, Some(0), "{}", pass.stderr);
        let due = database
            .rows("SELECT app_name, to_char(next_run AT TIME ZONE 'UTC', 'HH24:MI') FROM crontabber ORDER BY 1")
            .await;
        let expected = [
            ["crontab", "18:45"],
            ["period", "18:45"],
            ["unzoned", "03:45"],
        ];
        assert_eq!(
            due, expected,
            "a server in {of_server}, a host in {of_host}"
        );
    }
}
