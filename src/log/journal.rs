//! The journal, by its native protocol: `MESSAGE` is the whole line, as everywhere else, so that `journalctl` shows
//! which job it is about; and each field is a field too, so that it can be asked for one.

use std::{
    fmt::{Debug, Write as _},
    io::{self, Write as _},
    os::unix::net::UnixDatagram,
    path::Path,
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    Layer,
    fmt::{
        FormatFields as _,
        format::{DefaultFields, Writer},
    },
    layer::Context,
};

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// The longest value that is sent whole; a datagram has to fit into the socket's buffer.
const LONGEST: usize = 16 * 1024;

/// A layer that sends each event to the journal.
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// The journal of this machine, if it can be reached.
    pub(super) fn connect() -> io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    fn at(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = String::new();
        // Writing to a text does not fail.
        let _ = DefaultFields::new().format_fields(Writer::new(&mut line), event);
        let mut entry = Entry::default();
        entry.put("MESSAGE", &line);
        entry.put("PRIORITY", priority(*event.metadata().level()));
        entry.put("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
        event.record(&mut entry);
        if self.socket.send(&entry.bytes).is_err() {
            // journald is restarting; stderr is a stream that it takes up again.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

/// syslog's levels.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// A datagram for journald.
#[derive(Default)]
struct Entry {
    bytes: Vec<u8>,
}

impl Entry {
    fn put(&mut self, name: &str, value: &str) {
        let value = &value[..value.floor_char_boundary(LONGEST)];
        self.bytes.extend_from_slice(name.as_bytes());
        if value.contains('\n') {
            // A value of more than one line comes with its length before it.
            self.bytes.push(b'\n');
            let length = value.len() as u64;
            self.bytes.extend_from_slice(&length.to_le_bytes());
        } else {
            self.bytes.push(b'=');
        }
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(b'\n');
    }

    fn field(&mut self, field: &Field, value: &str) {
        if field.name() != "message" {
            let name = format!("CRONTABBER_{}", field.name().to_ascii_uppercase());
            // journald takes no other characters in a name.
            let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            self.put(&name, value);
        }
    }
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Writing to a text does not fail.
        let _ = write!(text, "{value:?}");
        self.field(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    /// What journald gets to read of what is logged meanwhile.
    fn heard(log: impl FnOnce()) -> String {
        let directory = tempfile::tempdir().expect("/tmp takes directories");
        let path = directory.path().join("socket");
        let journald = UnixDatagram::bind(&path).expect("it is a fresh directory");
        let journal = Journal::at(&path).expect("somebody listens");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(journal), log);
        journald.set_nonblocking(true).expect("it is a socket");
        let mut bytes = [0; 4096];
        let length = journald.recv(&mut bytes).expect("it was sent before");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn the_line_tells_everything_and_each_field_can_be_asked_for() {
        let heard =
            heard(|| tracing::error!(job = %"report", attempt = 2, reason = "exit 9", "failure"));
        let lines: Vec<&str> = heard.lines().collect();
        assert_eq!(
            lines,
            [
                "MESSAGE=failure job=report attempt=2 reason=\"exit 9\"",
                "PRIORITY=3",
                "SYSLOG_IDENTIFIER=crontabber",
                "CRONTABBER_JOB=report",
                "CRONTABBER_ATTEMPT=2",
                "CRONTABBER_REASON=exit 9",
            ]
        );
    }

    #[test]
    fn a_value_of_several_lines_cannot_pass_for_fields() {
        let heard = heard(|| tracing::info!(reason = %"one\nPRIORITY=0", "failure"));
        assert!(
            heard.contains("CRONTABBER_REASON\n\u{e}\0\0\0\0\0\0\0one\nPRIORITY=0\n"),
            "{heard:?}"
        );
    }

    #[test]
    fn where_nobody_listens_there_is_no_journal() {
        assert!(Journal::at(Path::new("/nonexistent/socket")).is_err());
    }
}
