//! Everything that can have happened, one record each.
//!
//! A field that is documented as opaque belongs to the ledger.

use super::attempt::AttemptRecord;
use super::entry::{EntryKey, EntryRecord};
use super::message::MessageRecord;

/// How a message goes to another queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// That queue.
    pub queue: u32,
    /// Under which deduplication knows it there; 0: its id is not taken.
    pub fingerprint: u64,
}

/// What a step gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StepResult<'a> {
    /// An encoded value.
    Value(&'a [u8]),
    /// Nothing.
    Nothing,
    /// Its record was found damaged when it was moved; this is what was left of it.
    Damaged(&'a [u8]),
}

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record<'a> {
    /// First record of a run. All leases of the run before ended.
    Opened {
        /// Its number, which no other known run has.
        open: u32,
        /// Last message number of the run before.
        last_number: u64,
        /// No token up to this one is given in this run.
        last_token: u64,
    },
    /// All known runs in their order, each with the last message number of the one before; every
    /// segment begins with them.
    Opens(Vec<(u32, u64)>),
    /// A queue was defined, or changed.
    Queue {
        /// Its number, from 0.
        queue: u32,
        /// Nothing of it is delivered.
        paused: bool,
        /// Its name.
        name: &'a str,
        /// Opaque.
        options: &'a [u8],
    },
    /// A message was accepted, or moved by cleaning, then with its whole state.
    Message(MessageRecord<'a>),
    /// A delivery started.
    Started {
        /// Of this message.
        number: u64,
        /// Of its lease.
        token: u64,
    },
    /// A start was taken back, without cost.
    Returned {
        /// Of this message.
        number: u64,
    },
    /// A delivery failed and the message waits again.
    Retried {
        /// The message.
        number: u64,
        /// Not delivered again before, in ms.
        due: u64,
        /// The delivery counts as an attempt.
        costs: bool,
        /// How the delivery ended.
        attempt: AttemptRecord<'a>,
    },
    /// A message is done.
    Completed {
        /// The message.
        number: u64,
        /// At most once: settled before its handler starts.
        handed_over: bool,
        /// What deduplication remembers of it.
        entry: Option<EntryKey>,
        /// Which attempt it was done with. Default: 0, not told.
        attempt: u32,
        /// The attempts before: [`AttemptRecord`]s in a row. Default: empty, not kept.
        history: &'a [u8],
        /// Encoded result, empty for none.
        result: &'a [u8],
    },
    /// A message became a dead letter.
    Dead {
        /// The message.
        number: u64,
        /// Why, as [`crate::command::Reason`].
        reason: u8,
        /// The last attempt, none if it died without one.
        attempt: Option<AttemptRecord<'a>>,
        /// Encoded error, empty for none.
        error: &'a [u8],
        /// The whole history: [`AttemptRecord`]s in a row.
        history: &'a [u8],
    },
    /// A message was withdrawn.
    Cancelled {
        /// The message.
        number: u64,
    },
    /// A dead letter was removed.
    Removed {
        /// The message.
        number: u64,
    },
    /// A waiting message got another time.
    Rescheduled {
        /// The message.
        number: u64,
        /// Not delivered before, in ms.
        due: u64,
    },
    /// All waiting messages of a queue were dropped.
    Purged {
        /// The queue.
        queue: u32,
        /// Those accepted later are not meant.
        last_number: u64,
    },
    /// Dead letters of a queue wait again.
    Redriven {
        /// The queue.
        queue: u32,
        /// Which ones; opaque.
        filter: &'a [u8],
        /// Those that died later are not meant.
        last_death: u64,
        /// Each of them gets this plus the sequence of its death as its order.
        first_order: u64,
        /// Their recorded steps are forgotten.
        forget_steps: bool,
    },
    /// A dead letter waits again.
    Revived {
        /// The message.
        number: u64,
        /// Its order from now on, unless it keeps its place in its group.
        order: u64,
        /// The queue that it waits in, if that is another one than it died in.
        to: Option<Transfer>,
        /// Its recorded steps are forgotten.
        forget_steps: bool,
    },
    /// An id is free again.
    Forgotten {
        /// Its queue.
        queue: u32,
        /// Its hash.
        hash: u128,
    },
    /// A producer was opened, or moved by cleaning.
    Producer {
        /// Its number, from 0.
        producer: u32,
        /// How often it was opened.
        epoch: u64,
        /// All sequences up to this one were accepted.
        watermark: u64,
        /// Its name.
        name: &'a str,
        /// Opaque: which were accepted beyond it.
        ahead: &'a [u8],
    },
    /// A sequence of a producer was accepted.
    Produced {
        /// The producer.
        producer: u32,
        /// From 1.
        sequence: u64,
    },
    /// What deduplication remembers of a finished message, moved by cleaning.
    Entry(EntryRecord<'a>),
    /// A step of a message was recorded, or moved by cleaning.
    Step {
        /// The message.
        number: u64,
        /// Its place among the steps of the message, from 0; none is given twice.
        index: u32,
        /// Its name, which no other step of the message has that is not forgotten.
        name: &'a str,
        /// What it gave.
        result: StepResult<'a>,
    },
    /// A circuit changed its state, or was moved by cleaning.
    Circuit {
        /// The queue.
        queue: u32,
        /// The name of the workers.
        worker: &'a str,
        /// The destination, empty for messages without one.
        destination: &'a str,
        /// Opaque; empty: nothing is to be remembered.
        state: &'a [u8],
    },
    /// Something is held back for a while, or that was moved by cleaning.
    Held {
        /// The queue.
        queue: u32,
        /// The name of the workers, empty for the queue as a whole.
        worker: &'a str,
        /// The destination, empty for messages without one and for the workers as a whole.
        destination: &'a str,
        /// When it was like this, in ms.
        since: u64,
        /// The destination wants nothing before, in ms; 0 if it did not say.
        until: u64,
        /// When the next start would be due if all were spread evenly, in ms; 0 without a rate.
        paced: u64,
    },
    /// What the host keeps in its inbox was moved into the journal.
    Moved {
        /// All up to this key were; keys that are not known never come back.
        key: u64,
    },
}
