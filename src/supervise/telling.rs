//! What a run prints, told to the host while it goes on, where the order says so.

use std::{os::fd::AsFd, time::Duration};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::MsgFlags,
};

use super::wire::{PRINTED, send_with, take};
use crate::{clock::Boottime, output::Capture};

/// How often the host is told: what nobody wants to read all the time, nobody need.
const EVERY: Duration = Duration::from_millis(100);

/// The most that is told in one datagram.
const MAX_PIECE: usize = 8 * 1024;

/// How much of what was printed the host has been told.
///
/// The bytes come out of the capture, so that this costs no memory: what is overwritten there before there was room in
/// the socket is left out, and the positions tell so.
pub(super) struct Telling {
    /// All before this byte, or it is left out.
    told: u64,
    /// Not before then again.
    again: Boottime,
}

impl Telling {
    pub(super) fn new(now: Boottime) -> Self {
        Self {
            told: 0,
            again: now,
        }
    }

    /// Tells what was printed since the last time, as far as there is room for it. Never waits.
    pub(super) fn tell(&mut self, host: &impl AsFd, capture: &Capture, now: Boottime) {
        if self.told == capture.total() || now < self.again {
            return;
        }
        self.again = now + EVERY;
        for (at, bytes) in capture.since(self.told) {
            let mut position = at;
            for piece in bytes.chunks(MAX_PIECE) {
                if send(host, position, piece).is_err() {
                    return;
                }
                position += piece.len() as u64;
                self.told = position;
            }
        }
    }

    /// When there is something to tell.
    pub(super) fn again(&self, capture: &Capture) -> Option<Boottime> {
        (self.told < capture.total()).then_some(self.again)
    }
}

/// Tells what was printed from byte `position` on, if there is plenty of room for it.
///
/// A socket is writable as long as three quarters of its buffer are free: so whatever the host leaves unread, there is
/// room for how the run ends.
fn send(socket: &impl AsFd, position: u64, bytes: &[u8]) -> nix::Result<()> {
    let mut look = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    poll(&mut look, PollTimeout::ZERO)?;
    if !look[0].any().unwrap_or_default() {
        return Err(Errno::EAGAIN);
    }
    let parts: [&[u8]; 3] = [&[PRINTED], &position.to_ne_bytes(), bytes];
    send_with(socket, &parts, MsgFlags::MSG_DONTWAIT)
}

/// What was printed, and from which byte on; `None` if the datagram says something else.
pub(super) fn printed(datagram: &[u8]) -> Option<(u64, &[u8])> {
    let mut rest = datagram.strip_prefix(&[PRINTED])?;
    Some((u64::from_ne_bytes(take(&mut rest)?), rest))
}

#[cfg(test)]
mod tests {
    use std::{
        os::{
            fd::{AsRawFd, OwnedFd},
            unix::process::ExitStatusExt,
        },
        process::ExitStatus,
    };

    use nix::sys::socket::recv;

    use super::*;
    use crate::{
        output::Output,
        supervise::wire::{MAX_REPORT, Report, pair, send_ended},
    };

    fn heard(host: &OwnedFd) -> Option<Vec<u8>> {
        let mut datagram = vec![0; MAX_REPORT];
        let length = recv(host.as_raw_fd(), &mut datagram, MsgFlags::MSG_DONTWAIT).ok()?;
        datagram.truncate(length);
        Some(datagram)
    }

    fn now(milliseconds: u64) -> Boottime {
        Boottime::at(Duration::from_millis(milliseconds))
    }

    #[test]
    fn what_is_printed_is_told_ten_times_a_second_and_what_was_overwritten_meanwhile_never() {
        let (guard, host) = pair().unwrap();
        let mut capture = Capture::default();
        let mut telling = Telling::new(now(0));
        assert_eq!(telling.again(&capture), None);
        capture.push(b"first");
        telling.tell(&guard, &capture, now(0));
        assert_eq!(printed(&heard(&host).unwrap()), Some((0, &b"first"[..])));
        capture.push(&[b'x'; 10]);
        telling.tell(&guard, &capture, now(99));
        assert_eq!(heard(&host), None);
        assert_eq!(telling.again(&capture), Some(now(100)));
        capture.push(&vec![b'x'; Output::HEAD + 3 * Output::TAIL]);
        let mut next = 5;
        for tenths in 1..100 {
            telling.tell(&guard, &capture, now(tenths * 100));
            while let Some(datagram) = heard(&host) {
                let (position, bytes) = printed(&datagram).unwrap();
                assert!(position >= next && bytes.len() <= MAX_PIECE);
                next = position + bytes.len() as u64;
            }
        }
        assert_eq!((next, telling.again(&capture)), (capture.total(), None));
    }

    #[test]
    fn a_host_that_reads_nothing_still_gets_room_for_the_end() {
        let (guard, host) = pair().unwrap();
        let mut sent = 0;
        while send(&guard, sent, b"x").is_ok() {
            sent += 1;
            assert!(sent < 100_000, "it never has enough");
        }
        assert!(sent > 10, "{sent}");
        let mut capture = Capture::default();
        capture.push(&vec![b'y'; Output::HEAD + Output::TAIL]);
        // It would wait here for ever.
        send_ended(&guard, ExitStatus::from_raw(0), None, &capture).unwrap();

        for position in 0..sent {
            assert_eq!(printed(&heard(&host).unwrap()), Some((position, &b"x"[..])));
        }
        let last = heard(&host).unwrap();
        assert!(matches!(Report::decode(&last), Some(Report::Ended { .. })));
    }

    #[test]
    fn a_socket_filled_to_the_brim_would_keep_the_end_waiting() {
        let (guard, _host) = pair().unwrap();
        let greedy = |bytes: &[u8]| send_with(&guard, &[bytes], MsgFlags::MSG_DONTWAIT);
        while greedy(&[PRINTED; 8]).is_ok() {}
        assert_eq!(greedy(&[0; 100]), Err(Errno::EAGAIN));
    }
}
