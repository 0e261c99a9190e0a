//! How the last messages ended of which nothing else tells: those with generated ids, which no index
//! keeps, those whose ids are not remembered, and those that were withdrawn, whose ids are free.
//!
//! Kept in memory only, so that who asks behind an end is told as well as who asks ahead of it. A later
//! run knows none of them. An id that is enqueued anew is that of the new message.

use std::collections::VecDeque;

use super::Ledger;
use super::message::{Message, NONE};
use crate::command::MessageState;
use crate::id::GeneratedId;
use crate::index::{Index, spread};
use crate::time::Timestamp;

/// Ends that are kept: several times what handlers can settle between two turns of a host, which is when
/// who has a receipt asks. Without results they take about half a megabyte.
const ENDS_MAX: u32 = 4096;
/// Bytes of their results: sixteen of the largest that a queue keeps by default. The earliest ends go.
const RESULT_BYTES_MAX: usize = 1 << 20;

/// Whose end it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Key {
    /// The message with this id of its queue's own.
    Generated(GeneratedId),
    /// The last one with the id of this hash, which a caller gave.
    Given(u128),
}

/// How a message ended.
#[derive(Clone, Debug)]
pub struct RecentEnd {
    key: Key,
    /// Its number.
    pub number: u64,
    /// Completed or cancelled.
    pub state: MessageState,
    /// With which attempt.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// Encoded, empty for none.
    pub result: Box<[u8]>,
}

/// The last ends, in their order.
#[derive(Debug, Default)]
pub(super) struct RecentEnds {
    ends: VecDeque<RecentEnd>,
    /// The place of the first one; places are given in order, round a ring of [`ENDS_MAX`].
    first: u32,
    /// From a key to the place of its last end.
    places: Index,
    result_bytes: usize,
}

impl Key {
    const fn hash(&self) -> u64 {
        match self {
            Self::Generated(id) => spread(id.number),
            Self::Given(hash) => *hash as u64,
        }
    }
}

impl RecentEnds {
    /// Keeps an end, unless it is kept already. One whose result is too large is not kept.
    fn keep(&mut self, end: RecentEnd) {
        let hash = end.key.hash();
        if let Some(place) = self.place(&end.key) {
            if self.end_at(place).number == end.number {
                return;
            }
            self.places.remove(place);
        }
        if end.result.len() > RESULT_BYTES_MAX {
            return;
        }
        self.result_bytes += end.result.len();
        while self.ends.len() >= ENDS_MAX as usize || self.result_bytes > RESULT_BYTES_MAX {
            self.drop_first();
        }
        let place = (self.first + self.ends.len() as u32) % ENDS_MAX;
        self.ends.push_back(end);
        self.places.insert(hash, place);
    }

    fn find(&self, key: &Key) -> Option<&RecentEnd> {
        self.place(key).map(|place| self.end_at(place))
    }

    fn place(&self, key: &Key) -> Option<u32> {
        self.places
            .find(key.hash(), |place| self.end_at(place).key == *key)
    }

    fn end_at(&self, place: u32) -> &RecentEnd {
        &self.ends[((place + ENDS_MAX - self.first) % ENDS_MAX) as usize]
    }

    /// Forgets the end of an id; what is left of it goes in its turn.
    pub(super) fn forget(&mut self, key: &Key) {
        if !self.ends.is_empty()
            && let Some(place) = self.place(key)
        {
            self.places.remove(place);
        }
    }

    fn drop_first(&mut self) {
        if let Some(end) = self.ends.pop_front() {
            self.places.remove(self.first);
            self.first = (self.first + 1) % ENDS_MAX;
            self.result_bytes -= end.result.len();
        }
    }
}

impl Ledger {
    /// A message that is in no set ends now: notes how, if nothing else will tell of it.
    pub fn note_end(&mut self, slot: u32, state: MessageState, result: &[u8], now: Timestamp) {
        let message = &self.messages[slot];
        let window_ms = self.queues[message.queue as usize].settings.dedup_window_ms;
        let is_remembered = message.entry != NONE && window_ms > 0;
        if state == MessageState::Completed && is_remembered {
            return;
        }
        let hash = (message.entry != NONE).then(|| self.dedup.hash(message.entry));
        let end = self.end_of(message, hash, state, result, now);
        self.recent_ends.keep(end);
    }

    /// The delivery of a message that was handed over is over, or nobody saw it and it is withdrawn.
    pub fn note_hand_over_end(&mut self, number: u64, state: MessageState, now: Timestamp) {
        let Some(handed_over) = self.handed_over(number) else {
            return;
        };
        let is_told = state == MessageState::Completed && handed_over.is_remembered();
        // It may have become a dead letter.
        if is_told || self.by_number(number).is_some() {
            return;
        }
        let hash = handed_over.id_hash();
        let end = self.end_of(&handed_over.message, hash, state, b"", now);
        self.recent_ends.keep(end);
    }

    /// `hash`: that of its id, if that was taken.
    fn end_of(
        &self,
        message: &Message,
        hash: Option<u128>,
        state: MessageState,
        result: &[u8],
        at: Timestamp,
    ) -> RecentEnd {
        let key = match (hash, &message.id) {
            (Some(hash), _) => Key::Given(hash),
            (None, Some(id)) => Key::Given(self.id_hash(message.queue, id)),
            (None, None) => Key::Generated(self.generated_id_of(message)),
        };
        RecentEnd {
            key,
            number: message.number,
            state,
            attempt: message.attempt,
            at,
            result: Box::from(result),
        }
    }

    /// How the last message with this id ended, if that was lately and nothing else tells of it.
    #[must_use]
    pub fn recent_end(&self, queue: u32, id: &str, now: Timestamp) -> Option<RecentEnd> {
        let generated = self.parse_generated(queue, id).map(Key::Generated);
        let given = || Key::Given(self.id_hash(queue, id));
        let known = generated
            .and_then(|key| self.recent_ends.find(&key))
            .or_else(|| self.recent_ends.find(&given()));
        if known.is_some() {
            return known.cloned();
        }
        let slot = self.purged_by_id(queue, id)?;
        let message = &self.messages[slot];
        let hash = generated.is_none().then(|| self.id_hash(queue, id));
        Some(self.end_of(message, hash, MessageState::Cancelled, b"", now))
    }

    /// An id is taken anew, or to be forgotten.
    pub(super) fn forget_recent_end(&mut self, hash: u128) {
        self.recent_ends.forget(&Key::Given(hash));
    }

    /// Messages are taken back as if they had never been accepted: they have not ended.
    pub fn retract_ends(&mut self, is_gone: impl Fn(u64) -> bool) {
        let gone = |end: &&RecentEnd| is_gone(end.number);
        let keys: Vec<Key> = self
            .recent_ends
            .ends
            .iter()
            .filter(gone)
            .map(|end| end.key)
            .collect();
        for key in keys {
            self.recent_ends.forget(&key);
        }
    }
}
