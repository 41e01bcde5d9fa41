//! A report by Rust and tokio-postgres; report.sh says what the key and the fence are for.

use std::{env, error::Error};

use tokio_postgres::NoTls;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut client, connection) =
        tokio_postgres::connect(&env::var("DATABASE_URL")?, NoTls).await?;
    tokio::spawn(connection);
    let job = env::var("CRONTABBER_JOB")?;
    let fence: i64 = env::var("CRONTABBER_FENCE")?.parse()?;
    let key = env::var("CRONTABBER_RUN_KEY")?;
    let attempt: i32 = env::var("CRONTABBER_ATTEMPT")?.parse()?;

    // Dropped without a commit, it is rolled back: so it is when the fence refuses.
    let transaction = client.transaction().await?;
    transaction
        .execute("SELECT crontabber_assert_fence($1, $2)", &[&job, &fence])
        .await?;
    transaction
        .execute(
            "INSERT INTO report (run_key, attempt, rows) SELECT $1, $2, count(*) FROM crontabber_log
                 ON CONFLICT (run_key) DO UPDATE SET attempt = excluded.attempt, rows = excluded.rows",
            &[&key, &attempt],
        )
        .await?;
    transaction.commit().await?;
    Ok(())
}
