//! What `doctor` asks the database: many small questions, each of which may be refused without the others.

use std::{
    future::Future,
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use tokio_postgres::{
    Row,
    types::{ToSql, Type},
};

use super::{
    Connection, Database,
    error::DatabaseError,
    hosts,
    identity::{self, Identity},
    schema::Found,
    transaction,
};
use crate::{
    doctor::tables::{NEEDED, Right},
    place::LIVE_FOR,
    view::hosts::Agreement,
};

/// An answer, or why there is none.
pub type Asked<T> = Result<T, String>;

/// All that was asked.
#[derive(Debug)]
pub struct Checkup {
    /// How long it took to connect.
    pub connect: Duration,
    /// How long an answer takes that costs the server nothing.
    pub round_trip: Duration,
    /// Whether the connection leads to the server itself.
    pub is_direct: bool,
    /// Which database it is.
    pub identity: Asked<Identity>,
    /// Its version and settings.
    pub server: Asked<Server>,
    /// What copies it.
    pub standbys: Asked<Vec<Standby>>,
    /// Whether it has tables.
    pub tables: Asked<Tables>,
    /// Whose they are; `None`: not known, or there are none.
    pub owner: Option<Owner>,
    /// Their guard; `None`: there are no tables of ours, or of a version that this program does not know.
    pub guard: Option<Asked<Guard>>,
    /// The rights of a host that this role has not.
    pub lacking: Option<Asked<Vec<Lacking>>>,
    /// The hosts.
    pub fleet: Option<Asked<Fleet>>,
}

/// The server's version, and the settings that matter. A length that is zero there is no limit, and `None` here.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four settings of PostgreSQL that are on or off"
)]
pub struct Server {
    /// As people say it.
    pub version: String,
    /// 150014 for 15.14.
    pub version_number: i32,
    /// Whether it is in recovery.
    pub is_standby: bool,
    /// The setting of this name.
    pub fsync: bool,
    /// The setting of this name.
    pub full_page_writes: bool,
    /// The setting of this name.
    pub synchronous_commit: String,
    /// The setting of this name.
    pub synchronous_standby_names: String,
    /// `default_transaction_isolation`.
    pub isolation: String,
    /// `default_transaction_read_only`.
    pub read_only: bool,
    /// `idle_in_transaction_session_timeout`.
    pub idle_in_transaction: Option<Duration>,
    /// `idle_session_timeout`.
    pub idle_session: Option<Duration>,
    /// `max_connections`, without those that are kept for superusers and the like.
    pub max_connections: usize,
    /// Limits of the role and of the database; negative: none.
    pub role_limit: i32,
    /// Likewise.
    pub database_limit: i32,
    /// Sessions of all databases.
    pub connections: i64,
    /// Where tables are looked for; `None`: nowhere this role may look into.
    pub schema: Option<String>,
    /// How far this host's clock is ahead of the server's, in seconds.
    pub clock_skew: f64,
}

impl Server {
    /// How many sessions this role may have at once, and what limits them.
    #[must_use]
    pub fn limit(&self) -> (usize, &'static str) {
        let set = |limit: i32| usize::try_from(limit).unwrap_or(usize::MAX);
        let limits = [
            (self.max_connections, "max_connections of the server"),
            (set(self.role_limit), "CONNECTION LIMIT of the role"),
            (set(self.database_limit), "CONNECTION LIMIT of the database"),
        ];
        let [first, ..] = limits;
        limits.into_iter().min().unwrap_or(first)
    }
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standby {
    /// For this one, or for as many as this one is among.
    Synchronous,
    /// Not for this one.
    Asynchronous,
    /// This role may not know.
    Hidden,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tables {
    /// No schema into which this role may look; which one it was to be.
    Hidden(String),
    /// Neither our tables nor crontabber's.
    Nothing,
    /// crontabber's own, never widened.
    Legacy,
    /// Ours.
    Ours(Found),
}

/// Whose the tables are.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The role.
    pub name: String,
    /// Whether this role may act as that.
    pub is_ours: bool,
}

/// The guard's triggers.
#[derive(Debug, Clone)]
pub struct Guard {
    /// How many of them fire.
    pub standing: i64,
    /// For how many seconds the one that respects a Python host least does so.
    pub shortest: Option<f64>,
    /// And the most patient one.
    pub longest: Option<f64>,
}

/// A right that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// The table, the sequence or the function.
    pub on: String,
    /// What may not be done.
    pub privilege: String,
    /// Whether that is because the thing itself is not there.
    pub is_missing: bool,
    /// How a GRANT names it: `crontabber_log`, `SEQUENCE crontabber_fence_seq`, `FUNCTION crontabber_execute()`.
    pub object: String,
}

impl Lacking {
    /// `UPDATE on crontabber_log`.
    #[must_use]
    pub fn words(&self) -> String {
        let missing = if self.is_missing {
            " (which is not there)"
        } else {
            ""
        };
        format!("{} on {}{missing}", self.privilege, self.on)
    }

    /// `GRANT UPDATE ON crontabber_log TO web`.
    #[must_use]
    pub fn grant(&self, role: &str) -> String {
        format!("GRANT {} ON {} TO {role}", self.privilege, self.object)
    }
}

/// The hosts, as they have announced themselves.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The database's clock.
    pub now: Timestamp,
    /// By name.
    pub hosts: Vec<Heard>,
    /// The jobs by which live hosts mean different things.
    pub disagreements: Vec<String>,
}

/// What is odd about a host.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// When it was heard of last.
    pub seen_at: Timestamp,
    /// Why it goes on with an older configuration than its files have.
    pub config_error: Option<String>,
    /// Another daemon of its name, and when that was there.
    pub other: Option<(String, Timestamp)>,
}

impl Checkup {
    /// The role that asked.
    #[must_use]
    pub fn role(&self) -> &str {
        match &self.identity {
            Ok(identity) => &identity.role,
            Err(_) => "this role",
        }
    }
}

/// Asks everything on one connection. Fails only where there is none.
pub async fn checkup(database: &Database, schema: &str) -> Result<Checkup, DatabaseError> {
    let begun = Instant::now();
    let client = Box::pin(database.get()).await?;
    let connect = begun.elapsed();
    let is_direct = client.is_direct().await;
    let clock = asked(clock(&client)).await;
    let server = match &clock {
        Ok(clock) => asked(server(&client, clock.skew)).await,
        Err(why) => Err(why.clone()),
    };
    let tables = match &server {
        Ok(server) if server.schema.is_none() => Ok(Tables::Hidden(schema.to_owned())),
        _ => asked(tables(&client)).await,
    };
    let mut checkup = Checkup {
        connect,
        round_trip: clock.as_ref().map_or(Duration::ZERO, |clock| clock.trip),
        is_direct,
        identity: asked(identity::identity(&client)).await,
        server,
        standbys: asked(standbys(&client)).await,
        tables,
        owner: None,
        guard: None,
        lacking: None,
        fleet: None,
    };
    if let (Ok(Tables::Ours(found)), Ok(clock)) = (&checkup.tables, &clock) {
        let is_known = found.check().is_ok();
        let (owner, guard) = match asked(owner_and_guard(&client)).await {
            Ok((owner, guard)) => (Some(owner), Ok(guard)),
            Err(why) => (None, Err(why)),
        };
        let lacking = asked(lacking(&client)).await;
        checkup.owner = owner;
        // Another version's guard has other arguments, its tables other columns and rights.
        if is_known {
            checkup.guard = Some(guard);
            // Without the right to read it there is one finding, not two.
            let can_read = |lacking: &Vec<Lacking>| {
                !lacking
                    .iter()
                    .any(|right| right.on == "crontabber_host" && right.privilege == "SELECT")
            };
            if lacking.as_ref().is_ok_and(can_read) {
                checkup.fleet = Some(asked(fleet(&client, clock.now)).await);
            }
            checkup.lacking = Some(lacking);
        }
    }
    Ok(checkup)
}

/// An answer as it is kept: one question that is refused must not hide the others.
async fn asked<T>(question: impl Future<Output = Result<T, DatabaseError>>) -> Asked<T> {
    Box::pin(question).await.map_err(|error| error.to_string())
}

async fn row(client: &Connection, sql: &str) -> Result<Row, DatabaseError> {
    let row = transaction::read(client, sql, &[])
        .await?
        .into_iter()
        .next();
    row.ok_or_else(|| DatabaseError::Schema("the server has no answer".to_owned()))
}

/// The server's clock beside ours.
struct Clock {
    now: Timestamp,
    trip: Duration,
    skew: f64,
}

/// How often the clock is asked: the shortest trip says most about both.
const LOOKS: usize = 3;

async fn clock(client: &Connection) -> Result<Clock, DatabaseError> {
    let mut best = look_at_clock(client).await?;
    for _ in 1..LOOKS {
        let again = look_at_clock(client).await?;
        if again.trip < best.trip {
            best = again;
        }
    }
    Ok(best)
}

async fn look_at_clock(client: &Connection) -> Result<Clock, DatabaseError> {
    let begun = Instant::now();
    let row = row(client, "SELECT clock_timestamp() AS now").await?;
    let trip = begun.elapsed();
    let now: Timestamp = row.try_get("now")?;
    // The server looked at its own in the middle of the trip, as far as anybody can tell.
    let skew = Timestamp::try_from(SystemTime::now()).map_or(0.0, |here| {
        here.duration_since(now).as_secs_f64() - trip.as_secs_f64() / 2.0
    });
    Ok(Clock { now, trip, skew })
}

async fn server(client: &Connection, clock_skew: f64) -> Result<Server, DatabaseError> {
    let row = row(client, include_str!("../../sql/doctor_server.sql")).await?;
    let length = |column| -> Result<Option<Duration>, tokio_postgres::Error> {
        let milliseconds: Option<i64> = row.try_get(column)?;
        let milliseconds = milliseconds.and_then(|length| u64::try_from(length).ok());
        Ok(milliseconds
            .filter(|&length| length > 0)
            .map(Duration::from_millis))
    };
    let max: i32 = row.try_get("max_connections")?;
    let reserved: Option<i32> = row.try_get("reserved_connections")?;
    Ok(Server {
        version: row.try_get("version")?,
        version_number: row.try_get("version_number")?,
        is_standby: row.try_get("is_standby")?,
        fsync: row.try_get("fsync")?,
        full_page_writes: row.try_get("full_page_writes")?,
        synchronous_commit: row.try_get("synchronous_commit")?,
        synchronous_standby_names: row.try_get("synchronous_standby_names")?,
        isolation: row.try_get("isolation")?,
        read_only: row.try_get("read_only")?,
        idle_in_transaction: length("idle_in_transaction")?,
        idle_session: length("idle_session")?,
        max_connections: usize::try_from(max - reserved.unwrap_or(0)).unwrap_or(0),
        role_limit: row.try_get::<_, Option<i32>>("role_limit")?.unwrap_or(-1),
        database_limit: row
            .try_get::<_, Option<i32>>("database_limit")?
            .unwrap_or(-1),
        connections: row.try_get::<_, Option<i64>>("connections")?.unwrap_or(0),
        schema: row.try_get("schema")?,
        clock_skew,
    })
}

async fn standbys(client: &Connection) -> Result<Vec<Standby>, DatabaseError> {
    let rows =
        transaction::read(client, include_str!("../../sql/doctor_standbys.sql"), &[]).await?;
    let standbys = rows.iter().map(|row| {
        let state: Option<&str> = row.try_get("sync_state")?;
        Ok::<_, tokio_postgres::Error>(match state {
            Some("sync" | "quorum") => Standby::Synchronous,
            Some(_) => Standby::Asynchronous,
            None => Standby::Hidden,
        })
    });
    Ok(standbys.collect::<Result<_, _>>()?)
}

/// Without the lock that [`super::schema::look`] takes: a standby grants none, and who only wonders should not wait.
async fn tables(client: &Connection) -> Result<Tables, DatabaseError> {
    let row = row(client, include_str!("../../sql/read_schema.sql")).await?;
    let legacy: bool = row.try_get("legacy")?;
    let without_ours = if legacy {
        Tables::Legacy
    } else {
        Tables::Nothing
    };
    if !row.try_get::<_, bool>("ours")? {
        return Ok(without_ours);
    }
    let version = "SELECT version, compatible_from FROM crontabber_schema";
    let rows = transaction::read(client, version, &[]).await?;
    Ok(match rows.first() {
        Some(row) => Tables::Ours(Found::from_row(row)?),
        None => without_ours,
    })
}

async fn owner_and_guard(client: &Connection) -> Result<(Owner, Guard), DatabaseError> {
    let row = row(client, include_str!("../../sql/doctor_tables.sql")).await?;
    let owner = Owner {
        name: row.try_get("owner")?,
        is_ours: row.try_get("is_owner")?,
    };
    let guard = Guard {
        standing: row.try_get("standing")?,
        shortest: row.try_get("shortest")?,
        longest: row.try_get("longest")?,
    };
    Ok((owner, guard))
}

async fn lacking(client: &Connection) -> Result<Vec<Lacking>, DatabaseError> {
    let names: Vec<&str> = NEEDED.iter().map(|Right { on, .. }| *on).collect();
    let privileges = NEEDED.iter().map(|Right { privilege, .. }| *privilege);
    let privileges: Vec<&str> = privileges.collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 2] =
        [(&names, Type::TEXT_ARRAY), (&privileges, Type::TEXT_ARRAY)];
    let sql = include_str!("../../sql/doctor_rights.sql");
    let rows = transaction::read(client, sql, &parameters).await?;
    let lacking = rows.iter().map(|row| {
        Ok::<_, tokio_postgres::Error>(Lacking {
            on: row.try_get("name")?,
            privilege: row.try_get("privilege")?,
            is_missing: row.try_get("is_missing")?,
            object: row.try_get("object")?,
        })
    });
    Ok(lacking.collect::<Result<_, _>>()?)
}

async fn fleet(client: &Connection, now: Timestamp) -> Result<Fleet, DatabaseError> {
    let rows = transaction::read(client, include_str!("../../sql/doctor_hosts.sql"), &[]).await?;
    let heard = rows.iter().map(|row| {
        let other: Option<String> = row.try_get("other_instance")?;
        Ok::<_, tokio_postgres::Error>(Heard {
            name: row.try_get("host")?,
            version: row.try_get("version")?,
            seen_at: row.try_get("seen_at")?,
            config_error: row.try_get("config_error")?,
            other: Option::zip(other, row.try_get("other_seen_at")?),
        })
    });
    let heard: Vec<Heard> = heard.collect::<Result<_, _>>()?;
    let live = heard
        .iter()
        .filter(|host| now.duration_since(host.seen_at) <= LIVE_FOR);
    let live: Vec<&str> = live.map(|host| host.name.as_str()).collect();
    let agreement = Agreement::of(hosts::meanings(client, &live).await?);
    let disagreements = agreement.disagreements.into_iter().map(|job| job.name);
    Ok(Fleet {
        now,
        disagreements: disagreements.collect(),
        hosts: heard,
    })
}
