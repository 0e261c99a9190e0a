//! The claimed messages of one queue.
//!
//! Every delivery goes through here, and nearly nobody asks for an order, so joining and leaving cost
//! a few steps, and whoever shows the messages sorts them.

use crate::ledger::message::{Message, NONE};
use crate::slab::Slab;

/// A set of messages, each of which knows its seat.
#[derive(Debug, Default)]
pub struct Roster {
    seats: Vec<u32>,
}

impl Roster {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// One of them.
    #[must_use]
    pub fn any(&self) -> Option<u32> {
        self.seats.last().copied()
    }

    /// All of them, in the order of their numbers.
    #[must_use]
    pub fn in_order(&self, messages: &Slab<Message>) -> Vec<u32> {
        let mut slots = self.seats.clone();
        slots.sort_unstable_by_key(|slot| messages[*slot].number);
        slots
    }

    /// Adds one that has no seat.
    pub(super) fn join(&mut self, messages: &mut Slab<Message>, slot: u32) {
        let seat = &mut messages[slot].seat;
        debug_assert_eq!(*seat, NONE, "seated twice");
        *seat = self.seats.len() as u32;
        self.seats.push(slot);
    }

    /// Takes one out; the last one gets its seat.
    pub(super) fn leave(&mut self, messages: &mut Slab<Message>, slot: u32) {
        let seat = std::mem::replace(&mut messages[slot].seat, NONE);
        let left = self.seats.swap_remove(seat as usize);
        debug_assert_eq!(left, slot, "a message sits where it does not");
        if let Some(&moved) = self.seats.get(seat as usize) {
            messages[moved].seat = seat;
        }
    }
}
