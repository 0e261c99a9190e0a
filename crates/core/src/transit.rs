//! Messages of a remote ledger on their way: claimed for an engine, and back with what became of them.

use crate::command::{QueueId, Reason, Ticket, Token};
use crate::time::Timestamp;

/// A message of a remote ledger, claimed for this engine.
#[derive(Clone, Debug)]
pub struct Claimed<'a> {
    /// Its fencing number, which no other claim of any queue has: later ones have higher ones.
    pub token: Token,
    /// Where it is.
    pub queue: QueueId,
    /// Its identity.
    pub id: &'a str,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How often a lease of it ran out since an attempt ended otherwise.
    pub deaths: u32,
    /// At most so many attempts; `u32::MAX` is without limit.
    pub max_attempts: u32,
    /// Higher first.
    pub priority: u8,
    /// When it was accepted.
    pub enqueued_at: Timestamp,
    /// When its first delivery was claimed.
    pub first_delivery: Timestamp,
    /// No delivery starts after.
    pub deadline: Timestamp,
    /// Ordering key, empty for none.
    pub group: &'a str,
    /// What it goes to, empty for none.
    pub destination: &'a str,
    /// Encoded by the host, opaque here.
    pub headers: &'a [u8],
    /// Encoded by the host, opaque here.
    pub body: &'a [u8],
}

/// What became of one claimed message.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Of its claim.
    pub token: Token,
    /// On whose behalf; 0: nobody waits for the answer.
    pub ticket: Ticket,
    /// All settlements of this ticket are carried out together, or none.
    pub in_unit: bool,
    /// What became of it.
    pub fate: Fate,
}

/// How a claimed message goes back, or ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Its handling succeeded, with this result.
    Completed(Box<[u8]>),
    /// It waits again.
    Again {
        /// Until then.
        due: Timestamp,
        /// The attempt counts.
        costs_attempt: bool,
        /// How the attempt ended.
        reason: Reason,
        /// Encoded error.
        error: Box<[u8]>,
    },
    /// It is a dead letter.
    Dead {
        /// Why.
        reason: Reason,
        /// Encoded error.
        error: Box<[u8]>,
    },
    /// Nobody saw it: it waits again at once, and the claim was no attempt.
    Returned,
}

impl Fate {
    /// Of result or error.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Completed(bytes) => bytes.len(),
            Self::Again { error, .. } | Self::Dead { error, .. } => error.len(),
            Self::Returned => 0,
        }
    }
}
