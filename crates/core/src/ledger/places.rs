//! Where in the journal the records of messages, deaths and ids stand, and how much of each segment
//! lives.

use super::message::NONE;
use super::{Ledger, Note, stored_bytes};
use crate::journal::Place;

impl Ledger {
    /// A record has its place in a frame now.
    pub fn place(&mut self, note: Note, place: Place) {
        match note {
            Note::None => {}
            Note::Accepted { slot, number }
            | Note::Owed { slot, number }
            | Note::Moved { slot, number }
            | Note::TakenBack { slot, number }
            | Note::Edited { slot, number } => {
                if self.is_tenant(slot, number) {
                    self.place_message(slot, place);
                }
            }
            Note::Death { slot, sequence } => self.place_death(slot, sequence, place),
            Note::Entry { entry, number } => self.place_entry(entry, number, place),
            Note::Producer { producer } => self.place_producer(producer, place),
            Note::Step { key, number, index } | Note::MovedStep { key, number, index } => {
                self.place_step(key, number, index, place);
            }
            Note::Circuit { circuit } => self.place_circuit(circuit, place),
            Note::Inbox { key, .. } => self.inbox.note_durable(key),
            Note::Hold { hold } => self.place_hold(hold, place),
        }
    }

    /// Whether a slot still holds the message that died this death.
    #[must_use]
    pub fn is_death(&self, slot: u32, sequence: u64) -> bool {
        let death = self
            .messages
            .get(slot)
            .and_then(|message| message.death.as_ref());
        death.is_some_and(|death| death.sequence == sequence)
    }

    pub(super) fn place_death(&mut self, slot: u32, sequence: u64, place: Place) {
        if !self.is_death(slot, sequence) {
            return;
        }
        let message = &mut self.messages[slot];
        let death = message.death.as_mut().expect("checked above");
        let old = std::mem::replace(&mut death.place, place);
        if old != message.place {
            self.live_bytes -= stored_bytes(old);
        }
        self.live_bytes += stored_bytes(place);
    }

    pub(super) fn place_message(&mut self, slot: u32, place: Place) {
        if self.messages[slot].is_placed() {
            self.chain.unlink(&mut self.messages, slot);
        }
        let message = &mut self.messages[slot];
        self.live_bytes -= stored_bytes(message.place);
        if let Some(death) = &mut message.death {
            if death.place != message.place {
                self.live_bytes -= stored_bytes(death.place);
            }
            death.place = place;
        }
        message.place = place;
        message.moving = false;
        self.live_bytes += stored_bytes(place);
        self.chain.push_back(&mut self.messages, slot);
    }

    pub(super) fn place_entry(&mut self, entry: u32, number: u64, place: Place) {
        if self.dedup.finished_number(entry) == Some(number) {
            self.live_bytes -= stored_bytes(self.dedup.place(entry));
            self.dedup.set_place(entry, place);
            self.live_bytes += stored_bytes(place);
        }
    }

    /// Forgets a dedup entry.
    pub fn drop_entry(&mut self, entry: u32) {
        if entry != NONE {
            self.forget_history(entry);
            self.live_bytes -= stored_bytes(self.dedup.place(entry));
            let removed = self.dedup.remove(entry);
            self.note_change(removed.queue());
        }
    }
}
