//! Which ids are known: those that callers gave, in the index of deduplication, and generated ones, by
//! the runs that gave them.

use super::Ledger;
use super::accept::{ANY_BODY, Accepted, PURGED_AT_ONCE};
use super::dedup::HOST_ID;
use super::dedup::kept_of;
use super::message::{Death, Standing};
use crate::command::{Enqueue, MessageState, Reason};
use crate::config::{Compare, WhenFull};
use crate::error::{ErrorCode, Failure};
use crate::hash;
use crate::id::GeneratedId;
use crate::time::Timestamp;

impl Ledger {
    /// The original, if this id, whose keyed hash is `hash`, was accepted before and is still remembered.
    pub(super) fn recognise(
        &mut self,
        now: Timestamp,
        enqueue: &Enqueue<'_>,
        id: &str,
        hash: u128,
    ) -> Result<Option<Accepted>, Failure> {
        let queue = enqueue.queue.0;
        if let Some(known) = self.recognise_generated(queue, id) {
            if self.has_another_body(queue, id, enqueue.body) {
                return Err(self.conflict(queue, id));
            }
            return Ok(Some(known));
        }
        let (known, original) = match self.entry_of(queue, hash, now) {
            Some(entry) => (self.accepted_as(entry), self.dedup.fingerprint(entry)),
            None => match self.unseen(queue, hash) {
                Some((number, original)) => (unseen(number), original),
                None => return Ok(None),
            },
        };
        let compare = self.queues[queue as usize].settings.dedup_compare;
        if compare == Compare::Body
            && ![ANY_BODY, HOST_ID].contains(&original)
            && original != self.fingerprint(enqueue.body)
        {
            return Err(self.conflict(queue, id));
        }
        Ok(Some(known))
    }

    /// What was accepted under an id, whatever its body, if that is still remembered.
    pub fn original(&mut self, queue: u32, id: &str, now: Timestamp) -> Option<Accepted> {
        if let Some(known) = self.recognise_generated(queue, id) {
            return Some(known);
        }
        let hash = hash::id_hash(&self.hash_key, queue, id.as_bytes());
        match self.entry_of(queue, hash, now) {
            Some(entry) => Some(self.accepted_as(entry)),
            None => self.unseen(queue, hash).map(|(number, _)| unseen(number)),
        }
    }

    fn accepted_as(&self, entry: u32) -> Accepted {
        match self.dedup.live(entry) {
            Some(slot) => {
                let message = &self.messages[slot];
                Accepted::Duplicate {
                    state: message.state(),
                    number: message.number,
                }
            }
            None => Accepted::Duplicate {
                state: self
                    .dedup
                    .finished_state(entry)
                    .unwrap_or(MessageState::Completed),
                number: self.dedup.finished_number(entry).unwrap_or(0),
            },
        }
    }

    /// The entry of an id that is taken. One that is taken no more, by a purged message or past its
    /// window, is freed on the way.
    pub(super) fn entry_of(&mut self, queue: u32, hash: u128, now: Timestamp) -> Option<u32> {
        let entry = self.dedup.find(queue, hash)?;
        if let Some(slot) = self.dedup.live(entry)
            && self.is_purged(slot)
        {
            self.messages[slot].standing = Standing::Held;
            self.erase_purged(slot, now);
            return None;
        }
        if self.is_outside_window(queue, entry, now) || bug!("forget-finished-ids") {
            self.drop_entry(entry);
            return None;
        }
        Some(entry)
    }

    /// A generated id of this queue that is passed back: known if it became durable.
    pub(super) fn recognise_generated(&self, queue: u32, id: &str) -> Option<Accepted> {
        let parsed = self.parse_generated(queue, id)?;
        if let Some(slot) = self
            .live_generated(queue, id)
            .filter(|slot| !self.is_purged(*slot))
        {
            let message = &self.messages[slot];
            return Some(Accepted::Duplicate {
                state: message.state(),
                number: message.number,
            });
        }
        self.was_accepted(parsed).then_some(Accepted::Duplicate {
            state: MessageState::Completed,
            number: parsed.number,
        })
    }

    /// Whether the message with this generated id lives and has another body, where bodies are
    /// compared. Of one that ended, or whose bytes are damaged, nobody knows.
    pub(super) fn has_another_body(&self, queue: u32, id: &str, body: &[u8]) -> bool {
        let compares = self.queues[queue as usize].settings.dedup_compare == Compare::Body;
        let Some(slot) = self.live_generated(queue, id).filter(|_| compares) else {
            return false;
        };
        let message = &self.messages[slot];
        let is_damaged = |death: &Death| death.reason == Reason::Corrupt;
        !message.death.as_deref().is_some_and(is_damaged)
            && message.body_checksum != crc32fast::hash(body)
    }

    pub(super) fn conflict(&self, queue: u32, id: &str) -> Failure {
        let message = format!(
            "id '{id}' was accepted before with another body (queue '{}')",
            self.queues[queue as usize].name
        );
        Failure {
            id: Some(id.to_owned()),
            ..Failure::new(ErrorCode::IdConflict, message)
        }
    }

    /// Whether a generated id of this queue was accepted and its message is gone: it has ended.
    #[must_use]
    pub fn is_past(&self, queue: u32, id: &str) -> bool {
        self.parse_generated(queue, id)
            .is_some_and(|parsed| self.was_accepted(parsed))
    }

    pub(super) fn was_accepted(&self, id: GeneratedId) -> bool {
        match self.opens.was_durable(id.open, id.number) {
            Some(durable) => durable,
            None => id.open == self.open && id.number <= self.last_number,
        }
    }

    pub(super) fn make_room_for_id(&mut self, now: Timestamp, queue: u32) -> Result<(), Failure> {
        let limit = self.queues[queue as usize].settings.dedup_max_entries;
        while self.dedup.count(queue) >= limit && self.is_purging() {
            self.carry_out_purges(now, PURGED_AT_ONCE);
        }
        while let Some((entry, _)) = self.dedup.oldest_finished(queue)
            && self.dedup.count(queue) >= limit
            && self.is_outside_window(queue, entry, now)
        {
            self.drop_entry(entry);
        }
        if self.dedup.count(queue) < limit {
            return Ok(());
        }
        let settings = &self.queues[queue as usize].settings;
        if settings.dedup_when_full == WhenFull::Shorten
            && let Some((entry, at)) = self.dedup.oldest_finished(queue)
        {
            self.drop_entry(entry);
            let next = self.dedup.oldest_finished(queue).map_or(at, |(_, at)| at);
            self.queues[queue as usize].shorten_window(next);
            return Ok(());
        }
        Err(Failure::new(
            ErrorCode::DedupFull,
            format!(
                "queue '{}' remembers {limit} ids, its dedup.maxEntries",
                self.queues[queue as usize].name
            ),
        ))
    }

    /// The fingerprint of a body; never 0, which in a record says that the id is not taken.
    pub(super) fn fingerprint(&self, body: &[u8]) -> u64 {
        kept_of(hash::fingerprint(&self.hash_key, body).clamp(1, HOST_ID - 1))
    }
}

/// A message that is settled, at most once, and that no consumer has seen yet.
fn unseen(number: u64) -> Accepted {
    Accepted::Duplicate {
        state: MessageState::Completed,
        number,
    }
}
