//! When an append failed *clean*: the storage found no room and wrote nothing.
//!
//! What the append would have accepted is refused, together with everything that depends on it: its
//! duplicates, its claims, whatever was enqueued in one unit with it. All else is staged again:
//! settlements are tried again at once, with what a transaction enqueues along with them; housekeeping
//! when something else is written. When an append without a message to refuse held settlements, and
//! those found no room, the run ends, unless messages came along with them: those need more room than is
//! kept for settlements, and all of it waits. The run also ends when a transaction depends on what is
//! refused: the deliveries that it ended cannot be opened again; and when a box is closed without room for
//! settlements that nobody waits for. For all else see [`super::no_room`].

use std::collections::BTreeSet;

use super::Engine;
use super::editing::Edited;
use super::moving_in::moves;
use super::staging::{Gate, Retracted};
use super::unproducing::{messages_of, produced, producers_of};
use crate::command::{Ticket, Token};
use crate::effect::{Answer, Effect};
use crate::error::{ErrorCode, Failure};
use crate::journal::Record;
use crate::ledger::Note;

impl Engine {
    /// Takes the append in flight back.
    pub(super) fn retract_append(&mut self) {
        let mut frames = self.commit.retract();
        let gone = gone_with(&frames);
        let edits = frames[0].edits().next().is_some();
        let can_unedit = |edited: &Edited| self.can_unedit(edited);
        // Deaths are counted in records, so a message whose death is written cannot be taken back.
        let refuses_nothing = gone.is_empty() && !edits;
        let is_closing = self.closing.is_some();
        let is_final = if refuses_nothing {
            let waits = frames[0].owes() && !(is_closing && frames[0].settles_alone());
            frames[0].settles() && !waits
        } else {
            let mut edited = frames.iter().flat_map(Retracted::edits);
            has_died(&frames, &gone)
                || settles_with(&frames, &gone)
                || (edits && !edited.all(can_unedit))
        };
        if is_final {
            self.stage_again(frames, &BTreeSet::new());
            return self.fail_storage("the storage has no room even for settlements");
        }
        if edits {
            self.unedit(frames.iter_mut().flat_map(Retracted::take_edits).collect());
        }
        if refuses_moves(&frames, &refused_with(&frames, &gone)) {
            self.ledger.take_moved_back();
        }
        self.take_produced_back(&frames, &producers_of(&frames, &gone));
        self.forget_leases_of(&gone);
        for number in gone.iter().rev() {
            if let Some(slot) = self.ledger.by_number(*number) {
                self.unawait_message(slot);
                self.ledger.retract(slot, self.now);
            }
        }
        if !gone.is_empty() {
            self.ledger.retract_ends(|number| gone.contains(&number));
        }
        self.cleaning.wait_for_room();
        if refuses_nothing && frames[0].is_awaited() {
            self.retract_claims(&mut frames);
            let urgent = |frame: &Retracted| frame.settles() || frame.accepted().next().is_some();
            let hold = frames[0].owes() || !frames.iter().any(urgent);
            self.room.keep(frames.iter().any(Retracted::settles_alone));
            self.stage_again(frames, &gone);
            return self.wait_for_room(hold);
        }
        // Nobody may wait for a settlement, but whoever closes the box relies on it.
        let settles = frames.iter().any(Retracted::settles_alone);
        self.stage_again(frames, &gone);
        self.room.keep(settles);
        if !(settles && is_closing) {
            self.commit.hold_if_unawaited();
        }
    }

    /// A message that is taken back may have been claimed, or even settled (at-most-once).
    fn forget_leases_of(&mut self, gone: &BTreeSet<u64>) {
        let mut tokens: Vec<Token> = gone
            .iter()
            .filter_map(|number| self.ledger.last_token_of(*number))
            .collect();
        tokens.sort_unstable();
        for token in tokens {
            let Some(lease) = self.forget_claim(token) else {
                continue;
            };
            if lease.handed_over {
                self.unawait_handed_over(lease.queue, lease.number);
                self.ledger.retract_handed_over(lease.number);
                self.end_hand_over(&lease);
            }
        }
    }

    /// Stages frames anew without the messages that were taken back, and without what cleaning moved:
    /// that is still where it was.
    fn stage_again(&mut self, frames: Vec<Retracted>, gone: &BTreeSet<u64>) {
        let refused: BTreeSet<Ticket> = refused_with(&frames, gone);
        let producers = producers_of(&frames, gone);
        let takes_moved_back = refuses_moves(&frames, &refused);
        let mut told = BTreeSet::new();
        for frame in frames {
            self.commit.begin_again();
            for (note, payload) in &frame.records {
                let record = Record::decode(payload).expect("it was encoded by this run");
                if let Some(slot) = self.is_still_there(&record, *note) {
                    self.ledger.messages[slot].moving = false;
                } else if let Note::MovedStep { key, number, index } = *note {
                    // Its old record is as good.
                    if self.ledger.is_step(key, number, index) {
                        self.ledger.leave_step(key);
                    }
                } else if let Record::Produced { producer, .. } = record
                    && producers.contains(&producer)
                {
                    // It was never accepted.
                } else if let Record::Producer { producer, .. } = record
                    && producers.contains(&producer)
                {
                    self.ledger.write_producer(producer, &mut self.commit);
                } else if self
                    .ledger
                    .is_moved_no_more(&record, *note, takes_moved_back)
                {
                    // It is still in the inbox, or a segment that begins next tells it.
                } else if matches!(record, Record::Opens(_)) {
                    // The segment that begins next gets a new list.
                } else if !number_of(&record).is_some_and(|number| gone.contains(&number)) {
                    self.commit.write_again(&record, *note);
                }
            }
            for gate in frame.gates {
                if let Gate::Emptied(segment) = gate
                    && self.commit.is_last(segment)
                {
                    // The one that would have followed was never begun: this one is written to again.
                    self.cleaning.keep(segment);
                    continue;
                }
                let gate = self.refuse_produced(gate, &producers);
                match gate.and_then(|gate| self.refuse_gone(gate, gone, &refused, &mut told)) {
                    Some(Gate::Started(token)) if self.leases.get(token).is_none() => {}
                    Some(gate) => {
                        if let Some(gate) = self.commit.gate(gate) {
                            self.open_gate(gate);
                        }
                    }
                    None => {}
                }
            }
        }
    }

    /// The slot of a message that was only moved: its old record is as good. (That of a dead letter
    /// may be the only one of its death.)
    fn is_still_there(&self, record: &Record<'_>, note: Note) -> Option<u32> {
        match (record, note) {
            (Record::Message(message), Note::Moved { slot, number }) if message.death.is_none() => {
                self.ledger.is_tenant(slot, number).then_some(slot)
            }
            _ => None,
        }
    }

    /// Refuses a message that was accepted, for the want of room.
    pub(super) fn refuse_for_room(&mut self, ticket: Ticket, id: &str) {
        let message = "the storage is full: the message was not accepted";
        // A generated id must not be used again: it would count as accepted.
        let is_given = !id.is_empty() && !self.ledger.is_generated(id);
        let failure = Failure {
            id: is_given.then(|| id.to_owned()),
            ..Failure::new(ErrorCode::StorageFull, message)
        };
        self.output.push_back(Effect::Reply {
            ticket,
            result: Err(failure),
        });
    }

    /// Turns the receipts of a unit of which something was taken back into one refusal.
    fn refuse_gone(
        &mut self,
        gate: Gate,
        gone: &BTreeSet<u64>,
        refused: &BTreeSet<Ticket>,
        told: &mut BTreeSet<Ticket>,
    ) -> Option<Gate> {
        match gate {
            Gate::Effect(Effect::Receipt { ticket, id, .. }) if refused.contains(&ticket) => {
                if told.insert(ticket) {
                    self.refuse_for_room(ticket, &id);
                }
                None
            }
            // A transaction without settlements: its receipts told.
            Gate::Effect(Effect::Reply { ticket, .. }) if refused.contains(&ticket) => None,
            // One that had nothing but duplicates, or no messages at all.
            Gate::MovedIn(ticket) if refused.contains(&ticket) => {
                if told.insert(ticket) {
                    self.refuse_for_room(ticket, "");
                }
                None
            }
            Gate::Effect(Effect::Event(event))
                if event.number != 0 && gone.contains(&event.number) =>
            {
                None
            }
            Gate::Ended(ended) if gone.contains(&ended.number) => {
                self.unended(*ended);
                None
            }
            gate => Some(gate),
        }
    }
}

/// The messages that are refused: those that the failed frame would have accepted, and with each of
/// them whatever was enqueued in one unit with it or with a duplicate of it.
fn gone_with(frames: &[Retracted]) -> BTreeSet<u64> {
    let mut gone: BTreeSet<u64> = frames[0].accepted().collect();
    loop {
        let before = gone.len();
        let refused = refused_with(frames, &gone);
        let taken_back = receipts(frames)
            .filter(|(ticket, _, duplicate)| !duplicate && refused.contains(ticket));
        gone.extend(taken_back.map(|(_, number, _)| number));
        let producers = producers_of(frames, &gone);
        gone.extend(messages_of(frames, &producers));
        if gone.len() == before {
            return gone;
        }
    }
}

/// Whether the death of a message that is refused was written, even if it lives again.
fn has_died(frames: &[Retracted], gone: &BTreeSet<u64>) -> bool {
    let records = frames.iter().flat_map(|frame| &frame.records);
    records
        .map(|(_, payload)| Record::decode(payload).expect("it was encoded by this run"))
        .any(|record| matches!(record, Record::Dead { number, .. } if gone.contains(&number)))
}

/// Whether a transaction that settled something depends on a message that is refused: told a duplicate of
/// it.
fn settles_with(frames: &[Retracted], gone: &BTreeSet<u64>) -> bool {
    let refused = refused_with(frames, gone);
    let gates = frames.iter().flat_map(|frame| &frame.gates);
    gates
        .filter_map(|gate| match gate {
            Gate::Effect(Effect::Reply {
                ticket,
                result: Ok(Answer::Value(settled)),
            }) => Some((ticket, *settled)),
            _ => None,
        })
        .any(|(ticket, settled)| settled > 0 && refused.contains(ticket))
}

/// The tickets that wait for something that is gone.
fn refused_with(frames: &[Retracted], gone: &BTreeSet<u64>) -> BTreeSet<Ticket> {
    let refused = receipts(frames).filter(|(_, number, _)| gone.contains(number));
    let mut refused: BTreeSet<Ticket> = refused.map(|(ticket, ..)| ticket).collect();
    if refuses_moves(frames, &refused) {
        refused.extend(moves(frames));
    }
    refused
}

/// Whether something that was moved in is refused, be it for a duplicate of what is gone.
fn refuses_moves(frames: &[Retracted], refused: &BTreeSet<Ticket>) -> bool {
    moves(frames).any(|ticket| refused.contains(&ticket))
}

/// Ticket, message and whether it is a duplicate of every receipt that waits.
fn receipts(frames: &[Retracted]) -> impl Iterator<Item = (Ticket, u64, bool)> {
    let numbered = produced(frames);
    let gates = frames.iter().flat_map(|frame| &frame.gates);
    gates
        .filter_map(|gate| match gate {
            Gate::Effect(Effect::Receipt {
                ticket,
                number,
                duplicate,
                ..
            }) => Some((*ticket, *number, *duplicate)),
            _ => None,
        })
        .chain(numbered.map(|told| (told.ticket, told.number, told.duplicate)))
}

impl Retracted {
    /// The edits of dead letters that wait for it.
    fn edits(&self) -> impl Iterator<Item = &Edited> {
        self.gates.iter().filter_map(|gate| match gate {
            Gate::Edited(edited) => Some(edited),
            _ => None,
        })
    }

    /// Takes these edits out, with their records.
    fn take_edits(&mut self) -> Vec<Edited> {
        let edits = self.edits().copied().collect();
        self.gates.retain(|gate| !matches!(gate, Gate::Edited(_)));
        self.records
            .retain(|(note, _)| !matches!(note, Note::Edited { .. }));
        edits
    }

    /// The messages that it would have accepted.
    fn accepted(&self) -> impl Iterator<Item = u64> {
        self.records.iter().filter_map(|(note, _)| match note {
            Note::Accepted { number, .. } => Some(*number),
            _ => None,
        })
    }

    /// Whether it holds more than housekeeping that can wait.
    fn is_awaited(&self) -> bool {
        let can_wait = |(note, payload): &(Note, Vec<u8>)| {
            let is_kept_elsewhere = matches!(
                Record::decode(payload),
                Ok(Record::Opened { .. }
                    | Record::Opens(_)
                    | Record::Queue { .. }
                    | Record::Producer { .. }
                    | Record::Entry(_)
                    | Record::Circuit { .. }
                    | Record::Held { .. })
            );
            is_kept_elsewhere || matches!(note, Note::Moved { .. } | Note::MovedStep { .. })
        };
        self.gates.iter().any(Gate::is_awaited) || !self.records.iter().all(can_wait)
    }
}

/// The message that a record is about, if it is about one.
fn number_of(record: &Record<'_>) -> Option<u64> {
    Some(match record {
        Record::Message(message) => message.number,
        Record::Entry(entry) => entry.number,
        Record::Started { number, .. }
        | Record::Returned { number }
        | Record::Retried { number, .. }
        | Record::Completed { number, .. }
        | Record::Dead { number, .. }
        | Record::Cancelled { number }
        | Record::Removed { number }
        | Record::Revived { number, .. }
        | Record::Step { number, .. }
        | Record::Rescheduled { number, .. } => *number,
        Record::Opened { .. }
        | Record::Opens(_)
        | Record::Queue { .. }
        | Record::Producer { .. }
        | Record::Produced { .. }
        | Record::Moved { .. }
        | Record::Purged { .. }
        | Record::Redriven { .. }
        | Record::Forgotten { .. }
        | Record::Circuit { .. }
        | Record::Held { .. } => return None,
    })
}
