//! Who waits for messages to end.
//!
//! A wait hangs on its message. As long as there is no message with its id it hangs on the id, and goes
//! over to the message that is accepted under it.

use std::collections::BTreeMap;

use crate::command::Ticket;
use crate::error::{ErrorCode, Failure};

/// Waits of a box.
pub(super) const WAITS_MAX: usize = 100_000;

/// What a wait hangs on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Subject {
    /// The message with this number.
    Message(u64),
    /// Whatever is accepted under the id with this hash.
    Id(u128),
}

/// One wait.
#[derive(Clone, Debug)]
pub(super) struct Wait {
    /// Whom to answer.
    pub(super) ticket: Ticket,
    pub(super) queue: u32,
    pub(super) id: Box<str>,
}

/// All waits of a box.
#[derive(Debug, Default)]
pub(super) struct Waits {
    subjects: BTreeMap<Ticket, Subject>,
    waits: BTreeMap<(Subject, Ticket), Wait>,
    /// Messages up to this number were looked at since the last purge.
    purged: Option<u64>,
}

impl Waits {
    /// Whether nobody waits.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// Adds a wait.
    pub(super) fn add(&mut self, subject: Subject, wait: Wait) -> Result<(), Failure> {
        if self.waits.len() >= WAITS_MAX {
            return Err(Failure::new(
                ErrorCode::QueueFull,
                format!("{WAITS_MAX} calls wait for messages to finish, more must not"),
            ));
        }
        self.subjects.insert(wait.ticket, subject);
        self.waits.insert((subject, wait.ticket), wait);
        Ok(())
    }

    /// Ends one wait; false if there is none with this ticket.
    pub(super) fn stop(&mut self, ticket: Ticket) -> bool {
        let Some(subject) = self.subjects.remove(&ticket) else {
            return false;
        };
        self.waits.remove(&(subject, ticket));
        true
    }

    /// Whether anybody waits for this.
    #[must_use]
    pub(super) fn has(&self, subject: Subject) -> bool {
        !self.is_empty() && self.first_of(subject).is_some()
    }

    /// Ends all waits for this.
    pub(super) fn take(&mut self, subject: Subject) -> Vec<Wait> {
        let mut taken = Vec::new();
        while let Some(key) = self.first_of(subject) {
            self.subjects.remove(&key.1);
            taken.extend(self.waits.remove(&key));
        }
        taken
    }

    /// Hangs all waits for one thing on another.
    pub(super) fn rehang(&mut self, from: Subject, to: Subject) {
        if self.is_empty() {
            return;
        }
        while let Some(key) = self.first_of(from) {
            let wait = self.waits.remove(&key).expect("found just now");
            self.subjects.insert(wait.ticket, to);
            self.waits.insert((to, wait.ticket), wait);
        }
    }

    /// Ends all waits.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        self.waits.clear();
        std::mem::take(&mut self.subjects).into_keys().collect()
    }

    /// Messages were purged: those that are waited for are to be looked at.
    pub(super) fn purged(&mut self) {
        self.purged = Some(0);
    }

    /// The next message to look at since the last purge.
    pub(super) fn next_to_look_at(&mut self) -> Option<u64> {
        let from = (Subject::Message(self.purged? + 1), Ticket(0));
        let next = self.waits.range(from..).next();
        self.purged = match next {
            Some(((Subject::Message(number), _), _)) => Some(*number),
            _ => None,
        };
        self.purged
    }

    fn first_of(&self, subject: Subject) -> Option<(Subject, Ticket)> {
        let (key, _) = self.waits.range((subject, Ticket(0))..).next()?;
        (key.0 == subject).then_some(*key)
    }
}
