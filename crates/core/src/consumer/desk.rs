//! Where a queue hands out messages: its workers in turn, and the ends of manual leases.

use std::collections::{BTreeSet, VecDeque};

use crate::command::WorkerId;
use crate::time::Timestamp;

/// The consumers of one queue.
#[derive(Debug, Default)]
pub struct Desk {
    /// Open workers; the first one is served next.
    pub workers: VecDeque<WorkerId>,
    /// Ends of manual leases.
    pub lease_ends: BTreeSet<(Timestamp, u64)>,
}

impl Desk {
    /// When time alone changes something here.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        let first = self.lease_ends.first();
        first.map_or(Timestamp::NEVER, |(until, _)| *until)
    }
}
