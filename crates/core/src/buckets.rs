//! Chains by hash: linear hashing (Litwin, "Linear Hashing: A New Tool for File and Table Addressing", 1980).
//!
//! What is filed goes by a small number and lies elsewhere, together with its hash and with the number that
//! comes after it in its chain: see [`Links`]. There is one bucket for every [`LOAD`] of them. Each insert
//! adds at most one bucket and moves the half of one chain into it, so growing is never felt, and the cost
//! of one of them is the same at every size: its link, and a part of a bucket. Buckets lie in pages. What
//! is taken out frees no buckets.
//!
//! Most keys that are asked for are new, and the links of a chain lie anywhere in memory. A bucket
//! therefore has a filter (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors", 1970, with
//! one bit for each): whoever finds his bit missing need not look at a single one.

use crate::slab::NONE;

/// What is filed in one bucket, on average.
const LOAD: usize = 2;
/// Buckets of one page.
const PAGE: usize = 1_024;

/// Where the chains lie.
pub(crate) trait Links {
    /// What a number is filed under, spread in all bits.
    fn hash(&self, key: u32) -> u64;
    /// The one after it in its chain.
    fn next(&self, key: u32) -> u32;
    /// Puts another one after it.
    fn set_next(&mut self, key: u32, next: u32);
}

/// One chain, in six bytes.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// The first of it, in two halves: a whole word would cost two bytes of padding.
    head: [u16; 2],
    /// The bits of all in the chain.
    filter: u16,
}

/// All chains.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buckets {
    /// All but the last one are full.
    pages: Vec<Vec<Bucket>>,
    buckets: usize,
}

impl Buckets {
    /// Who is filed under this hash and recognised by `is_it`.
    pub(crate) fn find(
        &self,
        links: &impl Links,
        hash: u64,
        mut is_it: impl FnMut(u32) -> bool,
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
            if is_it(at) {
                return Some(at);
            }
            at = links.next(at);
        }
        None
    }

    /// Files a number that is not in there yet; `count`: so many are, with it.
    pub(crate) fn insert(&mut self, links: &mut impl Links, key: u32, count: usize) {
        if count > LOAD * self.buckets {
            self.grow(links);
        }
        self.link(links, key);
    }

    /// Takes a number out; false if it was not there.
    pub(crate) fn remove(&mut self, links: &mut impl Links, key: u32) -> bool {
        if self.buckets == 0 {
            return false;
        }
        let place = self.place_of(links.hash(key));
        let mut bucket = Bucket::EMPTY;
        let mut was_there = false;
        let mut last = NONE;
        let mut at = self.at(place).first();
        while at != NONE {
            let after = links.next(at);
            if at == key {
                was_there = true;
                if last != NONE {
                    links.set_next(last, after);
                }
            } else {
                bucket.filter |= bit_of(links.hash(at));
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
    pub(crate) fn memory_bytes(&self) -> usize {
        let buckets: usize = self.pages.iter().map(Vec::capacity).sum();
        buckets * size_of::<Bucket>() + self.pages.capacity() * size_of::<Vec<Bucket>>()
    }

    /// Adds a bucket, and gives it what belongs there of the chain that it is split off.
    fn grow(&mut self, links: &mut impl Links) {
        let new = self.buckets;
        if new.is_multiple_of(PAGE) {
            // The first page grows with what is in it: most tables of a small box stay far below one page.
            let capacity = if new == 0 { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(capacity));
        }
        self.pages[new / PAGE].push(Bucket::EMPTY);
        self.buckets += 1;
        if new == 0 {
            return;
        }
        let old = new - (1 << new.ilog2());
        let mut at = std::mem::replace(self.at_mut(old), Bucket::EMPTY).first();
        while at != NONE {
            let next = links.next(at);
            self.link(links, at);
            at = next;
        }
    }

    fn link(&mut self, links: &mut impl Links, key: u32) {
        let hash = links.hash(key);
        let place = self.place_of(hash);
        let bucket = self.at_mut(place);
        links.set_next(key, bucket.first());
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

    fn set_first(&mut self, key: u32) {
        self.head = [key as u16, (key >> 16) as u16];
    }
}

/// The bit of a hash, from its top: its low bits say which bucket.
const fn bit_of(hash: u64) -> u16 {
    1 << (hash >> 60)
}
