//! What a crash or a failover could forget: the promise is that no acknowledged commit is lost.

use super::{Check, Finding};
use crate::{
    store::checkup::{Checkup, Server, Standby},
    view::text::counted,
};

pub(super) fn findings(checkup: &Checkup) -> Vec<Finding> {
    // Why it could not be asked is said beside the server.
    let Ok(server) = &checkup.server else {
        return Vec::new();
    };
    let mut found: Vec<_> = crash(server, checkup.role()).collect();
    found.extend(match &checkup.standbys {
        Ok(standbys) => failover(server, standbys),
        Err(why) => Some(Finding::unasked(Check::Durability, why)),
    });
    if found.is_empty() {
        let waited_for = match standbys_waited_for(server, checkup) {
            0 => "no standby copies it",
            _ => "each commit waits for a standby",
        };
        found.push(Finding::ok(
            Check::Durability,
            format!(
                "a commit is on the server's disk before it is acknowledged (fsync); {waited_for}"
            ),
        ));
    }
    found
}

fn standbys_waited_for(server: &Server, checkup: &Checkup) -> usize {
    match &checkup.standbys {
        Ok(standbys) if !server.synchronous_standby_names.is_empty() => standbys.len(),
        _ => 0,
    }
}

/// What the server itself may forget when it crashes.
fn crash(server: &Server, role: &str) -> impl Iterator<Item = Finding> {
    let fsync = (!server.fsync).then(|| {
        Finding::problem(
            Check::Durability,
            "fsync is off: a crash of the server's machine loses acknowledged claims, and their slots start twice",
            "ALTER SYSTEM SET fsync = on",
        )
    });
    let pages = (!server.full_page_writes).then(|| {
        Finding::warning(
            Check::Durability,
            "full_page_writes is off: a crash of the server's machine may leave half a page, unless its file system \
             writes none",
            "ALTER SYSTEM SET full_page_writes = on, if it is no copy-on-write file system",
        )
    });
    let commit = (server.synchronous_commit == "off").then(|| {
        Finding::warning(
            Check::Durability,
            format!(
                "synchronous_commit is off for {role}: crontabber turns it on in its own transactions, but what jobs \
                 commit by themselves can be lost in a crash although their runs succeeded"
            ),
            format!("ALTER ROLE {role} RESET synchronous_commit, or on for the server"),
        )
    });
    [fsync, pages, commit].into_iter().flatten()
}

/// What a standby that takes over may not know.
fn failover(server: &Server, standbys: &[Standby]) -> Option<Finding> {
    let wanted = &server.synchronous_standby_names;
    let is_waited_for =
        |standby: &Standby| matches!(standby, Standby::Synchronous | Standby::Hidden);
    if !wanted.is_empty() {
        return (!standbys.iter().any(is_waited_for)).then(|| {
            Finding::warning(
                Check::Durability,
                format!(
                    "synchronous_standby_names is `{wanted}` and no such standby is connected: every commit waits for \
                     one, and claims are not started"
                ),
                "connect the standby, or take its name out",
            )
        });
    }
    let number = counted(standbys.len(), "standby");
    (!standbys.is_empty()).then(|| {
        Finding::warning(
            Check::Durability,
            format!(
                "no commit waits for {number}: after a failover the new primary may have forgotten acknowledged claims, \
                 whose slots start twice"
            ),
            "synchronous_standby_names with the standby that would take over, or live with it: jobs that go by \
             CRONTABBER_RUN_KEY do",
        )
    })
}
