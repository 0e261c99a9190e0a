//! All placed messages in the order of their records in the journal.
//!
//! A record is only ever added at the journal's end, so the list stays sorted by itself, and its
//! head names the oldest segment that holds a living message.

use crate::ledger::message::{Message, NONE};
use crate::slab::Slab;

/// An intrusive doubly linked list over the message slab.
#[derive(Debug)]
pub(super) struct Chain {
    head: u32,
    tail: u32,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            head: NONE,
            tail: NONE,
        }
    }
}

impl Chain {
    /// The oldest record.
    #[must_use]
    pub(super) fn head(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// The record after this one.
    #[must_use]
    pub(super) fn next(&self, messages: &Slab<Message>, slot: u32) -> Option<u32> {
        let next = messages[slot].next;
        (next != NONE).then_some(next)
    }

    /// Adds the newest record.
    pub(super) fn push_back(&mut self, messages: &mut Slab<Message>, slot: u32) {
        let message = &mut messages[slot];
        (message.previous, message.next) = (self.tail, NONE);
        if self.tail == NONE {
            self.head = slot;
        } else {
            messages[self.tail].next = slot;
        }
        self.tail = slot;
    }

    /// Takes a record out.
    pub(super) fn unlink(&mut self, messages: &mut Slab<Message>, slot: u32) {
        let (previous, next) = (messages[slot].previous, messages[slot].next);
        if previous == NONE {
            self.head = next;
        } else {
            messages[previous].next = next;
        }
        if next == NONE {
            self.tail = previous;
        } else {
            messages[next].previous = previous;
        }
        let message = &mut messages[slot];
        (message.previous, message.next) = (NONE, NONE);
    }
}
