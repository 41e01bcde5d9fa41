//! What the commands that change jobs by hand say in the end.

use std::io::{self, Write};

use crate::{
    control::{Answer, Change},
    exit::Exit,
    view::{
        Medium, Times,
        changes::{Changes, Verb},
    },
};

use super::{fail::Failure, open::View, print};

/// Prints what happened: what was done on stdout, what was refused on stderr; as JSON all of it on stdout. `others` are
/// jobs that were not even asked for.
pub(super) fn tell(
    view: &View,
    verb: Verb,
    answer: Answer,
    others: Vec<Change>,
    json: bool,
) -> Result<Exit, Failure> {
    let mut changes = match answer {
        Answer::Jobs(changes) => changes,
        Answer::Contended => {
            let _ = writeln!(
                io::stderr(),
                "not {}: another session holds the row of one of these jobs; nothing was changed, try again",
                verb.done()
            );
            return Ok(Exit::Contended);
        }
    };
    changes.extend(others);
    changes.sort_by(|a, b| a.name.cmp(&b.name));
    let medium = if json {
        Medium::Pipe
    } else {
        Medium::of_stdout()
    };
    let times = Times {
        now: view.now(),
        medium,
    };
    let told = Changes {
        verb,
        changes: &changes,
        times,
        max_ongoing_age: view.place.max_ongoing_age,
    };
    if json {
        print(&told.json())?;
    } else {
        print(&told.text())?;
        // The exit code still tells a caller whose stderr is gone.
        let _ = io::stderr().write_all(told.refusals().as_bytes());
    }
    Ok(told.exit())
}
