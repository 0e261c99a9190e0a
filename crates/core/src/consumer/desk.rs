//! Where a queue hands out messages: its workers in turn, what those of one name share, and the ends of
//! manual leases.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::control::Control;
use super::paces::Paces;
use crate::command::WorkerId;
use crate::time::Timestamp;

/// The consumers of one queue.
#[derive(Debug, Default)]
pub struct Desk {
    /// Open workers; the first one is served next.
    pub workers: VecDeque<WorkerId>,
    /// What workers of one name share, where they want anything.
    pub controls: BTreeMap<u32, Control>,
    /// Open workers that have a rate.
    pub rated: u32,
    /// The last key of a control.
    pub last_control: u32,
    /// Starts at the rates that count over its workers.
    pub paces: Paces,
    /// When a worker may start something again that its rate kept from it.
    pub paced_until: Timestamp,
    /// Messages that are wanted of a remote ledger, as was told last.
    pub wanted: Option<u32>,
    /// The remote ledger had less than was wanted.
    pub is_dry: bool,
    /// Ends of manual leases.
    pub lease_ends: BTreeSet<(Timestamp, u64)>,
    /// When to look at handlers that are limited.
    pub alarms: BTreeSet<(Timestamp, u64)>,
}

impl Desk {
    /// Whether its workers take all alike.
    #[must_use]
    pub fn limits_nothing(&self) -> bool {
        self.controls.is_empty() && self.rated == 0
    }

    /// When time alone changes something here.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        let first = |set: &BTreeSet<_>| set.first().map_or(Timestamp::NEVER, |(until, _)| *until);
        let lease_end = first(&self.lease_ends).min(first(&self.alarms));
        let valves = self.controls.values().map(Control::next_change);
        let paced = (self.paced_until > Timestamp(0)).then_some(self.paced_until);
        valves.chain(paced).fold(lease_end, Timestamp::min)
    }

    /// A worker may start nothing before this instant.
    pub fn wait_for_rate(&mut self, until: Timestamp) {
        let sooner = self.paced_until == Timestamp(0) || until < self.paced_until;
        if sooner {
            self.paced_until = until;
        }
    }
}
