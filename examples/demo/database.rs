//! The driver's own questions to the database.

use std::time::Duration;

use crontabber::store::{Address, Connection, Database, Environment};
use tokio::{runtime::Builder, time::timeout};

use crate::DemoError;

/// How long one conversation may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Has one conversation with the database at this URL.
pub(crate) fn ask<T>(
    url: &str,
    questions: impl AsyncFnOnce(&Connection) -> Result<T, DemoError>,
) -> Result<T, DemoError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(DemoError::io("start", "a runtime"))?;
    let address = Address::parse(url, &Environment::of_this_process())?;
    let conversation = async {
        let database = Database::new(address, "crontabber demo", 1, LIMIT);
        let client = database.get().await?;
        questions(&client).await
    };
    runtime
        .block_on(async { timeout(LIMIT, conversation).await })
        .map_err(|_| DemoError::Slow)?
}
