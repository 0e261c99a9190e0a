//! Where the ledger writes its records, and what it wants to be told of them.

use crate::journal::Record;

/// What a record holds that its owner must be able to find again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// Nothing that is read back.
    None,
    /// A message that was accepted just now.
    Accepted {
        /// Its slot.
        slot: u32,
        /// Its number: the slot may have another tenant by the time the record has a place.
        number: u64,
    },
    /// A message that was accepted together with what became of another one, and stands or falls with it:
    /// nobody can be refused it alone.
    Owed {
        /// Its slot.
        slot: u32,
        /// Its number.
        number: u64,
    },
    /// A message that cleaning writes again.
    Moved {
        /// Its slot.
        slot: u32,
        /// Its number.
        number: u64,
    },
    /// A message that is written again behind its completion, since nobody saw its delivery.
    TakenBack {
        /// Its slot.
        slot: u32,
        /// Its number.
        number: u64,
    },
    /// A dead letter whose content was edited.
    Edited {
        /// Its slot.
        slot: u32,
        /// Its number.
        number: u64,
    },
    /// The death of a message, with error and history.
    Death {
        /// Its slot.
        slot: u32,
        /// The death's sequence: the message may have died again by the time the record has a place.
        sequence: u64,
    },
    /// The whole state of a producer.
    Producer {
        /// Its number.
        producer: u32,
    },
    /// A finished entry of the deduplication index.
    Entry {
        /// The entry.
        entry: u32,
        /// The number of its message.
        number: u64,
    },
    /// A step that was recorded just now.
    Step {
        /// Its key.
        key: u32,
        /// The number of its message: the key may have another tenant by the time the record has a place.
        number: u64,
        /// Among the steps of its message.
        index: u32,
    },
    /// A step that cleaning writes again.
    MovedStep {
        /// Its key.
        key: u32,
        /// The number of its message.
        number: u64,
        /// Among the steps of its message.
        index: u32,
    },
    /// A saved circuit.
    Circuit {
        /// Which one; no other one ever has this number.
        circuit: u64,
    },
    /// That something was moved in from the host's inbox.
    Inbox {
        /// Its key.
        key: u64,
        /// It is a dead letter: who left it was told that it is kept.
        refused: bool,
    },
    /// What is held back for a while.
    Hold {
        /// Which one; no other one ever has this number.
        hold: u64,
    },
}

/// Takes records in order. What is written together with no commit between becomes durable
/// together.
pub trait Recorder {
    /// Adds one record.
    fn write(&mut self, record: &Record<'_>, note: Note);

    /// The payload of the record that was written last.
    fn last_payload(&self) -> &[u8];
}
