//! Chains of entries by hash: linear hashing.
//!
//! There is one bucket for every [`LOAD`] entries. Each insert adds at most one bucket and moves the half
//! of one chain into it, so growing is never felt, and the cost of an entry is the same at every size:
//! its link, and a part of a bucket. Buckets lie in pages. What frees ids frees no buckets.

use super::entry::Entry;
use crate::slab::{NONE, Slab};

/// Entries of one bucket on average.
const LOAD: usize = 2;
/// Buckets of one page.
const PAGE: usize = 1_024;

/// The first entry of each chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    pages: Vec<Box<[u32]>>,
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
        let mut at = *self.head(self.bucket(hash));
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
        let bucket = self.bucket(entries[key].filing());
        let mut at = *self.head(bucket);
        if at == key {
            *self.head_mut(bucket) = next;
            return true;
        }
        while at != NONE {
            let entry = &mut entries[at];
            if entry.next == key {
                entry.next = next;
                return true;
            }
            at = entry.next;
        }
        false
    }

    /// Bytes allocated.
    pub(super) fn memory_bytes(&self) -> usize {
        self.pages.len() * PAGE * size_of::<u32>() + self.pages.capacity() * size_of::<Box<[u32]>>()
    }

    /// Adds a bucket, and gives it what belongs there of the chain that it is split off.
    fn grow(&mut self, entries: &mut Slab<Entry>) {
        let new = self.buckets;
        if new.is_multiple_of(PAGE) {
            self.pages.push(vec![NONE; PAGE].into_boxed_slice());
        }
        self.buckets += 1;
        if new == 0 {
            return;
        }
        let old = new - (1 << new.ilog2());
        let mut at = std::mem::replace(self.head_mut(old), NONE);
        while at != NONE {
            let next = entries[at].next;
            self.link(entries, at);
            at = next;
        }
    }

    fn link(&mut self, entries: &mut Slab<Entry>, key: u32) {
        let bucket = self.bucket(entries[key].filing());
        let head = self.head_mut(bucket);
        entries[key].next = std::mem::replace(head, key);
    }

    /// Where a hash belongs: among the next power of two, if there is such a bucket yet.
    fn bucket(&self, hash: u64) -> usize {
        let mask = self.buckets.next_power_of_two() - 1;
        let bucket = hash as usize & mask;
        if bucket < self.buckets {
            bucket
        } else {
            bucket & (mask >> 1)
        }
    }

    fn head(&self, bucket: usize) -> &u32 {
        &self.pages[bucket / PAGE][bucket % PAGE]
    }

    fn head_mut(&mut self, bucket: usize) -> &mut u32 {
        &mut self.pages[bucket / PAGE][bucket % PAGE]
    }
}
