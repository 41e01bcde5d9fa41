//! A pass of the action `feeds`: how fast, beside Python; how much memory; and what it costs where more is stored.

mod documents;
mod web;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use tokio_postgres::Client;

use super::{
    CRONTABBER, Effort,
    figure::{Bar, Figure, Spread, beside, rate},
    server::{Server, connect},
    ticks::peak_of,
};
use documents::{EPISODES, FEEDS, sizes};
use web::Web;

/// What a pass is told: each feed has a host of its own, so that none waits for another.
const TABLE: &str = "{\"allow\": [\"127.0.0.0/8\"], \"gap\": \"0s\", \"max_body\": \"64M\", \"fail_above\": \"0%\"}";

pub(crate) async fn figures(server: &Server, effort: Effort) -> Vec<Figure> {
    let web = Web::start();
    let mut figures = beside_python(server, web, effort).await;
    figures.extend(whole(server, web, effort).await);
    figures.push(large(server, web).await);
    figures.extend(growth(server, web, effort).await);
    figures
}

/// The tables of the action in a database of their own, and a pass over them.
struct Tables {
    url: String,
    client: Client,
    table: PathBuf,
    web: Web,
}

impl Tables {
    async fn new(server: &Server, name: &str, web: Web) -> Self {
        let url = server.database(name).await;
        let table = server.directory().join("feeds.json");
        fs::write(&table, TABLE).expect("the directory is ours");
        let tables = Self {
            client: connect(&url).await,
            url,
            table,
            web,
        };
        // Nothing is due: it makes the tables.
        tables.pass();
        tables
    }

    /// Adds feeds with so many episodes each, due now.
    async fn add(&self, sizes: &[usize]) {
        let address = self.web.address("number", "episodes");
        let sql = format!(
            "INSERT INTO feeds (url) SELECT {address} FROM unnest($1::bigint[]) WITH ORDINALITY AS f (episodes, number)"
        );
        let sizes: Vec<i64> = sizes.iter().map(|&size| count(size)).collect();
        self.client
            .execute(&sql, &[&sizes])
            .await
            .expect("the tables are there");
        self.settle().await;
    }

    /// Makes so many feeds that have been fetched before, none of them due.
    async fn add_known(&self, number: usize) {
        let address = self.web.address("number", "100");
        let sql = format!(
            "INSERT INTO feeds (url, validators_url, etag, next_fetch)
             SELECT url, url, '\"' || number || '\"', clock_timestamp() + interval '1 day'
               FROM generate_series(1, $1::bigint) AS number, LATERAL (SELECT {address} AS url) AS of_it"
        );
        self.client
            .execute(&sql, &[&count(number)])
            .await
            .expect("the tables are there");
    }

    /// Makes so many feeds due, those of the lowest numbers.
    async fn due(&self, number: usize) {
        let sql = "UPDATE feeds SET next_fetch = clock_timestamp() - interval '1 second'
                    WHERE id IN (SELECT id FROM feeds ORDER BY id LIMIT $1::bigint)";
        let due = self.client.execute(sql, &[&count(number)]).await;
        assert_eq!(due.expect("they are there"), number as u64);
        self.settle().await;
    }

    /// As after a while.
    async fn settle(&self) {
        for sql in ["VACUUM ANALYZE", "CHECKPOINT"] {
            self.client
                .batch_execute(sql)
                .await
                .expect("nobody else is here");
        }
    }

    async fn count(&self, what: &str) -> usize {
        let row = self
            .client
            .query_one(&format!("SELECT count(*) FROM {what}"), &[])
            .await;
        let number: i64 = row.expect("the tables are there").get(0);
        usize::try_from(number).expect("a count")
    }

    fn command(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "exec \"$0\" action feeds --database \"$1\" < \"$2\"",
            CRONTABBER,
            &self.url,
        ]);
        command.arg(&self.table);
        command
    }

    /// A pass over all that is due; the seconds it took.
    fn pass(&self) -> f64 {
        timed(self.command().env_clear())
    }

    /// The same, of those that say that nothing is new; `number` of them.
    async fn pass_unchanged(&self, number: usize) -> f64 {
        self.due(number).await;
        let before = self.count("feed_fetches WHERE status = 304").await;
        let took = self.pass();
        let unchanged = self.count("feed_fetches WHERE status = 304").await - before;
        assert_eq!(unchanged, number, "feeds with nothing new");
        took
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).expect("some thousands")
}

#[expect(clippy::cast_precision_loss, reason = "some hundred thousands")]
fn many(number: usize) -> f64 {
    number as f64
}

fn timed(command: &mut Command) -> f64 {
    let since = Instant::now();
    let output = command.stdin(Stdio::null()).output();
    let took = since.elapsed().as_secs_f64();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    took
}

/// A tenth of the collection, for the first time, on both sides.
async fn beside_python(server: &Server, web: Web, effort: Effort) -> Vec<Figure> {
    let Some(python) = python() else {
        println!(
            "left out: the first pass beside Python, because scripts/bench-python has made no environment for it\n"
        );
        return Vec::new();
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/figures/feeds/scrape.py");
    let sizes: Vec<usize> = sizes().into_iter().step_by(10 * effort.shrinks()).collect();
    let episodes: usize = sizes.iter().sum();
    web.make_ready(&sizes);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds(3) {
        for turn in 0..2 {
            let is_ours = (round + turn) % 2 == 0;
            let tables = Tables::new(server, &format!("sample_{round}_{turn}"), web).await;
            tables.add(&sizes).await;
            if is_ours {
                ours.push(tables.pass());
            } else {
                theirs.push(timed(Command::new(&python).arg(&script).arg(&tables.url)));
            }
            assert_eq!(tables.count("episodes").await, episodes, "ours: {is_ours}");
        }
    }
    web.make_ready(&[]);
    let here = beside(&ours, &theirs, |seconds| format!("{seconds:.1} s"));
    vec![Figure {
        what: "first pass over a tenth of 4,669 feeds with 611,025 episodes: time of requests + feedparser + psycopg / ours",
        bar: Bar::AtLeast(20.0),
        measured: Spread::of_ratios(&theirs, &ours),
        here: format!("{here}; {} feeds, {episodes} episodes", sizes.len()),
    }]
}

/// The Python of `scripts/bench-python`, if it was made.
fn python() -> Option<PathBuf> {
    let made = env::var_os("CRONTABBER_BENCH_PYTHON").map(PathBuf::from);
    let python = made.unwrap_or_else(|| {
        let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"));
        target.join("bench-python")
    });
    Some(python.join("bin/python")).filter(|python| python.exists())
}

/// The whole collection: for the first time, and when nothing is new.
async fn whole(server: &Server, web: Web, effort: Effort) -> Vec<Figure> {
    let tables = Tables::new(server, "whole", web).await;
    let sizes: Vec<usize> = sizes().into_iter().step_by(effort.shrinks()).collect();
    tables.add(&sizes).await;
    let since = Instant::now();
    let peak = peak_of(&tables.command());
    let took = since.elapsed().as_secs_f64();
    let episodes = sizes.iter().sum::<usize>();
    assert_eq!(tables.count("episodes").await, episodes);
    if effort == Effort::Full {
        assert_eq!((sizes.len(), episodes), (FEEDS, EPISODES));
    }
    let mut rates = Vec::new();
    for _ in 0..effort.rounds(10).max(3) {
        rates.push(many(sizes.len()) / tables.pass_unchanged(sizes.len()).await);
    }
    let middle = rate(Spread::of(rates.clone()).median());
    vec![
        Figure {
            what: "first pass over all of them: peak RSS, MiB",
            bar: Bar::AtMost(128.0),
            measured: Spread::once(peak),
            here: format!("{took:.1} s, {} feeds, {episodes} episodes", sizes.len()),
        },
        Figure {
            what: "pass over all of them when nothing is new: feeds a second",
            bar: Bar::AtLeast(1_000.0),
            measured: Spread::of(rates),
            here: middle,
        },
    ]
}

/// How many episodes make 50 MiB.
const LARGE: usize = 40_000;

/// Documents of 50 MiB among others, at the same time.
async fn large(server: &Server, web: Web) -> Figure {
    let tables = Tables::new(server, "large", web).await;
    let mut sizes: Vec<usize> = sizes().into_iter().take(200).collect();
    for size in sizes.iter_mut().step_by(50) {
        *size = LARGE;
    }
    tables.add(&sizes).await;
    let since = Instant::now();
    let peak = peak_of(&tables.command());
    let took = since.elapsed().as_secs_f64();
    assert_eq!(tables.count("episodes").await, sizes.iter().sum::<usize>());
    let bytes = "feed_fetches WHERE bytes >= 50 << 20";
    assert_eq!(tables.count(bytes).await, 4, "documents of 50 MiB");
    Figure {
        what: "200 feeds, 4 of them of 50 MiB and 40,000 episodes: peak RSS, MiB",
        bar: Bar::AtMost(128.0),
        measured: Spread::once(peak),
        here: format!("{took:.1} s"),
    }
}

/// What a pass costs is in proportion to what is due, and not to what there is.
async fn growth(server: &Server, web: Web, effort: Effort) -> Vec<Figure> {
    let few = Tables::new(server, "few", web).await;
    few.add_known(1_000).await;
    let stored = Tables::new(server, "stored", web).await;
    stored.add_known(50_000).await;
    let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds(30).max(5) {
        of_few.push(few.pass_unchanged(500).await);
        of_many.push(stored.pass_unchanged(500).await);
        small.push(few.pass_unchanged(250).await * 4.0);
        large.push(few.pass_unchanged(1_000).await);
    }
    let time = |seconds: f64| format!("{:.0} ms", seconds * 1e3);
    vec![
        Figure {
            what: "500 feeds due, nothing new: time with 50,000 feeds stored / with 1,000",
            bar: Bar::AtMost(1.3),
            measured: Spread::of_ratios(&of_many, &of_few),
            here: beside(&of_many, &of_few, time),
        },
        Figure {
            what: "1,000 feeds due, nothing new: time / four times that of 250",
            bar: Bar::AtMost(1.3),
            measured: Spread::of_ratios(&large, &small),
            here: beside(&large, &small, time),
        },
    ]
}
