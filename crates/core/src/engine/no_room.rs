//! When a storage has no room for what can wait: claims are forgotten, all else is tried again.
//!
//! Claims end without a trace, at no cost: their starts never were in the journal, and nobody has seen
//! their messages. (Those of at-most-once stay staged, as settlements that nobody was told of.) Until
//! there is room nothing is claimed anew. What else was written stays staged, with those who wait for
//! it: a pause, a purge, what time did, a transaction that settles and enqueues. It goes with the next
//! enqueue or settlement, and by itself once every [`RETRY_MS`].

use std::collections::BTreeSet;

use super::Engine;
use super::staging::{Gate, Retracted};
use crate::command::{Ticket, Token};
use crate::effect::{Answer, Effect};
use crate::journal::Record;
use crate::ledger::Note;
use crate::time::Timestamp;

/// How often a storage without room is asked again.
const RETRY_MS: u64 = 1_000;

/// Whether there is room in the storage, as far as is known.
#[derive(Debug)]
pub(super) struct Room {
    /// The last append found none.
    is_short: bool,
    /// It is asked again then, and nothing is claimed before; never if nothing waits for that.
    next_try: Timestamp,
    /// What found none settles deliveries, and may be on hold.
    keeps_settlements: bool,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            is_short: false,
            next_try: Timestamp::NEVER,
            keeps_settlements: false,
        }
    }
}

impl Room {
    /// Whether nothing is to be claimed.
    pub(super) fn is_awaited(&self) -> bool {
        self.next_try != Timestamp::NEVER
    }

    /// When it is asked again.
    pub(super) fn next_try(&self) -> Timestamp {
        self.next_try
    }

    /// An append found none; `settlements`: ends of deliveries that belong to no transaction were in it.
    pub(super) fn keep(&mut self, settlements: bool) {
        self.keeps_settlements = settlements;
    }

    /// An append found room.
    pub(super) fn found(&mut self) {
        *self = Self::default();
    }
}

impl Engine {
    /// Forgets the claims whose starts wait for the journal, and takes these out of what waits.
    pub(super) fn retract_claims(&mut self, frames: &mut [Retracted]) {
        let mut forgotten = BTreeSet::new();
        for gate in frames.iter().flat_map(|frame| &frame.gates) {
            let Gate::Started(token) = gate else { continue };
            let lease = self.leases.get(*token);
            if let Some(slot) = lease.and_then(|lease| lease.slot) {
                self.forget_claim(*token);
                self.ledger.unlease(slot);
                self.ledger.messages[slot].moving = false;
                self.ledger.retract_start(slot, self.now);
                self.ledger.enter(slot, self.now);
                self.promote_group_of(slot);
                forgotten.insert(*token);
            }
        }
        for frame in frames {
            frame.drop_starts(&forgotten);
        }
    }

    /// Nothing is claimed until there is room; `hold`: what is staged is not tried before, either.
    pub(super) fn wait_for_room(&mut self, hold: bool) {
        if !std::mem::replace(&mut self.room.is_short, true) {
            let message = "the storage has no room: deliveries and changes wait until it has";
            self.warn(None, message.to_owned());
        }
        self.room.next_try = self.now.plus(RETRY_MS);
        self.commit.hold(hold);
    }

    /// The box is being closed: what was done must be written, or the closing fails.
    pub(super) fn settle_before_closing(&mut self) {
        if self.room.keeps_settlements {
            self.commit.hold(false);
        }
    }

    /// Lets what waits for room be tried again, once in a while.
    pub(super) fn look_for_room(&mut self) {
        if self.room.next_try <= self.now {
            self.room.next_try = Timestamp::NEVER;
            self.commit.hold(false);
        }
    }
}

impl Retracted {
    /// Whether it holds the end of a delivery that somebody has seen.
    pub(super) fn settles(&self) -> bool {
        self.settlements() > 0
    }

    /// Whether one of these ends belongs to no transaction that enqueues as well.
    pub(super) fn settles_alone(&self) -> bool {
        let receipt = |gate: &Gate| match gate {
            Gate::Effect(Effect::Receipt { ticket, .. }) => Some(*ticket),
            _ => None,
        };
        let units: BTreeSet<Ticket> = self.gates.iter().filter_map(receipt).collect();
        let in_units = self.gates.iter().map(|gate| match gate {
            Gate::Effect(Effect::Reply {
                ticket,
                result: Ok(Answer::Value(settled)),
            }) if units.contains(ticket) => *settled,
            _ => 0,
        });
        self.settlements() > in_units.sum()
    }

    fn settlements(&self) -> u64 {
        let is_settlement = |(_, payload): &&(Note, Vec<u8>)| {
            let record = Record::decode(payload).expect("it was encoded by this run");
            matches!(
                record,
                Record::Completed {
                    handed_over: false,
                    ..
                } | Record::Retried { .. }
                    | Record::Dead {
                        attempt: Some(_),
                        ..
                    }
            )
        };
        self.records.iter().filter(is_settlement).count() as u64
    }

    /// Whether it holds a message that stands or falls with what became of another one.
    pub(super) fn owes(&self) -> bool {
        let is_owed = |(note, _): &(Note, _)| matches!(note, Note::Owed { .. });
        self.records.iter().any(is_owed)
    }

    /// Takes out the starts of claims that are nobody's any more.
    fn drop_starts(&mut self, forgotten: &BTreeSet<Token>) {
        self.records.retain(|(_, payload)| {
            let record = Record::decode(payload).expect("it was encoded by this run");
            !matches!(record, Record::Started { token, .. } if forgotten.contains(&Token(token)))
        });
        self.gates
            .retain(|gate| !matches!(gate, Gate::Started(token) if forgotten.contains(token)));
    }
}
