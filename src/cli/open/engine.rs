//! What the stations of a host share: made for one pass, for a host that stays, and anew when its configuration is.

use std::{
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{configuration, database, elsewhere, outcomes, place};
use crate::{
    cli::{Global, fail::Failure},
    config::Config,
    daemon::{Fresh, Reload},
    engine::Engine,
    heartbeat::Heart,
    host::{Host, Said},
    outcomes::Outcomes,
    place::Place,
    reap::Suspects,
    record::Records,
    store::Database,
    stream::Stream,
    supervise::Supervisor,
};

/// A host ready for one pass. Must be called in a runtime.
pub(in crate::cli) fn engine(global: &Global, config: Config) -> Result<Arc<Engine>, Failure> {
    let place = place(global, &config)?;
    let database = database(&config, config.daemon.max_parallel)?;
    let drain = config.daemon.tick_drain;
    let shared = Shared {
        // One connection is enough for it, and opening others takes longer than the claims.
        turns: Arc::new(Semaphore::new(1)),
        suspects: Arc::new(Suspects::of_a_pass()),
        ..Shared::of(&config, database)
    };
    let host = Host::new(place, config.text_hash.clone());
    Ok(Arc::new(shared.engine(host, drain, config)))
}

/// How many transactions with claims a host that stays has under way at most, should one take long; each needs a connection.
const TURNS: usize = 8;

/// A host ready to stay, which says this of itself. Must be called in a runtime.
pub(in crate::cli) fn stay(
    global: &Global,
    config: Config,
    said: &Arc<Mutex<Said>>,
) -> Result<Fresh, Failure> {
    let place = place(global, &config)?;
    // Two more: records and looks must not wait for claims.
    let database = database(&config, config.daemon.max_parallel.min(TURNS) + 2)?;
    Ok(fresh(Shared::of(&config, database), place, config, said))
}

/// How a host that stays reads its configuration again; what it runs, renews and holds open goes on.
pub(in crate::cli) fn reload(global: &Global, fresh: &Fresh, said: &Arc<Mutex<Said>>) -> Reload {
    let (global, said) = (global.clone(), Arc::clone(said));
    let began_with = fresh.access.clone();
    Arc::new(move |before: &Engine| {
        let config = configuration(&global).map_err(|failure| failure.to_string())?;
        let place = place(&global, &config).map_err(|failure| failure.to_string())?;
        if config.database != began_with {
            return Err("`[database]` has changed: that takes a restart".to_owned());
        }
        if place.host != before.host.place.host {
            return Err("the name of the host has changed: that takes a restart".to_owned());
        }
        Ok(self::fresh(Shared::by(before), place, config, &said))
    })
}

/// What a host that stays goes by from now on.
fn fresh(shared: Shared, place: Place, config: Config, said: &Arc<Mutex<Said>>) -> Fresh {
    let host = Host::new(place, config.text_hash.clone()).that_stays(Arc::clone(said));
    let drain = config.daemon.drain;
    Fresh {
        poll: config.daemon.poll,
        access: config.database.clone(),
        engine: Arc::new(shared.engine(host, drain, config)),
    }
}

/// What outlives a configuration: connections, runs, and what is known of others.
struct Shared {
    database: Database,
    supervisor: Arc<Supervisor>,
    heart: Arc<Heart>,
    stream: Arc<Stream>,
    turns: Arc<Semaphore>,
    suspects: Arc<Suspects>,
    records: Records,
    outcomes: Arc<Outcomes>,
}

impl Shared {
    /// That of a process that stays, at its beginning.
    fn of(config: &Config, database: Database) -> Self {
        let heartbeat = config.daemon.lease.heartbeat;
        Self {
            supervisor: Arc::new(Supervisor::new()),
            heart: Arc::new(Heart::new(database.clone(), None)),
            stream: Arc::new(Stream::new(database.clone(), None)),
            turns: Arc::new(Semaphore::new(TURNS)),
            suspects: Arc::new(Suspects::with_patience(heartbeat)),
            records: Records::new(database.clone(), None),
            outcomes: Arc::new(outcomes(config, &database)),
            database,
        }
    }

    /// That of an engine at work.
    fn by(engine: &Engine) -> Self {
        Self {
            database: engine.database.clone(),
            supervisor: Arc::clone(&engine.supervisor),
            heart: Arc::clone(&engine.heart),
            stream: Arc::clone(&engine.stream),
            turns: Arc::clone(&engine.turns),
            suspects: Arc::clone(&engine.suspects),
            records: engine.records.clone(),
            outcomes: Arc::clone(&engine.outcomes),
        }
    }

    fn engine(self, host: Host, drain: Duration, config: Config) -> Engine {
        Engine {
            host,
            elsewhere: elsewhere(&config),
            database: self.database,
            supervisor: self.supervisor,
            heart: self.heart,
            stream: self.stream,
            turns: self.turns,
            suspects: self.suspects,
            records: self.records,
            outcomes: self.outcomes,
            terms: config.daemon.lease,
            max_parallel: config.daemon.max_parallel,
            drain,
            now: None,
            is_stopping: AtomicBool::new(false),
            graph: config.graph,
        }
    }
}
