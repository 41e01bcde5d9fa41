//! Opening what a command needs: the configuration, the database, a runtime; no more than it needs, no earlier.

mod engine;

use futures_util::join;
use jiff::Timestamp;
use nix::unistd::Uid;

use crate::{
    config::{self, Access, Config, Surroundings},
    host,
    instance::Instance,
    outcomes::Outcomes,
    place::{Place, Seen},
    plan::{Plan, outdated, plan},
    rights::Rights,
    spec::{JobName, JobSpec, is_host_name, on_host},
    state_directory::state_directory,
    store::{
        Address, Database, DatabaseError, Elsewhere, Environment, Pooled, hosts,
        schema::{self, Before},
        table::{self, Table},
    },
    view::{
        subject::{self, Subject},
        text::harmless,
    },
};

use super::{Global, fail::Failure, server};

pub(super) use engine::{engine, reload, stay};

/// The configuration that was named, or that is found.
pub(super) fn configuration(global: &Global) -> Result<Config, Failure> {
    Ok(config::load(global.config.as_deref())?)
}

/// The referee, with at most this many connections at once; opens none yet.
pub(super) fn database(config: &Config, connections: usize) -> Result<Database, Failure> {
    database_at(config.require_database()?, connections)
}

/// The same, of a configuration of which that much is known.
pub(super) fn database_at(
    wanted: &config::Database,
    connections: usize,
) -> Result<Database, Failure> {
    let address = address(&wanted.access)?;
    let address = match wanted.schema.as_str() {
        "public" => address,
        schema => address.with_schema(schema),
    };
    Ok(Database::new(
        address,
        "crontabber",
        connections,
        wanted.connect_timeout,
    ))
}

/// The way to the databases of `[database.NAME]`; each is looked for when a job wants it.
fn elsewhere(config: &Config) -> Elsewhere {
    let databases = config.databases.clone();
    Elsewhere::new(move |name| {
        // The configuration has refused jobs that name others.
        let wanted = databases
            .get(name)
            .ok_or_else(|| format!("no database is named `{name}`"))?;
        let address = address(&wanted.access).map_err(|failure| failure.to_string())?;
        Ok(Database::new(
            address,
            "crontabber",
            1,
            wanted.connect_timeout,
        ))
    })
}

/// Where a database is, with its secret read, its variables looked up, its server started.
fn address(access: &Access) -> Result<Address, Failure> {
    let text = match access {
        Access::Url(text) => text.clone(),
        Access::Secret(reference) => {
            let secret = reference.resolve(&Surroundings::of_this_process());
            secret
                .map_err(|error| Failure::NoDatabase(error.to_string()))?
                .expose()
                .to_owned()
        }
        Access::Environment => String::new(),
        Access::Embedded {
            directory,
            bin_directory,
        } => server::running(directory.as_deref(), bin_directory.as_deref())?,
    };
    let address = Address::parse(&text, &Environment::of_this_process())
        .map_err(|error| Failure::NoDatabase(error.to_string()))?;
    for warning in address.warnings() {
        tracing::warn!("{warning}");
    }
    Ok(address)
}

/// Where outcomes are kept that the referee has not taken yet.
fn outcomes(config: &Config, database: &Database) -> Outcomes {
    let named = config.daemon.state_directory.clone();
    let usual = || state_directory(Uid::effective(), |name| std::env::var_os(name));
    let schema = config
        .database
        .as_ref()
        .map(|wanted| wanted.schema.as_str());
    let tables = format!(
        "{} {}",
        database.address().shown(),
        schema.unwrap_or_default()
    );
    Outcomes::below(&named.unwrap_or_else(usual), &tables)
}

/// This host, as the command line, the configuration or the machine names it.
pub(super) fn place(global: &Global, config: &Config) -> Result<Place, Failure> {
    let named = global.host.clone().or_else(|| config.daemon.host.clone());
    let host = match named {
        Some(name) => name,
        None => nix::unistd::gethostname()
            .map_err(std::io::Error::from)?
            .to_string_lossy()
            .into_owned(),
    };
    if !is_host_name(&host) {
        return Err(Failure::Usage(format!(
            "`{}` cannot be the name of a host: letters, digits, `.`, `-` and `_`, as in `--host web1`",
            harmless(&host)
        )));
    }
    Ok(Place {
        host,
        instance: Instance::own(),
        tags: config.daemon.tags.clone(),
        rights: Rights::here(config.graph.jobs()),
        max_ongoing_age: config.daemon.max_ongoing_age,
        on_disagreement: config.daemon.on_disagreement,
        stays: false,
    })
}

/// What a reading command looks at: the configuration, and the table as it is now.
pub(super) struct View {
    pub(super) config: Config,
    pub(super) database: Database,
    pub(super) place: Place,
    table: Table,
}

impl View {
    /// Reads the table once; writes nothing. Must be called in a runtime.
    pub(super) async fn open(global: &Global) -> Result<Self, Failure> {
        let config = configuration(global)?;
        let place = place(global, &config)?;
        let database = database(&config, 1)?;
        // Boxed: opening a connection is a large future, and every command that looks would hold it.
        let client = Box::pin(database.get()).await?;
        // Both under way together. Not `try_join`: to drop a question is to lose the connection.
        let (table, seen) = join!(
            table::read(&client, &place.host, None),
            hosts::seen(&client)
        );
        let mut table = match table {
            Err(error) if error.is_missing_tables() => return Err(no_tables(&client, error).await),
            table => table?,
        };
        table.hosts = seen?;
        // As a pass does: who goes by the newest definitions of the jobs that it would leave to others.
        let outdated = outdated(&config.graph, &table, &place);
        if !outdated.is_empty() {
            let newest = hosts::newest(&client, &outdated, None).await?;
            table.newest = newest;
        }
        drop(client);
        Ok(Self {
            config,
            database,
            place,
            table,
        })
    }

    /// As a pass here would look at it: whoever passes is live.
    pub(super) fn of_a_pass(mut self) -> Self {
        let hosts = &mut self.table.hosts;
        hosts.retain(|seen| seen.place.host != self.place.host);
        hosts.push(Seen {
            place: self.place.clone(),
            at: self.table.now,
            drained: self.table.drained,
        });
        self
    }

    /// The one connection, again.
    pub(super) async fn connection(&self) -> Result<Pooled, Failure> {
        Ok(Box::pin(self.database.get()).await?)
    }

    /// The same plan that a pass would make.
    pub(super) fn plan(&self) -> Plan<'_> {
        plan(&self.config.graph, &self.table, &self.place)
    }

    /// Makes the rows of those of these jobs that no host has met yet, as a pass does, and looks again.
    pub(super) async fn meet(&mut self, names: &[String]) -> Result<(), Failure> {
        let plan = self.plan();
        let unmet = plan
            .jobs
            .iter()
            .filter(|job| job.row.is_none() && names.iter().any(|name| *name == job.name));
        let made = host::adopt_jobs(unmet, &self.config.graph, &self.database);
        if made.await?.is_empty() {
            return Ok(());
        }
        let client = self.connection().await?;
        let hosts = std::mem::take(&mut self.table.hosts);
        let newest = std::mem::take(&mut self.table.newest);
        self.table = Table {
            hosts,
            newest,
            ..table::read(&client, &self.place.host, None).await?
        };
        Ok(())
    }

    /// What was read.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// The database's clock.
    pub(super) fn now(&self) -> Timestamp {
        self.table.now
    }
}

/// What to do about a database whose tables cannot be read.
async fn no_tables(client: &Pooled, error: DatabaseError) -> Failure {
    let advice = match schema::look(client).await {
        Ok(Before::Nothing) => {
            "this database has no tables of crontabber yet: `crontabber migrate` makes them, and so does the first \
             `crontabber tick`"
        }
        Ok(Before::Legacy) => {
            "this database has the tables of crontabber 0.18 or older: run `crontabber migrate` once, on any host, to \
             widen them in place; the old hosts go on working"
        }
        // They may well be there, in a schema that this role may not use.
        Err(why @ DatabaseError::Permission(_)) => return why.into(),
        Ok(Before::Ours(_)) | Err(_) => return error.into(),
    };
    DatabaseError::Schema(advice.to_owned()).into()
}

/// The job of this name in the configuration with all its rows, or else the row in the table, at least one; or what to
/// type instead.
pub(super) fn subjects<'a>(plan: &'a Plan<'a>, name: &str) -> Result<Vec<Subject<'a>>, Failure> {
    match subject::meant(plan, name) {
        none if none.is_empty() => Err(no_such(plan, "job", name)),
        some => Ok(some),
    }
}

/// The rows that this name means: of a job that runs on each host also those of hosts that are gone.
pub(super) fn rows_of<'a>(plan: &'a Plan<'a>, name: &'a str) -> Vec<&'a str> {
    let is_meant = |row: &&str| on_host(row).is_some_and(|(job, _)| job == name);
    let rows = subject::all(plan).map(|subject| subject.name());
    rows.filter(is_meant).chain([name]).collect()
}

/// What was found out about each row that a name means: as JSON an object, and by the name of a job that runs on each
/// host an array, however many there are.
pub(super) fn together(
    name: &str,
    subjects: &[Subject<'_>],
    each: &[String],
    is_json: bool,
) -> String {
    let is_on_each = |subject: &Subject<'_>| match subject {
        Subject::Job(job) => job.spec.is_on_each() && job.spec.name.as_str() == name,
        Subject::Ghost(..) => false,
    };
    if is_json && subjects.iter().any(is_on_each) {
        let objects: Vec<&str> = each.iter().map(|object| object.trim_end()).collect();
        return format!("[{}]\n", objects.join(",\n"));
    }
    each.join("\n")
}

/// There is no `what` of this name in the configuration or the table; what to type instead.
pub(super) fn no_such(plan: &Plan<'_>, what: &str, name: &str) -> Failure {
    let names = subject::all(plan).flat_map(|subject| [subject.job(), subject.name()]);
    nothing_named(names, what, name, "list")
}

/// The host of this name, or what to type instead.
pub(super) fn host<'a>(plan: &'a Plan<'a>, name: &str) -> Result<&'a Seen, Failure> {
    let known = plan.hosts.iter().find(|seen| seen.place.host == name);
    known.ok_or_else(|| {
        let names = plan.hosts.iter().map(|seen| seen.place.host.as_str());
        nothing_named(names, "host", name, "hosts --all")
    })
}

/// The job of this name, or what to type instead.
pub(super) fn job<'a>(config: &'a Config, name: &str) -> Result<&'a JobSpec, Failure> {
    let known = name
        .parse::<JobName>()
        .ok()
        .and_then(|name| config.graph.get(&name));
    known.ok_or_else(|| {
        nothing_named(
            config.graph.jobs().iter().map(|job| job.name.as_str()),
            "job",
            name,
            "list",
        )
    })
}

/// None of these names is this one: what was probably meant, or which command shows them.
pub(super) fn nothing_named<'a>(
    names: impl Iterator<Item = &'a str>,
    what: &str,
    name: &str,
    shown_by: &str,
) -> Failure {
    let shown: String = name.chars().take(JobName::MAX).collect();
    // A foreign writer's name may have megabytes; nobody has mistyped one.
    let nearest = names
        .filter(|known| known.len() <= JobName::MAX)
        .map(|known| (strsim::damerau_levenshtein(known, &shown), known))
        .filter(|(distance, known)| *distance <= known.len().max(shown.len()) / 3)
        .min();
    let hint = nearest.map_or_else(
        || format!("; `crontabber {shown_by}` shows those there are"),
        |(_, known)| format!("; did you mean `{}`?", harmless(known)),
    );
    Failure::Usage(format!("no {what} named `{}`{hint}", shown.escape_debug()))
}

/// Runs a command's asynchronous part: one thread, because a command that starts each minute on every host
/// should be over in milliseconds.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(work);
    // Nothing is waited for: what is still under way in the background is a connection being closed.
    runtime.shutdown_background();
    outcome
}
