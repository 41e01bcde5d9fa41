//! Time zones from the files of the tz database (RFC 9636), and from nothing else.

use std::{env, fs, ops::Range, path::Path, str};

/// A zone, as its file has it: in seconds since 1970, and seconds by which its clocks are ahead of UTC.
pub(crate) struct Zone {
    /// By how much until the first jump.
    before: i64,
    /// When its clocks jump, and by how much they are ahead from then on.
    jumps: Vec<(i64, i64)>,
    /// Until when the file tells each jump by itself; later ones are in a rule, which is not read.
    known_until: i64,
}

/// A span of time in which a zone's clocks do not jump: in minutes since 1970, and minutes ahead of UTC.
pub(crate) struct Stretch {
    pub(crate) minutes: Range<i64>,
    pub(crate) offset: i64,
}

impl Zone {
    /// The file is looked for in `$TZDIR`, or else where Debian has it.
    pub(crate) fn read(name: &str) -> Self {
        let directory = env::var("TZDIR").unwrap_or_else(|_| "/usr/share/zoneinfo".to_owned());
        let file = Path::new(&directory).join(name);
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self::of(&mut Bytes(&bytes))
    }

    fn of(file: &mut Bytes<'_>) -> Self {
        // First for programs that know numbers of four bytes only, then again for all others.
        let narrow = Header::take(file);
        assert!(narrow.version >= b'2', "the zone's file ends with 2037");
        file.skip(narrow.length(4));
        let wide = Header::take(file);
        let instants: Vec<i64> = (0..wide.jumps).map(|_| file.number()).collect();
        let kinds: Vec<[u8; 1]> = (0..wide.jumps).map(|_| file.take()).collect();
        let offsets: Vec<i64> = (0..wide.kinds).map(|_| file.offset()).collect();
        file.skip(wide.length_after_kinds(8));
        let rule = str::from_utf8(file.0).expect("a rule in ASCII");
        let jumps = instants.iter().zip(kinds);
        let jumps: Vec<(i64, i64)> = jumps
            .map(|(&instant, [kind])| (instant, offsets[usize::from(kind)]))
            .collect();
        // A rule with a comma has jumps; one without says that the last offset stays.
        let last = jumps.last().map_or(i64::MIN, |(jump, _)| *jump);
        Self {
            before: offsets[0],
            known_until: if rule.contains(',') { last } else { i64::MAX },
            jumps,
        }
    }

    /// A span of minutes, cut at each jump.
    pub(crate) fn stretches(&self, span: &Range<i64>) -> Vec<Stretch> {
        assert!(
            span.end * 60 < self.known_until,
            "the zone's file has a rule in place of its later jumps: have it built by `zic -b fat`"
        );
        let mut cuts = vec![span.start];
        cuts.extend(self.jumps_in(span));
        cuts.push(span.end);
        cuts.windows(2)
            .map(|cut| Stretch {
                minutes: cut[0]..cut[1],
                offset: self.offset(cut[0]),
            })
            .collect()
    }

    /// The minutes of a span in which the clocks jump.
    pub(crate) fn jumps_in(&self, span: &Range<i64>) -> Vec<i64> {
        let seconds = span.start * 60 + 1..span.end * 60;
        let jumps = self.jumps.iter().map(|(jump, _)| *jump);
        jumps
            .filter(|jump| seconds.contains(jump))
            .map(whole_minutes)
            .collect()
    }

    /// By how much the clocks are ahead in a minute.
    fn offset(&self, minute: i64) -> i64 {
        let passed = self.jumps.partition_point(|(jump, _)| *jump <= minute * 60);
        let latest = passed.checked_sub(1);
        whole_minutes(latest.map_or(self.before, |latest| self.jumps[latest].1))
    }
}

/// Of seconds; in our days no clock jumps within a minute.
fn whole_minutes(seconds: i64) -> i64 {
    assert_eq!(seconds % 60, 0, "not a whole minute");
    seconds / 60
}

/// What of a file has not been read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect("a whole file");
        self.0 = rest;
        *taken
    }

    fn skip(&mut self, length: usize) {
        self.0 = &self.0[length..];
    }

    fn number(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }

    fn count(&mut self) -> usize {
        usize::try_from(u32::from_be_bytes(self.take())).expect("a small number")
    }

    /// A kind of local time: the seconds it is ahead, whether it is a summer time, and where its name stands.
    fn offset(&mut self) -> i64 {
        let seconds = i32::from_be_bytes(self.take());
        self.skip(2);
        i64::from(seconds)
    }
}

/// What is counted before each of the two blocks of a file.
struct Header {
    version: u8,
    marks_of_universal: usize,
    marks_of_standard: usize,
    leap_seconds: usize,
    jumps: usize,
    kinds: usize,
    letters: usize,
}

impl Header {
    fn take(file: &mut Bytes<'_>) -> Self {
        assert_eq!(&file.take(), b"TZif", "not the file of a zone");
        let [version] = file.take();
        file.skip(15);
        Self {
            version,
            marks_of_universal: file.count(),
            marks_of_standard: file.count(),
            leap_seconds: file.count(),
            jumps: file.count(),
            kinds: file.count(),
            letters: file.count(),
        }
    }

    /// The bytes of a block whose instants have so many bytes each.
    fn length(&self, instant: usize) -> usize {
        self.jumps * (instant + 1) + self.kinds * 6 + self.length_after_kinds(instant)
    }

    fn length_after_kinds(&self, instant: usize) -> usize {
        let marks = self.marks_of_standard + self.marks_of_universal;
        self.letters + self.leap_seconds * (instant + 4) + marks
    }
}
