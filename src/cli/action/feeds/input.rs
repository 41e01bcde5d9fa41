//! Files and the standard input, no longer than they may be.

use std::{io, path::Path};

use crate::{actions::feeds::sources, cli::fail::Failure, view::text::harmless};

/// All of the standard input.
pub(super) fn standard() -> Result<Vec<u8>, Failure> {
    sources::bounded(io::stdin().lock()).map_err(|error| named("the standard input", &error))
}

/// All of a file.
pub(super) fn file(name: &str) -> Result<Vec<u8>, Failure> {
    let read = sources::read(Path::new(name));
    read.map_err(|error| named(&format!("`{name}`"), &error))
}

fn named(name: &str, error: &io::Error) -> Failure {
    let text = format!("{} cannot be read: {error}", harmless(name));
    Failure::Io(io::Error::new(error.kind(), text))
}
