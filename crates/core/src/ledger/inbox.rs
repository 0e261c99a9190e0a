//! What was moved in from the inbox of the host: one number.
//!
//! A host that shares a box keeps what others leave for it under keys that only grow, and moves it in their
//! order. The record of a move is in one frame with its messages, so whoever recovers knows what may be
//! removed from the inbox, and moves the rest.

use super::Ledger;
use super::recorder::{Note, Recorder};
use crate::journal::Record;

/// How far the inbox was moved in.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// All up to this key, some of it not durable yet.
    moved: u64,
    /// All up to this key, durably.
    durable: u64,
}

impl Inbox {
    /// The record of a move is durable.
    pub(super) fn note_durable(&mut self, key: u64) {
        self.durable = self.durable.max(key);
    }
}

impl Ledger {
    /// The key that was moved in last; 0 for none.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.inbox.moved
    }

    /// What was kept under this key is moved in, in the frame of what was written just now.
    pub fn note_moved(&mut self, key: u64, refused: bool, out: &mut impl Recorder) {
        let note = Note::Inbox { key, refused };
        out.write(&Record::Moved { key }, note);
        self.inbox.moved = key;
    }

    /// What was moved in and is not durable is in the inbox still.
    pub fn take_moved_back(&mut self) {
        self.inbox.moved = self.inbox.durable;
    }

    /// Whether the record of a move must not be staged again: a segment that begins later tells it, or
    /// what it moved in was taken back (`refuses`). What became a dead letter stays.
    pub fn is_moved_no_more(&mut self, record: &Record<'_>, note: Note, refuses: bool) -> bool {
        match (record, note) {
            (Record::Moved { .. }, Note::None) => true,
            (_, Note::Inbox { refused: false, .. }) => refuses,
            (_, Note::Inbox { key, refused: true }) => {
                self.inbox.moved = self.inbox.moved.max(key);
                false
            }
            _ => false,
        }
    }

    /// Writes how far was moved in before this segment, as far as that is durable: what is behind it has
    /// a record of its own.
    pub(super) fn write_moved(&self, out: &mut impl Recorder) {
        let key = self.inbox.durable;
        if key > 0 && !bug!("forget-moved-rows") {
            out.write(&Record::Moved { key }, Note::None);
        }
    }

    pub(super) fn replay_moved(&mut self, key: u64) {
        self.inbox.note_durable(key);
        self.inbox.moved = self.inbox.durable;
    }
}
