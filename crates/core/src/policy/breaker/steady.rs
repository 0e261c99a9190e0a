//! Time that never goes back, over a host's clock that may.
//!
//! An open breaker whose clock is set back by an hour would stay open for an hour. Here no time passes while the
//! clock goes back, and it goes on from there: what was left of a cooldown is still left.

use crate::time::Timestamp;

/// Counts what a host's clock moves forward.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Steady {
    last: u64,
    /// What the host's clock lost so far.
    lost: u64,
}

impl Steady {
    /// Steady time at an instant of the host.
    pub(super) fn at(&mut self, now: Timestamp) -> u64 {
        let steady = now.0.saturating_add(self.lost);
        if steady < self.last {
            self.lost = self.lost.saturating_add(self.last - steady);
        } else {
            self.last = steady;
        }
        self.last
    }

    /// What [`Steady::at`] would give, without going there.
    pub(super) fn peek(self, now: Timestamp) -> u64 {
        now.0.saturating_add(self.lost).max(self.last)
    }

    /// The host's instant of a steady time, as far as its clock can be foreseen.
    pub(super) fn to_host(self, steady: u64) -> Timestamp {
        Timestamp(steady.saturating_sub(self.lost))
    }
}
