//! Messages of a remote ledger, while they are claimed for this engine.
//!
//! They come with the attempt that their claim counted, and leave as soon as what became of them is written: what
//! waits again waits there. The number of such a message is the token of its claim.

use std::rc::Rc;

use super::Ledger;
use super::message::{Message, NONE, Standing};
use crate::command::Claimed;
use crate::journal::{FrameBuilder, MessageRecord, Record, StoredState};
use crate::time::Timestamp;

impl Ledger {
    /// Takes in a claimed message, to be handed to a consumer.
    pub fn take_in_claimed(&mut self, claimed: &Claimed<'_>, now: Timestamp) -> u32 {
        let number = claimed.token.0;
        self.last_number = self.last_number.max(number);
        let queue = &mut self.queues[claimed.queue.0 as usize];
        let group = match claimed.group {
            "" => NONE,
            name => queue.groups.ensure(name),
        };
        let bytes = claimed.id.len() + claimed.headers.len() + claimed.body.len();
        let message = Message {
            number,
            order: number,
            enqueued_at: claimed.enqueued_at,
            due: now,
            deadline: claimed.deadline,
            first_delivery: claimed.first_delivery,
            id: Some(Rc::from(claimed.id)),
            queue: claimed.queue.0,
            group,
            destination: self.destinations.acquire(claimed.destination),
            attempt: claimed.attempt - 1,
            max_attempts: claimed.max_attempts,
            deaths: claimed.deaths,
            suspect: claimed.deaths > 0,
            open: self.open,
            epoch: queue.purges,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            priority: claimed.priority,
            ..Message::blank()
        };
        let slot = self.insert(message);
        self.cache(slot, payload_of(claimed));
        self.join_group(slot, now);
        self.enter(slot, now);
        slot
    }

    /// Forgets a claimed message: it is the remote ledger's alone from now on. It is in no set, or dead.
    pub fn dismiss(&mut self, slot: u32, now: Timestamp) {
        if self.messages[slot].standing == Standing::Dead {
            self.forget_dead(slot, now);
        } else {
            self.erase(slot, now);
        }
    }

    /// A message of a queue that was taken in and that no consumer has, whatever it waits for.
    #[must_use]
    pub fn unclaimed(&self, queue: u32) -> Option<u32> {
        let queue = &self.queues[queue as usize];
        let ranked = [&queue.ready, &queue.suspects, &queue.parked];
        let first = ranked.into_iter().find_map(|set| set.values().next());
        first.or_else(|| queue.scheduled.values().next()).copied()
    }
}

/// What a delivery reads headers and body from.
fn payload_of(claimed: &Claimed<'_>) -> Rc<[u8]> {
    let record = MessageRecord {
        number: claimed.token.0,
        queue: claimed.queue.0,
        open: 0,
        enqueued_at: claimed.enqueued_at.0,
        due: 0,
        deadline: claimed.deadline.0,
        priority: claimed.priority,
        max_attempts: claimed.max_attempts,
        order: claimed.token.0,
        attempt: 0,
        deaths: 0,
        first_delivery: 0,
        state: StoredState::Waiting,
        token: 0,
        fingerprint: 0,
        death: None,
        history: &[],
        id: None,
        group: claimed.group,
        destination: claimed.destination,
        headers: claimed.headers,
        started_at: 0,
        first_step: 0,
        body: claimed.body,
    };
    let mut frame = FrameBuilder::default();
    let span = frame.push(&Record::Message(record));
    Rc::from(frame.payload(span))
}
