//! One unfinished or dead message as the ledger keeps it: everything but its bytes, which stay in
//! the journal and, while there is room, in memory.

use std::rc::Rc;

use crate::command::{MessageState, Reason};
use crate::journal::Place;
use crate::ledger::rank::Rank;
use crate::ledger::steps::StepList;
use crate::time::Timestamp;

/// "No slot", "no group", "no destination".
pub const NONE: u32 = u32::MAX;

/// Where a message stands inside the ledger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// In no set yet: being replayed, or held until the handler of an earlier delivery returns.
    Held,
    /// Waits for its time.
    Scheduled,
    /// May be claimed.
    Ready,
    /// Its time has come, but its group has another in front or in flight.
    Parked,
    /// Claimed.
    Leased,
    /// Dead letter.
    Dead,
}

/// A dead letter's death.
#[derive(Clone, Debug)]
pub struct Death {
    /// Counts all deaths of the box; orders dead letters.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The record with error and history; of length 0 while those are still in memory.
    pub place: Place,
    /// Whether it holds its group back.
    pub blocks: bool,
    /// Error and history are still in the message; else they are in the record at `place`.
    pub in_memory: bool,
}

/// An unfinished or dead message.
#[derive(Debug)]
pub struct Message {
    /// Its number in the box.
    pub number: u64,
    /// Orders it among equals of its priority or group.
    pub order: u64,
    /// When it was accepted.
    pub enqueued_at: Timestamp,
    /// Not delivered before.
    pub due: Timestamp,
    /// No delivery starts after.
    pub deadline: Timestamp,
    /// Start of the first counted delivery; 0 before it.
    pub first_delivery: Timestamp,
    /// Start of the delivery in flight.
    pub started_at: Timestamp,
    /// The caller's id; none for a generated one, which follows from number, time and opening.
    pub id: Option<Rc<str>>,
    /// Encoded past attempts.
    pub history: Vec<u8>,
    /// Set while dead.
    pub death: Option<Box<Death>>,
    /// What was recorded of its steps; none if nothing ever was.
    pub steps: Option<Box<StepList>>,
    /// The error of the death, until its record is durable.
    pub error: Box<[u8]>,
    /// The payload of its record, while it is kept in memory.
    pub content: Option<Rc<[u8]>>,
    /// Where its record is; length 0 while it has not been sealed into a frame.
    pub place: Place,
    /// Its queue.
    pub queue: u32,
    /// Its group in that queue.
    pub group: u32,
    /// Its destination in the box.
    pub destination: u32,
    /// Its entry in the deduplication index.
    pub entry: u32,
    /// Counted starts so far.
    pub attempt: u32,
    /// At most so many; `u32::MAX` for no limit.
    pub max_attempts: u32,
    /// How often its owner died while it was handled.
    pub deaths: u32,
    /// The opening of the box in which it was accepted.
    pub open: u32,
    /// Neighbours in journal order.
    pub previous: u32,
    /// Neighbours in journal order.
    pub next: u32,
    /// The token of its last delivery, 0 if there was none in this run.
    pub token: u64,
    /// Where it sits among the claimed.
    pub seat: u32,
    /// The queue's purge count when it last joined a set; lower than the queue's: purged.
    pub epoch: u32,
    /// Bytes that count against limits: id, headers and body.
    pub bytes: u32,
    /// Of a message whose id was generated: the checksum of its body. An id of the caller's has an entry
    /// with a fingerprint.
    pub body_checksum: u32,
    /// Higher first.
    pub priority: u8,
    /// Where it stands.
    pub standing: Standing,
    /// Died with its owner: runs alone.
    pub suspect: bool,
    /// Its content is on its way to be moved by cleaning.
    pub moving: bool,
    /// It was claimed of a remote ledger, and is that one's again.
    pub went_back: bool,
}

impl Message {
    /// A message with nothing known of it yet, held in no set.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            number: 0,
            order: 0,
            enqueued_at: Timestamp(0),
            due: Timestamp(0),
            deadline: Timestamp::NEVER,
            first_delivery: Timestamp(0),
            started_at: Timestamp(0),
            id: None,
            history: Vec::new(),
            death: None,
            steps: None,
            error: Box::default(),
            content: None,
            place: Place::default(),
            queue: 0,
            group: NONE,
            destination: NONE,
            entry: NONE,
            attempt: 0,
            max_attempts: u32::MAX,
            deaths: 0,
            open: 0,
            previous: NONE,
            next: NONE,
            token: 0,
            seat: NONE,
            epoch: 0,
            bytes: 0,
            body_checksum: 0,
            priority: 0,
            standing: Standing::Held,
            suspect: false,
            moving: false,
            went_back: false,
        }
    }

    /// The state as users see it.
    #[must_use]
    pub fn state(&self) -> MessageState {
        match self.standing {
            Standing::Held | Standing::Scheduled => MessageState::Scheduled,
            Standing::Ready | Standing::Parked => MessageState::Ready,
            Standing::Leased => MessageState::Leased,
            Standing::Dead => MessageState::Dead,
        }
    }

    /// Key among the claimable: higher priority first, then order.
    #[must_use]
    pub fn rank(&self) -> Rank {
        let priority = if bug!("ignore-priority") {
            0
        } else {
            self.priority
        };
        Rank::new(priority, self.order)
    }

    /// Whether the next start would be the last one allowed.
    #[must_use]
    pub fn is_on_last_attempt(&self) -> bool {
        self.attempt.saturating_add(1) >= self.max_attempts
    }

    /// The record with error and history of its death, if they must be read from there.
    #[must_use]
    pub fn details_place(&self) -> Option<Place> {
        let death = self.death.as_ref()?;
        (!death.in_memory && death.place != self.place).then_some(death.place)
    }

    /// The sequence of its death, if error and history of that must be read from its own record.
    #[must_use]
    pub fn death_elsewhere(&self) -> Option<u64> {
        self.details_place()?;
        self.death.as_ref().map(|death| death.sequence)
    }

    /// Whether its record has a place in the journal.
    #[must_use]
    pub fn is_placed(&self) -> bool {
        self.place.length > 0
    }
}
