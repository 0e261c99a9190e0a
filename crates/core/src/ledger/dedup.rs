//! Which ids are taken: the deduplication index.
//!
//! Every id that a caller named has one entry, and so has one that the host made ([`HOST_ID`]) while its message
//! is there. It is *live* while its message is unfinished or
//! dead, and then tells where the message is; it is *finished* from there until its window has
//! passed, and then tells how the message ended. The owner decides when an entry goes
//! ([`Dedup::remove`]); nothing here knows of windows or limits.
//!
//! Ids are kept as 128-bit keyed hashes ([`crate::hash::id_hash`]). Besides the chains by which they are
//! found, finished entries are in two orders:
//!
//! - of their queue, by the time of their end, so that the earliest can be forgotten;
//! - of the box, by their place in the journal, so that cleaning finds those in its oldest segment. An
//!   entry enters it with [`Dedup::set_place`] and goes to its end when it moves.
//!
//! An entry goes by its number, valid until it is removed; then the number may be another's.
//!
//! Every operation is O(log n) at worst and O(1) where entries come and go in the order of their ends.
//! Nothing depends on how chains are linked. An entry takes [`ENTRY_BYTES`], 3 more for its bucket and,
//! once it is finished, 8 more for its orders.

mod entry;

use crate::buckets::{Buckets, Links};
use crate::command::MessageState;
use crate::journal::Place;
use crate::slab::Slab;
use crate::time::Timestamp;

use super::order::Order;
pub use entry::{
    ATTEMPT_MAX, ENTRY_BYTES, End, Entry, HOST_ID, Status, end_code, kept_of, parse_end,
};

/// Entries of one queue.
#[derive(Clone, Debug, Default)]
struct QueueEntries {
    live: u32,
    /// Live ones of ids that the host made.
    hosts: u32,
    finished: Order,
}

impl QueueEntries {
    /// Those that count with an entry of this fingerprint.
    const fn live_of(&mut self, fingerprint: u64) -> &mut u32 {
        if fingerprint == HOST_ID {
            &mut self.hosts
        } else {
            &mut self.live
        }
    }
}

/// All entries of a box.
#[derive(Clone, Debug, Default)]
pub struct Dedup {
    entries: Slab<Entry>,
    buckets: Buckets,
    queues: Vec<QueueEntries>,
    placed: Order,
}

impl Dedup {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The entry of an id.
    #[must_use]
    pub fn find(&self, queue: u32, hash: u128) -> Option<u32> {
        let is_it = |key: u32| {
            let entry = &self.entries[key];
            entry.hash() == hash && entry.queue() == queue
        };
        self.buckets.find(&self.entries, hash as u64, is_it)
    }

    /// An entry; none if its number is free.
    #[must_use]
    pub fn get(&self, entry: u32) -> Option<&Entry> {
        self.entries.get(entry)
    }

    /// Where the message of a live entry is; none if it has ended.
    #[must_use]
    pub fn live(&self, entry: u32) -> Option<u32> {
        match self.get(entry)?.status() {
            Status::Live { message } => Some(message),
            Status::Finished { .. } => None,
        }
    }

    /// When the message of a finished entry ended; none if it has not.
    #[must_use]
    pub fn finished_at(&self, entry: u32) -> Option<Timestamp> {
        match self.get(entry)?.status() {
            Status::Live { .. } => None,
            Status::Finished { at, .. } => Some(at),
        }
    }

    /// How the message of a finished entry ended; none if it has not.
    #[must_use]
    pub fn finished_state(&self, entry: u32) -> Option<MessageState> {
        match self.get(entry)?.status() {
            Status::Live { .. } => None,
            Status::Finished { state, .. } => Some(state),
        }
    }

    /// The number of the message of a finished entry; none if it has not ended.
    #[must_use]
    pub fn finished_number(&self, entry: u32) -> Option<u64> {
        match self.get(entry)?.status() {
            Status::Live { .. } => None,
            Status::Finished { number, .. } => Some(number),
        }
    }

    /// Which attempt the message of a finished entry ended with; none if it has not ended, or if nobody
    /// told.
    #[must_use]
    pub fn finished_attempt(&self, entry: u32) -> Option<u32> {
        match self.get(entry)?.status() {
            Status::Live { .. } => None,
            Status::Finished { attempt, .. } => Some(attempt).filter(|attempt| *attempt > 0),
        }
    }

    /// The keyed hash of an entry's id.
    ///
    /// # Panics
    /// When the entry was removed.
    #[must_use]
    pub fn hash(&self, entry: u32) -> u128 {
        self.entries[entry].hash()
    }

    /// The fingerprint of the body that an entry was made with.
    ///
    /// # Panics
    /// When the entry was removed.
    #[must_use]
    pub fn fingerprint(&self, entry: u32) -> u64 {
        self.entries[entry].fingerprint()
    }

    /// Where the record of a finished entry lies; all zero if nobody told.
    ///
    /// # Panics
    /// When the entry was removed.
    #[must_use]
    pub fn place(&self, entry: u32) -> Place {
        self.entries[entry].place()
    }

    /// Whether the record of an entry holds something to be shown: see [`Dedup::finish`].
    ///
    /// # Panics
    /// When the entry was removed.
    #[must_use]
    pub fn tells(&self, entry: u32) -> bool {
        self.entries[entry].tells()
    }

    /// Takes an id for a message in `slot`. The id must be free.
    pub fn insert_live(&mut self, queue: u32, hash: u128, fingerprint: u64, slot: u32) -> u32 {
        debug_assert!(self.find(queue, hash).is_none(), "the id is taken");
        let key = self
            .entries
            .insert(Entry::live(queue, hash, fingerprint, slot));
        let count = self.entries.len();
        self.buckets.insert(&mut self.entries, key, count);
        let place = queue as usize;
        if place >= self.queues.len() {
            self.queues.resize_with(place + 1, QueueEntries::default);
        }
        *self.queues[place].live_of(fingerprint) += 1;
        key
    }

    /// The message of an entry ended.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn finish(&mut self, entry: u32, end: End) {
        let finished = &self.entries[entry];
        assert!(
            finished.is_live(),
            "the message of the entry has ended before"
        );
        let lists = &mut self.queues[finished.queue() as usize];
        *lists.live_of(self.entries[entry].fingerprint()) -= 1;
        self.entries[entry].finish(end);
        let entries = &self.entries;
        lists
            .finished
            .insert(entry, |entry| entries[entry].end_rank());
    }

    /// Notes where the record of a finished entry lies now, later in the journal than all others.
    ///
    /// # Panics
    /// When its message has not ended, or when the record is longer than 512 MiB.
    pub fn set_place(&mut self, entry: u32, place: Place) {
        assert!(
            !self.entries[entry].is_live(),
            "the record of a live entry is that of its message"
        );
        self.unplace(entry);
        self.entries[entry].set_place(place);
        let entries = &self.entries;
        self.placed
            .insert(entry, |entry| entries[entry].place_rank());
    }

    /// The record of a finished entry is about to be written again: it has no place until then.
    ///
    /// # Panics
    /// When the entry was removed.
    pub fn unplace(&mut self, entry: u32) {
        if self.entries[entry].is_placed() {
            let entries = &self.entries;
            self.placed
                .remove(entry, |entry| entries[entry].place_rank());
            self.entries[entry].clear_place();
        }
    }

    /// Gives a finished entry a message again.
    ///
    /// # Panics
    /// When it has one.
    pub fn relive(&mut self, entry: u32, slot: u32) {
        assert!(!self.entries[entry].is_live(), "the entry has a message");
        self.unlink(entry);
        self.entries[entry].relive(slot);
        let queue = self.entries[entry].queue();
        let fingerprint = self.entries[entry].fingerprint();
        *self.queues[queue as usize].live_of(fingerprint) += 1;
    }

    /// Frees an id.
    ///
    /// # Panics
    /// When the entry was removed before.
    pub fn remove(&mut self, entry: u32) -> Entry {
        self.unlink(entry);
        let was_filed = self.buckets.remove(&mut self.entries, entry);
        debug_assert!(was_filed, "every entry is in the chain of its bucket");
        self.entries.remove(entry)
    }

    /// How many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many live entries a queue has of ids that the host made.
    #[must_use]
    pub fn host_count(&self, queue: u32) -> u64 {
        self.queues
            .get(queue as usize)
            .map_or(0, |lists| lists.hosts.into())
    }

    /// How many entries a queue has, live and finished, of ids that callers gave.
    #[must_use]
    pub fn count(&self, queue: u32) -> u64 {
        self.queues
            .get(queue as usize)
            .map_or(0, |lists| (lists.live + lists.finished.len()).into())
    }

    /// How many finished entries a queue has.
    #[must_use]
    pub fn finished_count(&self, queue: u32) -> u64 {
        self.queues
            .get(queue as usize)
            .map_or(0, |lists| lists.finished.len().into())
    }

    /// The entry of a queue whose message ended first, and when.
    #[must_use]
    pub fn oldest_finished(&self, queue: u32) -> Option<(u32, Timestamp)> {
        let key = self.queues.get(queue as usize)?.finished.first()?;
        Some((key, self.entries[key].finished_at()))
    }

    /// The finished entry whose record comes first in the journal, and where.
    #[must_use]
    pub fn oldest_place(&self) -> Option<(u32, Place)> {
        let key = self.placed.first()?;
        Some((key, self.entries[key].place()))
    }

    /// Ends recovery. The clock may have been set back since: ends later than `now` are cut to `now`.
    pub fn cut_ends(&mut self, now: Timestamp) {
        for lists in &mut self.queues {
            let mut late = Vec::new();
            while let Some(last) = lists.finished.last()
                && self.entries[last].finished_at() > now
            {
                let entries = &self.entries;
                lists
                    .finished
                    .remove(last, |entry| entries[entry].end_rank());
                late.push(last);
            }
            for entry in late {
                self.entries[entry].cut_finished_at(now);
                let entries = &self.entries;
                lists
                    .finished
                    .insert(entry, |entry| entries[entry].end_rank());
            }
        }
    }

    /// Bytes allocated for entries, their buckets and their orders.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let orders = self.queues.iter().map(|lists| &lists.finished);
        let ordered: usize = orders.chain([&self.placed]).map(Order::memory_bytes).sum();
        self.entries.memory_bytes() + self.buckets.memory_bytes() + ordered
    }

    /// Takes an entry out of its orders.
    fn unlink(&mut self, entry: u32) {
        self.unplace(entry);
        let lists = &mut self.queues[self.entries[entry].queue() as usize];
        if self.entries[entry].is_live() {
            *lists.live_of(self.entries[entry].fingerprint()) -= 1;
        } else {
            let entries = &self.entries;
            lists
                .finished
                .remove(entry, |entry| entries[entry].end_rank());
        }
    }
}

impl Links for Slab<Entry> {
    fn hash(&self, key: u32) -> u64 {
        self[key].filing()
    }

    fn next(&self, key: u32) -> u32 {
        self[key].next
    }

    fn set_next(&mut self, key: u32, next: u32) {
        self[key].next = next;
    }
}
