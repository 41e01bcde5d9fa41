//! How long to wait before trying again what a database that is away has not answered.

use std::time::Duration;

use uuid::Uuid;

use crate::claim::chance;

/// The first pause.
const FIRST: Duration = Duration::from_millis(250);

/// The longest.
const LONGEST: Duration = Duration::from_secs(15);

/// Pauses that grow while a database stays away, each by chance up to twice as short, so that hosts that have lost it in
/// one instant do not come back in one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    next: Duration,
}

impl Default for Again {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Again {
    /// The next pause.
    pub(crate) fn pause(&mut self) -> Duration {
        self.next_by(chance(Uuid::new_v4()))
    }

    fn next_by(&mut self, chance: f64) -> Duration {
        let pause = self.next.mul_f64(0.5 + chance / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_quarter_of_a_minute_and_no_further() {
        let mut again = Again::default();
        let longest: Vec<u128> = (0..8).map(|_| again.next_by(1.0).as_millis()).collect();
        assert_eq!(longest, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000]);
        assert_eq!(again.next_by(0.0), LONGEST / 2);
    }
}
