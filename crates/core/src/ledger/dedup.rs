//! Which ids are taken: the deduplication index.
//!
//! Every id that a caller named has one entry. It is *live* while its message is unfinished or
//! dead, and then tells where the message is; it is *finished* from there until its window has
//! passed, and then tells how the message ended. The owner decides when an entry goes
//! ([`Dedup::remove`]); nothing here knows of windows or limits.
//!
//! Ids are kept as 128-bit keyed hashes ([`crate::hash::id_hash`]). Besides the index, entries are
//! in two lists, linked through the entries themselves:
//!
//! - of their queue, finished ones by the time of their end, so that the earliest can be forgotten;
//! - of the box, finished ones by their place in the journal, so that cleaning finds those in its
//!   oldest segment. An entry enters it with [`Dedup::set_place`] and goes to its end when it moves.
//!
//! An entry goes by its number, valid until it is removed; then the number may be another's.
//!
//! Every operation is O(1), but for [`Dedup::sort`] (once, after recovery), and nothing depends on
//! the order of a hash table. An entry takes [`ENTRY_BYTES`] and 6 to 11 more in the index.

mod entry;
mod list;

use crate::command::MessageState;
use crate::index::Index;
use crate::journal::Place;
use crate::slab::Slab;
use crate::time::Timestamp;

pub use entry::{ATTEMPT_MAX, ENTRY_BYTES, End, Entry, Status};
use list::{Chain, List};

/// Entries of one queue.
#[derive(Clone, Copy, Debug, Default)]
struct QueueEntries {
    live: List,
    finished: List,
    /// An entry was appended whose message ended before that of its neighbour.
    unsorted: bool,
}

/// All entries of a box.
#[derive(Clone, Debug, Default)]
pub struct Dedup {
    entries: Slab<Entry>,
    index: Index,
    queues: Vec<QueueEntries>,
    placed: List,
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
        let is_it = |slot| {
            let entry: &Entry = &self.entries[slot];
            entry.hash() == hash && entry.queue() == queue
        };
        self.index.find(index_hash(hash), is_it)
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

    /// What its owner counts for an entry: see [`Dedup::finish`].
    ///
    /// # Panics
    /// When the entry was removed.
    #[must_use]
    pub fn charge(&self, entry: u32) -> u32 {
        self.entries[entry].charge()
    }

    /// Takes an id for a message in `slot`. The id must be free.
    pub fn insert_live(&mut self, queue: u32, hash: u128, fingerprint: u64, slot: u32) -> u32 {
        debug_assert!(self.find(queue, hash).is_none(), "the id is taken");
        let key = self
            .entries
            .insert(Entry::live(queue, hash, fingerprint, slot));
        let entries = &self.entries;
        self.index.insert(index_hash(hash), key, |slot| {
            index_hash(entries[slot].hash())
        });
        let place = queue as usize;
        if place >= self.queues.len() {
            self.queues.resize_with(place + 1, QueueEntries::default);
        }
        self.queues[place]
            .live
            .append(Chain::Queue, &mut self.entries, key);
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
        lists.live.take(Chain::Queue, &mut self.entries, entry);
        self.entries[entry].finish(end);
        lists.unsorted |= lists
            .finished
            .last()
            .is_some_and(|last| self.entries[last].finished_at() > end.at);
        lists
            .finished
            .append(Chain::Queue, &mut self.entries, entry);
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
        if self.entries[entry].is_placed() {
            self.placed.take(Chain::Journal, &mut self.entries, entry);
        }
        debug_assert!(
            self.placed
                .last()
                .is_none_or(|last| order(self.entries[last].place()) < order(place)),
            "records are placed in the order of the journal",
        );
        self.entries[entry].set_place(place);
        self.placed.append(Chain::Journal, &mut self.entries, entry);
    }

    /// The record of a finished entry is about to be written again: it has no place until then.
    ///
    /// # Panics
    /// When the entry was removed.
    pub fn unplace(&mut self, entry: u32) {
        if self.entries[entry].is_placed() {
            self.placed.take(Chain::Journal, &mut self.entries, entry);
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
        self.queues[queue as usize]
            .live
            .append(Chain::Queue, &mut self.entries, entry);
    }

    /// Frees an id.
    ///
    /// # Panics
    /// When the entry was removed before.
    pub fn remove(&mut self, entry: u32) -> Entry {
        self.unlink(entry);
        let removed = self.entries.remove(entry);
        let was_indexed = self.index.remove(index_hash(removed.hash()), entry);
        debug_assert!(was_indexed, "every entry is in the index");
        removed
    }

    /// Frees one id of a queue that is dropped, finished ones first; none when it has no more.
    pub fn remove_any(&mut self, queue: u32) -> Option<Entry> {
        let lists = self.queues.get(queue as usize)?;
        let key = lists.finished.first().or_else(|| lists.live.first())?;
        Some(self.remove(key))
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

    /// How many entries a queue has, live and finished.
    #[must_use]
    pub fn count(&self, queue: u32) -> u64 {
        self.queues
            .get(queue as usize)
            .map_or(0, |lists| (lists.live.len() + lists.finished.len()).into())
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

    /// Ends recovery. The journal names moved entries later than they ended, and the clock may
    /// have been set back since: ends later than `now` are cut to `now`, and each queue's
    /// entries are brought into the order of their ends. Equal ends stay as they are.
    pub fn sort(&mut self, now: Timestamp) {
        for lists in &mut self.queues {
            let is_late = |last: u32| self.entries[last].finished_at() > now;
            if !lists.unsorted && !lists.finished.last().is_some_and(is_late) {
                continue;
            }
            let mut keys = Vec::with_capacity(lists.finished.len() as usize);
            while let Some(key) = lists.finished.first() {
                lists.finished.take(Chain::Queue, &mut self.entries, key);
                keys.push(key);
            }
            keys.sort_by_key(|&key| self.entries[key].finished_at());
            for key in keys {
                self.entries[key].cut_finished_at(now);
                lists.finished.append(Chain::Queue, &mut self.entries, key);
            }
            lists.unsorted = false;
        }
    }

    /// Bytes allocated for entries and index.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.entries.memory_bytes() + self.index.memory_bytes()
    }

    /// Takes an entry out of its lists.
    fn unlink(&mut self, entry: u32) {
        let (queue, is_live) = (self.entries[entry].queue(), self.entries[entry].is_live());
        if self.entries[entry].is_placed() {
            self.placed.take(Chain::Journal, &mut self.entries, entry);
        }
        let lists = &mut self.queues[queue as usize];
        let list = if is_live {
            &mut lists.live
        } else {
            &mut lists.finished
        };
        list.take(Chain::Queue, &mut self.entries, entry);
        if lists.finished.first().is_none() {
            lists.unsorted = false;
        }
    }
}

/// Ids of different queues have different hashes already.
const fn index_hash(hash: u128) -> u64 {
    hash as u64
}

const fn order(place: Place) -> (u32, u32) {
    (place.segment, place.offset)
}
