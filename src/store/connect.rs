//! Opening connections: the pool, and those outside of it.
//!
//! The servers of an address are tried in order, each at all the numbers of its name and in all the ways
//! that `sslmode` allows. A server that answers and refuses ends the search, as in libpq: the next one
//! would refuse too, and nobody would hear the reason.
//!
//! Limits: borrowing waits for a free connection for at most the limit of the database; then each server
//! that is tried has the limit to itself, shared evenly by the numbers of its name. tokio-postgres has a
//! `connect_timeout` too, but that ends with the socket, and a server that is stopped accepts sockets.

use std::{
    fmt,
    net::IpAddr,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Manager, Metrics, Object, Pool, QueueMode, RecycleError, RecycleResult, Timeouts},
};
use tokio::{
    net::lookup_host,
    time::{Instant, timeout_at},
};
use tokio_postgres::{Config, SimpleQueryMessage, config::SslMode};

use super::{
    address::{Address, Place, Server, SessionWanted},
    admission::Admission,
    connection::{Connection, Ear, Encryption},
    error::{Attempt, DatabaseError, Doing},
    session::{Session, Spare},
    tls::Way,
};

/// How many numbers of one name are tried.
const MAX_NUMBERS: usize = 8;

/// A database: an address, a pool of connections to it, and limits for all that is done with it.
/// Cheap to clone; the clones share the pool.
#[derive(Clone)]
pub struct Database {
    pool: Pool<Opener>,
    admission: Admission,
    spare: Arc<Spare>,
    limit: Duration,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("address", &self.address().shown())
            .field("pool", &self.pool.status())
            .field("admission", &self.admission)
            .field("spare", &self.spare)
            .field("limit", &self.limit)
            .finish()
    }
}

impl Database {
    /// A database at `address`, with a pool of at most `size` connections (at least one). Opens nothing.
    ///
    /// `application_name` is what `pg_stat_activity` shows, cut to 63 bytes by the server, unless the
    /// address names another; `connect_timeout` is the limit of each server of the list, likewise.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the runtime it needs is given")]
    pub fn new(
        address: Address,
        application_name: &str,
        size: usize,
        connect_timeout: Duration,
    ) -> Self {
        let limit = address.connect_timeout.unwrap_or(connect_timeout);
        let opener = Opener::new(address, application_name, limit);
        let pool = Pool::builder(opener)
            .max_size(size.max(1))
            .runtime(Runtime::Tokio1)
            // The one that was used last: its server process knows the statements, and the others can be closed.
            .queue_mode(QueueMode::Lifo)
            .timeouts(Timeouts {
                wait: Some(limit),
                // `Opener::open` has its own limits, one for each server.
                create: None,
                recycle: Some(limit),
            })
            .build()
            .expect("a pool with a runtime can be built");
        Self {
            pool,
            admission: Admission::default(),
            spare: Arc::default(),
            limit,
        }
    }

    /// A connection of the pool, given back when it is dropped.
    ///
    /// It must be given back without an open transaction and without settings of the session but for those that all
    /// have (`transaction::SETTLE`): use `SET LOCAL` only, and [`limited`](super::limited) for what may take long.
    pub async fn get(&self) -> Result<Pooled, DatabaseError> {
        match self.pool.get().await {
            Ok(connection) => Ok(Pooled(connection)),
            Err(error) => Err(DatabaseError::of_pool(error, self.limit)),
        }
    }

    /// A connection of one's own, outside of the pool: for heartbeats, which must not wait for others.
    pub async fn dedicated(&self) -> Result<Connection, DatabaseError> {
        Box::pin(self.pool.manager().open(None)).await
    }

    /// A session for the SQL of one job that is told these things about itself, new or left clean by another: what the
    /// server says beside its answers goes to `ear` instead of the log. Waits for a moment when many begin at once.
    pub(crate) async fn session(
        &self,
        told: Vec<&'static str>,
        ear: Ear,
    ) -> Result<Session, DatabaseError> {
        let admitted = self.admission.enter().await;
        let connection = match self.spare.take(&told) {
            Some(kept) => {
                kept.0.hear_with(Some(ear));
                kept
            }
            // A connection is new, and its server process may not be: some poolers lend it under its own number.
            None => (self.dedicated_to(ear).await?, false),
        };
        let spare = Arc::clone(&self.spare);
        Ok(Session::new(connection, told, spare, admitted))
    }

    /// Closes what nobody has used for so long: each connection is a process of the server's.
    pub fn close_idle(&self, longer_than: Duration) {
        self.spare.close_idle(longer_than);
        self.pool
            .retain(|_, metrics| metrics.last_used() < longer_than);
    }

    /// A connection of one's own on which what the server says beside its answers goes to `ear` instead of the log.
    pub async fn dedicated_to(&self, ear: Ear) -> Result<Connection, DatabaseError> {
        Box::pin(self.pool.manager().open(Some(ear))).await
    }

    /// How many warnings all the connections of this database have received so far; see
    /// [`Connection::warnings`] for what one of them means.
    #[must_use]
    pub fn warnings(&self) -> u64 {
        self.pool.manager().warnings.load(Ordering::Acquire)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.pool.manager().address
    }
}

/// A connection of the pool.
#[derive(Debug)]
pub struct Pooled(Object<Opener>);

impl Deref for Pooled {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

/// Opens connections to one address.
#[derive(Debug)]
struct Opener {
    address: Address,
    application_name: String,
    limit: Duration,
    warnings: Arc<AtomicU64>,
    #[cfg(feature = "tls")]
    handshakes: super::tls::Handshakes,
}

impl Manager for Opener {
    type Type = Connection;
    type Error = DatabaseError;

    async fn create(&self) -> Result<Connection, DatabaseError> {
        // Boxed: opening is rare and its future large, and it would be part of every other one.
        Box::pin(self.open(None)).await
    }

    async fn recycle(
        &self,
        connection: &mut Connection,
        _: &Metrics,
    ) -> RecycleResult<DatabaseError> {
        if connection.is_usable() {
            Ok(())
        } else {
            Err(RecycleError::message("closed or cut off"))
        }
    }
}

/// One try of one server: where, and how.
struct Door<'a> {
    server: &'a Server,
    number: Option<IpAddr>,
    way: Way,
}

impl fmt::Display for Door<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number.map(|number| number.to_string());
        match (&self.server.place, number) {
            (Place::Socket(directory), _) => write!(f, "{}", directory.display())?,
            (Place::Host(name) | Place::Numeric(_, Some(name)), Some(number))
                if *name != number =>
            {
                write!(f, "{name} ({number})")?;
            }
            (Place::Host(name), _) => f.write_str(name)?,
            (Place::Numeric(number, _), _) => write!(f, "{number}")?,
        }
        write!(f, " port {}", self.server.port)
    }
}

impl Door<'_> {
    /// Its name, with the way that was tried where that is what the error is about.
    fn failed(&self, error: DatabaseError) -> Attempt {
        let way = match self.way {
            _ if !error.is_about_encryption() => "",
            Way::Plain => " without TLS",
            Way::Offered | Way::Encrypted => " with TLS",
        };
        Attempt {
            place: format!("{self}{way}"),
            error,
        }
    }
}

impl Opener {
    fn new(address: Address, application_name: &str, limit: Duration) -> Self {
        Self {
            #[cfg(feature = "tls")]
            handshakes: super::tls::Handshakes::new(address.tls.clone()),
            application_name: address
                .application_name
                .clone()
                .unwrap_or_else(|| application_name.to_owned()),
            address,
            limit,
            warnings: Arc::default(),
        }
    }

    /// The first connection that any server gives.
    async fn open(&self, ear: Option<Ear>) -> Result<Connection, DatabaseError> {
        let mut attempts = Vec::new();
        'search: for &wanted in passes(self.address.session) {
            for server in &self.address.servers {
                match self
                    .open_server(server, (wanted, &ear), &mut attempts)
                    .await
                {
                    Some(connection) => return Ok(connection),
                    None if was_refused(&attempts) => break 'search,
                    None => {}
                }
            }
        }
        Err(DatabaseError::of_attempts(
            &self.address.shown(),
            self.limit,
            attempts,
        ))
    }

    /// A connection to one server, at the first of its numbers that gives one.
    async fn open_server(
        &self,
        server: &Server,
        terms: (SessionWanted, &Option<Ear>),
        attempts: &mut Vec<Attempt>,
    ) -> Option<Connection> {
        let deadline = Instant::now() + self.limit;
        let ways = match &server.place {
            Place::Socket(_) => &[Way::Plain],
            Place::Host(_) | Place::Numeric(..) => self.address.tls.mode.ways(),
        };
        let numbers = match numbers(server, deadline).await {
            Ok(numbers) => numbers,
            Err(error) => {
                let door = Door {
                    server,
                    number: None,
                    way: Way::Plain,
                };
                attempts.push(door.failed(error));
                return None;
            }
        };
        let mut left = u32::try_from(numbers.len()).expect("a handful of numbers");
        for number in numbers {
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            left -= 1;
            let doors = ways.iter().map(|&way| Door {
                server,
                number,
                way,
            });
            match self.open_one_of(doors, terms, share, attempts).await {
                Some(connection) => return Some(connection),
                None if was_refused(attempts) => return None,
                None => {}
            }
        }
        None
    }

    /// A connection through the first door, or through the next if encryption was what was wrong.
    async fn open_one_of(
        &self,
        doors: impl Iterator<Item = Door<'_>>,
        terms: (SessionWanted, &Option<Ear>),
        limit: Duration,
        attempts: &mut Vec<Attempt>,
    ) -> Option<Connection> {
        let deadline = Instant::now() + limit;
        for door in doors {
            let opened = timeout_at(deadline, self.open_door(&door, terms)).await;
            let error = match opened.unwrap_or_else(|_| Err(self.too_late())) {
                Ok(connection) => return Some(connection),
                Err(error) => error,
            };
            let again = error.is_about_encryption();
            attempts.push(door.failed(error));
            if !again {
                break;
            }
        }
        None
    }

    fn too_late(&self) -> DatabaseError {
        DatabaseError::TimedOut {
            doing: Doing::Connecting(self.address.shown()),
            limit: self.limit,
        }
    }

    async fn open_door(
        &self,
        door: &Door<'_>,
        (wanted, ear): (SessionWanted, &Option<Ear>),
    ) -> Result<Connection, DatabaseError> {
        let connection = self
            .encryption(door.way)?
            .connect(&self.config(door), &self.warnings, ear.clone())
            .await
            .map_err(|error| DatabaseError::opening(&error))?;
        check_session(&connection, wanted).await?;
        Ok(connection)
    }

    #[cfg(feature = "tls")]
    fn encryption(&self, way: Way) -> Result<Encryption, DatabaseError> {
        match way {
            Way::Plain => Ok(Encryption::None),
            Way::Offered | Way::Encrypted => match self.handshakes.connector() {
                Ok(connector) => Ok(Encryption::Tls(connector)),
                Err(error) => Err(DatabaseError::handshake(&error.to_string())),
            },
        }
    }

    /// Without the feature no mode has another way, and those that want one are refused at the address.
    #[cfg(not(feature = "tls"))]
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as with the feature"
    )]
    fn encryption(&self, _: Way) -> Result<Encryption, DatabaseError> {
        Ok(Encryption::None)
    }

    fn config(&self, door: &Door<'_>) -> Config {
        let address = &self.address;
        let mut config = Config::new();
        config
            .user(&address.user)
            .dbname(&address.database)
            .application_name(&self.application_name)
            .channel_binding(address.channel_binding)
            .port(door.server.port)
            .tcp_user_timeout(address.tcp_user_timeout)
            .keepalives(address.keepalives.is_some())
            .ssl_mode(match door.way {
                Way::Plain => SslMode::Disable,
                Way::Offered => SslMode::Prefer,
                Way::Encrypted => SslMode::Require,
            });
        match (&door.server.place, door.number) {
            (Place::Socket(directory), _) => config.host_path(directory),
            (Place::Host(name) | Place::Numeric(_, Some(name)), _) => config.host(name),
            // The handshake wants some name; none is verified here.
            (Place::Numeric(number, None), _) => config.host(number.to_string()),
        };
        if let Some(number) = door.number {
            config.hostaddr(number);
        }
        if let Some(keepalives) = address.keepalives {
            config
                .keepalives_idle(keepalives.idle)
                .keepalives_interval(keepalives.interval)
                .keepalives_retries(keepalives.count);
        }
        if let Some(password) = &door.server.password {
            config.password(password.reveal());
        }
        if let Some(options) = &address.options {
            config.options(options);
        }
        config
    }
}

/// What is looked for, in order.
fn passes(wanted: SessionWanted) -> &'static [SessionWanted] {
    match wanted {
        SessionWanted::Any => &[SessionWanted::Any],
        SessionWanted::ReadWrite => &[SessionWanted::ReadWrite],
        SessionWanted::ReadOnly => &[SessionWanted::ReadOnly],
        SessionWanted::Primary => &[SessionWanted::Primary],
        SessionWanted::Standby => &[SessionWanted::Standby],
        SessionWanted::PreferStandby => &[SessionWanted::Standby, SessionWanted::Any],
    }
}

/// Whether the last try ended with a server that does not let us in.
fn was_refused(attempts: &[Attempt]) -> bool {
    matches!(attempts.last(), Some(attempt) if matches!(attempt.error, DatabaseError::Refused(_)))
}

/// The numbers of a server; a socket has none and still is one place to try.
async fn numbers(server: &Server, deadline: Instant) -> Result<Vec<Option<IpAddr>>, DatabaseError> {
    let name = match &server.place {
        Place::Socket(_) => return Ok(vec![None]),
        Place::Numeric(number, _) => return Ok(vec![Some(*number)]),
        Place::Host(name) => name,
    };
    let found = match timeout_at(deadline, lookup_host((name.as_str(), server.port))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(DatabaseError::unreachable(&error.to_string())),
        Err(_) => {
            return Err(DatabaseError::unreachable(
                "the name was not looked up in time",
            ));
        }
    };
    let mut numbers: Vec<_> = found.map(|address| Some(address.ip())).collect();
    numbers.dedup();
    numbers.truncate(MAX_NUMBERS);
    if numbers.is_empty() {
        return Err(DatabaseError::unreachable("the name has no address"));
    }
    Ok(numbers)
}

/// What kind of session it is.
const SESSION: &str = "SELECT pg_catalog.pg_is_in_recovery(), \
    pg_catalog.current_setting('transaction_read_only')::boolean";

/// Fails for a session that is not the one that is wanted.
async fn check_session(
    connection: &Connection,
    wanted: SessionWanted,
) -> Result<(), DatabaseError> {
    if wanted == SessionWanted::Any {
        return Ok(());
    }
    let answer = connection
        .simple_query(SESSION)
        .await
        .map_err(|error| DatabaseError::opening(&error))?;
    let is = |column| {
        answer.iter().any(|message| {
            matches!(message, SimpleQueryMessage::Row(row) if row.get(column) == Some("t"))
        })
    };
    let (standby, read_only) = (is(0), is(1));
    match wanted {
        SessionWanted::ReadWrite if read_only => {
            Err(DatabaseError::read_only("the session is read-only"))
        }
        SessionWanted::Primary if standby => {
            Err(DatabaseError::read_only("the server is a standby"))
        }
        SessionWanted::ReadOnly if !read_only => {
            Err(DatabaseError::unsuitable("the session is not read-only"))
        }
        SessionWanted::Standby if !standby => {
            Err(DatabaseError::unsuitable("the server is not a standby"))
        }
        _ => Ok(()),
    }
}
