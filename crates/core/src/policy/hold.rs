//! Until when something is held back, as instants: they stay true while nobody runs, whoever reads them.

use crate::time::Timestamp;

/// What holds a destination, a worker or a queue back for a while. It ends by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hold {
    /// When it was like this.
    pub since: Timestamp,
    /// The destination wants nothing before.
    pub until: Timestamp,
    /// When the next start would be due if those before were spread evenly: the state of a rate.
    pub paced: Timestamp,
}

impl Hold {
    /// When nothing is left of it.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.until.max(self.paced)
    }

    /// The same for a reader whose clock may have been set back: it takes no longer than it would have.
    #[must_use]
    pub fn seen_at(self, now: Timestamp) -> Self {
        let within = |at: Timestamp| at.min(now.plus(at.since(self.since)));
        Self {
            since: self.since.min(now),
            until: within(self.until),
            paced: within(self.paced),
        }
    }

    /// Both of two: the later ends count.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self {
            since: self.since.max(other.since),
            until: self.until.max(other.until),
            paced: self.paced.max(other.paced),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Hold = Hold {
        since: Timestamp(1000),
        until: Timestamp(1500),
        paced: Timestamp(1200),
    };

    #[test]
    fn a_clock_that_went_on_changes_nothing() {
        assert_eq!(HOLD.seen_at(Timestamp(1100)), HOLD);
        assert_eq!(HOLD.ends(), Timestamp(1500));
    }

    #[test]
    fn a_clock_that_was_set_back_prolongs_nothing() {
        let seen = HOLD.seen_at(Timestamp(200));
        assert_eq!((seen.until, seen.paced), (Timestamp(700), Timestamp(400)));
    }

    #[test]
    fn the_later_end_counts() {
        let other = Hold {
            since: Timestamp(1100),
            until: Timestamp(0),
            paced: Timestamp(1300),
        };
        let joined = HOLD.joined(other);
        assert_eq!(
            (joined.until, joined.paced),
            (Timestamp(1500), Timestamp(1300))
        );
    }
}
