//! Accepting messages: limits, identity, and the record.

use std::rc::Rc;

use super::Ledger;
use super::dedup::HOST_ID;
use super::message::{Message, NONE, Standing};
use super::recorder::{Note, Recorder};
use crate::command::{Enqueue, MessageState};
use crate::config::Guarantee;
use crate::error::{ErrorCode, Failure};
use crate::hash;
use crate::journal::{MessageRecord, Record, StoredState};
use crate::time::Timestamp;

/// Bytes of a caller's id.
pub(super) const ID_BYTES_MAX: usize = 256;
/// Fingerprint of an id that passes for any body: it was generated, and nobody else can have it.
pub(super) const ANY_BODY: u64 = u64::MAX;
/// Purged messages that are freed between two looks at a queue's limits.
pub(super) const PURGED_AT_ONCE: usize = 1000;
/// Bytes of a group's or destination's name.
const NAME_BYTES_MAX: usize = 256;

/// What became of an enqueue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// Accepted under this slot.
    New(u32),
    /// Known: nothing was enqueued.
    Duplicate {
        /// The original's state.
        state: MessageState,
        /// The original's number.
        number: u64,
    },
}

/// A caller's id, hashed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) hash: u128,
    pub(super) fingerprint: u64,
}

impl Ledger {
    /// Accepts one message, or tells why not; a refusal changes nothing. `owed`: together with what
    /// becomes of another one, so that nobody can be refused it alone later.
    pub fn accept(
        &mut self,
        now: Timestamp,
        enqueue: &Enqueue<'_>,
        owed: bool,
        out: &mut impl Recorder,
    ) -> Result<Accepted, Failure> {
        self.check(enqueue)?;
        self.take_in(now, enqueue, owed, out)
    }

    /// Accepts a message past all limits, which is a dead letter at once. Its id is its own only if no
    /// other message has it.
    pub fn accept_refused(
        &mut self,
        now: Timestamp,
        enqueue: &Enqueue<'_>,
        out: &mut impl Recorder,
    ) -> Accepted {
        let given = enqueue
            .id
            .filter(|id| (1..=ID_BYTES_MAX).contains(&id.len()));
        let hash = |id: &str| hash::id_hash(&self.hash_key, enqueue.queue.0, id.as_bytes());
        let given = given.map(|id| (id, hash(id)));
        let known = given.map(|(id, hash)| self.recognise(now, enqueue, id, hash));
        if let Some(Ok(Some(known))) = known {
            return known;
        }
        let own = given.filter(|_| matches!(known, Some(Ok(None))));
        let identity = own.map(|(_, hash)| Identity {
            hash,
            fingerprint: self.fingerprint_of_enqueue(enqueue),
        });
        let enqueue = Enqueue {
            id: own.map(|(id, _)| id),
            ..enqueue.clone()
        };
        Accepted::New(self.put_in(now, &enqueue, identity, true, out))
    }

    /// Makes the room of a message that is about to be completed count as free, until
    /// [`Ledger::reclaim_room`].
    pub fn lend_room(&mut self, slot: u32) {
        let message = &self.messages[slot];
        let queue = &mut self.queues[message.queue as usize];
        queue.depth -= 1;
        queue.bytes -= u64::from(message.bytes);
    }

    /// Makes the room of a message count as taken again.
    pub fn reclaim_room(&mut self, slot: u32) {
        let message = &self.messages[slot];
        let queue = &mut self.queues[message.queue as usize];
        queue.depth += 1;
        queue.bytes += u64::from(message.bytes);
    }

    /// Accepts a message whose parts were checked.
    pub(super) fn take_in(
        &mut self,
        now: Timestamp,
        enqueue: &Enqueue<'_>,
        owed: bool,
        out: &mut impl Recorder,
    ) -> Result<Accepted, Failure> {
        let identity = match enqueue.id {
            Some(id) => {
                let hash = hash::id_hash(&self.hash_key, enqueue.queue.0, id.as_bytes());
                if let Some(known) = self.recognise(now, enqueue, id, hash)? {
                    self.queues[enqueue.queue.0 as usize].counters.duplicates += 1;
                    return Ok(known);
                }
                self.make_room(now, enqueue.queue.0, enqueue.stored_bytes())?;
                if !enqueue.has_host_id {
                    self.make_room_for_id(now, enqueue.queue.0)?;
                }
                Some(Identity {
                    hash,
                    fingerprint: self.fingerprint_of_enqueue(enqueue),
                })
            }
            None => {
                self.make_room(now, enqueue.queue.0, enqueue.stored_bytes())?;
                None
            }
        };
        Ok(Accepted::New(
            self.put_in(now, enqueue, identity, owed, out),
        ))
    }

    /// Keeps a message that is accepted.
    fn put_in(
        &mut self,
        now: Timestamp,
        enqueue: &Enqueue<'_>,
        identity: Option<Identity>,
        owed: bool,
        out: &mut impl Recorder,
    ) -> u32 {
        let slot = self.admit(now, enqueue, identity);
        let number = self.messages[slot].number;
        let note = if owed {
            Note::Owed { slot, number }
        } else {
            Note::Accepted { slot, number }
        };
        self.record_accepted(slot, enqueue, identity, note, out);
        self.queues[enqueue.queue.0 as usize].counters.enqueued += 1;
        self.join_group(slot, now);
        self.enter(slot, now);
        slot
    }

    /// Takes back a message that was accepted just now and whose record will never be durable.
    pub fn retract(&mut self, slot: u32, now: Timestamp) {
        let queue = self.messages[slot].queue;
        self.queues[queue as usize].counters.enqueued -= 1;
        if self.is_purged(slot) {
            self.messages[slot].standing = Standing::Held;
            return self.erase_purged(slot, now);
        }
        match self.messages[slot].standing {
            Standing::Leased => self.unlease(slot),
            Standing::Dead => return self.forget_dead(slot, now),
            _ => self.leave(slot),
        }
        let entry = self.messages[slot].entry;
        self.drop_entry(entry);
        self.erase(slot, now);
    }

    fn check(&self, enqueue: &Enqueue<'_>) -> Result<(), Failure> {
        let queue = &self.queues[enqueue.queue.0 as usize];
        let name = &queue.name;
        if let Some(id) = enqueue.id
            && !(1..=ID_BYTES_MAX).contains(&id.len())
        {
            return Err(Failure::new(
                ErrorCode::InvalidOption,
                format!(
                    "id: expected 1 to {ID_BYTES_MAX} bytes, got {} (queue '{name}')",
                    id.len()
                ),
            ));
        }
        let has_callers_id = enqueue.id.is_some() && !enqueue.has_host_id;
        if !has_callers_id && queue.settings.guarantee == Guarantee::ExactlyOnce {
            return Err(Failure::new(
                ErrorCode::IdRequired,
                format!("queue '{name}' is exactly-once: expected an id of the caller's, got none"),
            ));
        }
        for (option, text) in [
            ("group", enqueue.group),
            ("destination", enqueue.destination),
        ] {
            let length = text.map_or(0, str::len);
            if length > NAME_BYTES_MAX {
                return Err(Failure::new(
                    ErrorCode::InvalidOption,
                    format!(
                        "{option}: expected at most {NAME_BYTES_MAX} bytes, got {length} (queue '{name}')"
                    ),
                ));
            }
        }
        if enqueue.ttl_ms == Some(0) || enqueue.max_attempts == Some(0) {
            return Err(Failure::new(
                ErrorCode::InvalidOption,
                format!("ttlMs and maxAttempts: expected 1 or more, got 0 (queue '{name}')"),
            ));
        }
        let (length, limit) = (enqueue.body.len(), queue.settings.max_body_bytes as usize);
        if length > limit {
            return Err(Failure::new(
                ErrorCode::BodyTooLarge,
                format!("expected a body of at most {limit} bytes, got {length} (queue '{name}')"),
            ));
        }
        Ok(())
    }

    /// Checks a queue's limits for one message more of so many bytes; purged messages that still take
    /// up memory make room.
    pub(super) fn make_room(
        &mut self,
        now: Timestamp,
        queue: u32,
        bytes: u32,
    ) -> Result<(), Failure> {
        while self.is_purging() {
            if self.check_room(queue, bytes).is_ok() {
                break;
            }
            self.carry_out_purges(now, PURGED_AT_ONCE);
        }
        self.check_room(queue, bytes)
    }

    /// Whether a queue holds unfinished or dead messages whose ids no caller gave.
    pub fn holds_generated(&mut self, now: Timestamp, queue: u32) -> bool {
        let holds = |ledger: &Self| {
            ledger.queues[queue as usize].generated > 0 || ledger.dedup.host_count(queue) > 0
        };
        while holds(self) && self.carry_out_purges(now, PURGED_AT_ONCE) {}
        holds(self)
    }

    fn fingerprint_of_enqueue(&self, enqueue: &Enqueue<'_>) -> u64 {
        if enqueue.has_host_id {
            HOST_ID
        } else {
            self.fingerprint(enqueue.body)
        }
    }

    fn check_room(&self, queue: u32, bytes: u32) -> Result<(), Failure> {
        let queue = &self.queues[queue as usize];
        let (depth, max_depth) = (queue.depth, queue.settings.max_depth);
        if depth >= max_depth.saturating_add(u64::from(bug!("one-too-deep"))) {
            return Err(Failure::new(
                ErrorCode::QueueFull,
                format!(
                    "queue '{}' holds {depth} messages, its maxDepth is {max_depth}",
                    queue.name
                ),
            ));
        }
        if queue.bytes.saturating_add(bytes.into()) > queue.settings.max_bytes {
            return Err(Failure::new(
                ErrorCode::QueueFull,
                format!(
                    "queue '{}' holds {} bytes, {bytes} more would pass its maxBytes of {}",
                    queue.name, queue.bytes, queue.settings.max_bytes
                ),
            ));
        }
        Ok(())
    }

    fn admit(&mut self, now: Timestamp, enqueue: &Enqueue<'_>, identity: Option<Identity>) -> u32 {
        self.last_number += 1;
        let queue = &mut self.queues[enqueue.queue.0 as usize];
        let group = match enqueue.group {
            Some(name) if !name.is_empty() => queue.groups.ensure(name),
            _ => NONE,
        };
        let due = enqueue
            .at
            .unwrap_or_else(|| now.plus(enqueue.delay_ms.unwrap_or(0)));
        let message = Message {
            number: self.last_number,
            order: self.last_number,
            enqueued_at: enqueue.enqueued_at.map_or(now, |at| at.min(now)),
            due: due.max(now),
            deadline: enqueue.ttl_ms.map_or(Timestamp::NEVER, |ttl| now.plus(ttl)),
            id: enqueue.id.map(Rc::from),
            queue: enqueue.queue.0,
            group,
            destination: self.destinations.acquire(enqueue.destination.unwrap_or("")),
            max_attempts: enqueue.max_attempts.unwrap_or(queue.settings.max_attempts),
            open: self.open,
            epoch: queue.purges,
            bytes: enqueue.stored_bytes(),
            body_checksum: match enqueue.id {
                Some(_) => 0,
                None => crc32fast::hash(enqueue.body),
            },
            priority: enqueue.priority,
            ..Message::blank()
        };
        let slot = self.insert(message);
        if let Some(identity) = identity {
            self.forget_recent_end(identity.hash);
            let entry =
                self.dedup
                    .insert_live(enqueue.queue.0, identity.hash, identity.fingerprint, slot);
            self.messages[slot].entry = entry;
        }
        slot
    }

    fn record_accepted(
        &mut self,
        slot: u32,
        enqueue: &Enqueue<'_>,
        identity: Option<Identity>,
        note: Note,
        out: &mut impl Recorder,
    ) {
        let message = &self.messages[slot];
        let record = MessageRecord {
            number: message.number,
            queue: message.queue,
            open: message.open,
            enqueued_at: message.enqueued_at.0,
            due: message.due.0,
            deadline: message.deadline.0,
            priority: message.priority,
            max_attempts: message.max_attempts,
            order: message.order,
            attempt: 0,
            deaths: 0,
            first_delivery: 0,
            state: StoredState::Waiting,
            token: 0,
            fingerprint: identity.map_or(0, |identity| identity.fingerprint),
            death: None,
            history: &[],
            id: enqueue.id,
            group: enqueue.group.unwrap_or(""),
            destination: enqueue.destination.unwrap_or(""),
            headers: enqueue.headers,
            started_at: 0,
            first_step: 0,
            body: enqueue.body,
        };
        out.write(&Record::Message(record), note);
        let content = Rc::from(out.last_payload());
        self.cache(slot, content);
    }
}

impl Enqueue<'_> {
    /// Bytes that count against limits.
    #[must_use]
    pub fn stored_bytes(&self) -> u32 {
        let bytes = self.id.map_or(0, str::len) + self.headers.len() + self.body.len();
        u32::try_from(bytes).expect("a body is at most 8 MiB, in Base64 at most 11")
    }
}
