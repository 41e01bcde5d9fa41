//! What to do where the database refuses: which right, which table, what to type.

use tokio_postgres::error::SqlState;

use super::schema::{Found, look};
use crate::store::{Database, DatabaseError, limited, transaction::LIMIT};

/// What this role may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rights {
    /// It, as SQL writes it.
    role: String,
    /// Where its tables would be made; `None`: it may use no schema of its search path.
    schema: Option<String>,
    /// Whose the tables are, if there are any.
    owner: Option<String>,
    /// What to type.
    grants: Vec<String>,
}

/// What the error means for the tables of the action, and what to do about it; `None`: the error says all there is to say.
/// Asks the database once more: the server names one right at a time, and in its own language.
pub async fn explained(database: &Database, error: &DatabaseError) -> Option<String> {
    let said = error.server()?;
    let said = format!("{} (SQLSTATE {})", said.message(), said.code().code());
    let state = error.sql_state()?;
    if state.code().starts_with("53") && *state != SqlState::TOO_MANY_CONNECTIONS {
        return Some(full(&said));
    }
    let is_a_right = *state == SqlState::INSUFFICIENT_PRIVILEGE;
    if !is_a_right && !error.is_missing_tables() {
        return None;
    }
    // Who cannot be asked is in more trouble than this; the error that led here is the one to tell.
    let (found, rights) = ask(database).await.ok()?;
    Some(if is_a_right {
        refused(&said, found.as_ref(), &rights)
    } else {
        missing(&said, found.as_ref(), &rights)
    })
}

/// What there is, if this role may look, and what the role may not do.
async fn ask(database: &Database) -> Result<(Option<Found>, Rights), DatabaseError> {
    let client = database.get().await?;
    let asked = async {
        let found = look(&client).await.ok();
        let sql = include_str!("sql/missing_rights.sql");
        let row = client.query_typed_one(sql, &[]).await?;
        let grants: Option<Vec<String>> = row.try_get("grants")?;
        Ok::<_, DatabaseError>((
            found,
            Rights {
                role: row.try_get("role")?,
                schema: row.try_get("schema")?,
                owner: row.try_get("owner")?,
                grants: grants.unwrap_or_default(),
            },
        ))
    };
    limited(LIMIT, client.fuse(), asked).await
}

fn full(said: &str) -> String {
    format!(
        "the database has no room for this: {said}; make some (the text says of what: disk, memory, temp_file_limit). \
         Nothing of it was kept, and no failure is counted; feeds that a pass had claimed are fetched by the passes after a \
         quarter of an hour"
    )
}

fn refused(said: &str, found: Option<&Found>, rights: &Rights) -> String {
    let role = &rights.role;
    if let Some(step) = found.and_then(Found::next) {
        return without_migration(said, step.name, rights);
    }
    if rights.grants.is_empty() {
        return format!("{said}: the rights that each command needs are in docs/feeds.md");
    }
    let grants = rights.grants.join("; ");
    format!("{said}: the role {role} needs: {grants}")
}

fn without_migration(said: &str, step: &str, rights: &Rights) -> String {
    let role = &rights.role;
    let by_hand = "crontabber action feeds list --database URL";
    match (&rights.owner, &rights.schema) {
        (Some(owner), _) => format!(
            "{said}: the tables of the feeds need the migration {step}, which only their owner may do: run once as {owner}, \
             and not as {role}: {by_hand}"
        ),
        (None, Some(schema)) => format!(
            "{said}: there are no tables of the feeds yet, and the role {role} may make none (migration {step}): GRANT \
             CREATE ON SCHEMA {schema} TO {role}; or run once as a role that may: {by_hand}"
        ),
        (None, None) => nowhere(said, role),
    }
}

fn missing(said: &str, found: Option<&Found>, rights: &Rights) -> String {
    if rights.schema.is_none() {
        return nowhere(said, &rights.role);
    }
    match found.map(Found::missing).unwrap_or_default().as_slice() {
        [] => format!("{said}: the tables of the feeds are not as docs/feeds.md says"),
        missing => format!("{said}: missing in the database: {}", missing.join(", ")),
    }
}

fn nowhere(said: &str, role: &str) -> String {
    format!(
        "{said}: the role {role} may use no schema of its search_path: GRANT USAGE ON SCHEMA public TO {role}, or another \
         one that is in it"
    )
}
