//! Chains of entries by hash: linear hashing.
//!
//! There is one bucket for every [`LOAD`] entries. Each insert adds at most one bucket and moves the half
//! of one chain into it, so growing is never felt, and the cost of an entry is the same at every size:
//! its link, and a part of a bucket. Buckets lie in pages. What frees ids frees no buckets.
//!
//! Most ids that are asked for are new, and the entries of a chain lie anywhere in memory. A bucket
//! therefore has a filter (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", 1970, with
//! one bit an entry): whoever finds his bit missing need not look at a single one.

use super::entry::Entry;
use crate::slab::{NONE, Slab};

/// Entries of one bucket on average.
const LOAD: usize = 2;
/// Buckets of one page.
const PAGE: usize = 1_024;

/// One chain, in six bytes.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The first entry, in two halves: a whole word would cost two bytes of padding.
    head: [u16; 2],
    /// The bits of all entries of the chain.
    filter: u16,
}

/// All chains.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    pages: Vec<Box<[Bucket]>>,
    buckets: usize,
}

impl Buckets {
    /// The entry with this hash that `is_it` recognises.
    pub(super) fn find(
        &self,
        entries: &Slab<Entry>,
        hash: u64,
        is_it: impl Fn(&Entry) -> bool,
    ) -> Option<u32> {
        if self.buckets == 0 {
            return None;
        }
        let bucket = self.at(self.place_of(hash));
        if bucket.filter & bit_of(hash) == 0 {
            return None;
        }
        let mut at = bucket.first();
        while at != NONE {
            let entry = &entries[at];
            if is_it(entry) {
                return Some(at);
            }
            at = entry.next;
        }
        None
    }

    /// Adds an entry that is not in there yet.
    pub(super) fn insert(&mut self, entries: &mut Slab<Entry>, key: u32) {
        if entries.len() > LOAD * self.buckets {
            self.grow(entries);
        }
        self.link(entries, key);
    }

    /// Takes an entry out; false if it was not there.
    pub(super) fn remove(&mut self, entries: &mut Slab<Entry>, key: u32) -> bool {
        let Entry { next, .. } = entries[key];
        let place = self.place_of(entries[key].filing());
        let mut bucket = Bucket::EMPTY;
        let mut was_there = false;
        let mut last = NONE;
        let mut at = self.at(place).first();
        while at != NONE {
            let entry = &entries[at];
            let after = entry.next;
            if at == key {
                was_there = true;
                if last != NONE {
                    entries[last].next = next;
                }
            } else {
                bucket.filter |= bit_of(entry.filing());
                if last == NONE {
                    bucket.set_first(at);
                }
                last = at;
            }
            at = after;
        }
        *self.at_mut(place) = bucket;
        was_there
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        self.pages.len() * PAGE * size_of::<Bucket>()
            + self.pages.capacity() * size_of::<Box<[Bucket]>>()
    }

    /// Adds a bucket, and gives it what belongs there of the chain that it is split off.
    fn grow(&mut self, entries: &mut Slab<Entry>) {
        let new = self.buckets;
        if new.is_multiple_of(PAGE) {
            self.pages
                .push(vec![Bucket::EMPTY; PAGE].into_boxed_slice());
        }
        self.buckets += 1;
        if new == 0 {
            return;
        }
        let old = new - (1 << new.ilog2());
        let mut at = std::mem::replace(self.at_mut(old), Bucket::EMPTY).first();
        while at != NONE {
            let next = entries[at].next;
            self.link(entries, at);
            at = next;
        }
    }

    fn link(&mut self, entries: &mut Slab<Entry>, key: u32) {
        let hash = entries[key].filing();
        let place = self.place_of(hash);
        let bucket = self.at_mut(place);
        entries[key].next = bucket.first();
        bucket.set_first(key);
        bucket.filter |= bit_of(hash);
    }

    /// Where a hash belongs: among the next power of two, if there is such a bucket yet.
    fn place_of(&self, hash: u64) -> usize {
        let mask = self.buckets.next_power_of_two() - 1;
        let place = hash as usize & mask;
        if place < self.buckets {
            place
        } else {
            place & (mask >> 1)
        }
    }

    fn at(&self, place: usize) -> &Bucket {
        &self.pages[place / PAGE][place % PAGE]
    }

    fn at_mut(&mut self, place: usize) -> &mut Bucket {
        &mut self.pages[place / PAGE][place % PAGE]
    }
}

impl Bucket {
    const EMPTY: Self = Self {
        head: [u16::MAX; 2],
        filter: 0,
    };

    fn first(self) -> u32 {
        u32::from(self.head[0]) | u32::from(self.head[1]) << 16
    }

    fn set_first(&mut self, entry: u32) {
        self.head = [entry as u16, (entry >> 16) as u16];
    }
}

/// The bit of a hash, from its top: its low bits say which bucket.
const fn bit_of(hash: u64) -> u16 {
    1 << (hash >> 60)
}
