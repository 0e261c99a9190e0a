//! Sets of numbered entries in an order that the entries themselves tell: 4 bytes each, and no links.
//!
//! Numbers of entries lie in chunks, each under a rank that is at or below that of its first. What an
//! entry ranks is asked for anew each time: it must not change while the entry is in the set. Appending
//! and taking the first cost O(1) but for the map of chunks; everything else is two binary searches and
//! moves at most half a chunk.

use std::collections::{BTreeMap, VecDeque};

/// Where an entry stands; those of equal rank stand in the order in which they came.
pub(super) type Rank = (u64, u64);

/// Entries of one chunk at most, unless all of them rank equal.
const CHUNK: usize = 512;
/// A chunk that holds fewer is joined with the next one if both fill half a chunk.
const SPARSE: usize = CHUNK / 4;

#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    chunks: BTreeMap<Rank, VecDeque<u32>>,
    len: u32,
}

impl Order {
    pub(super) const fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn first(&self) -> Option<u32> {
        self.chunks.first_key_value()?.1.front().copied()
    }

    pub(super) fn last(&self) -> Option<u32> {
        self.chunks.last_key_value()?.1.back().copied()
    }

    /// Adds an entry that is not in the set.
    pub(super) fn insert(&mut self, entry: u32, rank: impl Fn(u32) -> Rank) {
        let at = rank(entry);
        self.len += 1;
        let Some(mut home) = self.home(at) else {
            self.chunks.insert(at, VecDeque::from([entry]));
            return;
        };
        if at < home {
            let first = self.chunks.remove(&home).expect("found just now");
            self.chunks.insert(at, first);
            home = at;
        }
        let chunk = self.chunks.get_mut(&home).expect("found just now");
        let last = chunk.back().map(|last| rank(*last));
        if chunk.len() >= CHUNK {
            if last.is_some_and(|last| last < at) {
                self.chunks.insert(at, VecDeque::from([entry]));
                return;
            }
            if self.split(home, &rank) {
                self.len -= 1;
                return self.insert(entry, rank);
            }
        }
        let chunk = self.chunks.get_mut(&home).expect("found just now");
        let place = if last.is_none_or(|last| last <= at) {
            chunk.len()
        } else {
            chunk.partition_point(|other| rank(*other) <= at)
        };
        chunk.insert(place, entry);
    }

    /// Takes out an entry that is in the set.
    pub(super) fn remove(&mut self, entry: u32, rank: impl Fn(u32) -> Rank) {
        let at = rank(entry);
        let home = self.home(at).expect("the entry is in the set");
        let chunk = self.chunks.get_mut(&home).expect("found just now");
        let mut place = match chunk.front() {
            Some(first) if *first == entry => 0,
            _ => chunk.partition_point(|other| rank(*other) < at),
        };
        while chunk[place] != entry {
            place += 1;
        }
        chunk.remove(place);
        self.len -= 1;
        if chunk.len() < SPARSE {
            self.join(home);
        }
    }

    /// Bytes allocated for the entries.
    pub(super) fn memory_bytes(&self) -> usize {
        let slots: usize = self.chunks.values().map(VecDeque::capacity).sum();
        slots * size_of::<u32>()
    }

    /// The chunk that a rank belongs to.
    fn home(&self, at: Rank) -> Option<Rank> {
        let below = self.chunks.range(..=at).next_back();
        let (home, _) = below.or_else(|| self.chunks.first_key_value())?;
        Some(*home)
    }

    /// Halves a full chunk. Equals stay together, for their chunk is found by their rank: false if it
    /// holds nothing else.
    fn split(&mut self, home: Rank, rank: impl Fn(u32) -> Rank) -> bool {
        let chunk = self.chunks.get_mut(&home).expect("found just now");
        let middle = rank(chunk[chunk.len() / 2]);
        let mut at = chunk.partition_point(|other| rank(*other) < middle);
        if at == 0 {
            at = chunk.partition_point(|other| rank(*other) <= middle);
        }
        let upper = chunk.split_off(at);
        let Some(first) = upper.front() else {
            return false;
        };
        let first = rank(*first);
        chunk.shrink_to_fit();
        self.chunks.insert(first, upper);
        true
    }

    /// Joins a sparse chunk with the next one, or removes it if it is empty.
    fn join(&mut self, home: Rank) {
        let chunk = &self.chunks[&home];
        if chunk.is_empty() {
            self.chunks.remove(&home);
            return;
        }
        let next = self
            .chunks
            .range((std::ops::Bound::Excluded(home), std::ops::Bound::Unbounded))
            .next();
        if let Some((next, other)) = next.map(|(next, other)| (*next, other.len()))
            && chunk.len() + other <= CHUNK / 2
        {
            let mut upper = self.chunks.remove(&next).expect("found just now");
            let chunk = self.chunks.get_mut(&home).expect("found just now");
            chunk.append(&mut upper);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// An order beside a set that is kept whole. The rank of an entry is told by its number, and every
    /// three of them are equals.
    #[derive(Default)]
    struct Pair {
        order: Order,
        whole: BTreeSet<(Rank, u32)>,
    }

    fn rank(entry: u32) -> Rank {
        (u64::from(entry / 3), 0)
    }

    impl Pair {
        fn insert(&mut self, entry: u32) {
            self.order.insert(entry, rank);
            self.whole.insert((rank(entry), entry));
        }

        fn remove(&mut self, entry: u32) {
            self.order.remove(entry, rank);
            self.whole.remove(&(rank(entry), entry));
        }

        /// All that both hold, in the order of their ranks; and no chunk is larger than it may be.
        fn check(&self) {
            let chunks = self.order.chunks.iter();
            let mut held = Vec::new();
            for (home, chunk) in chunks {
                assert!((1..=CHUNK).contains(&chunk.len()));
                assert!(*home <= rank(chunk[0]), "found by its rank");
                held.extend(chunk);
            }
            assert!(held.is_sorted_by_key(|entry| rank(*entry)));
            assert_eq!(self.order.len() as usize, held.len());
            held.sort_unstable();
            let whole: Vec<u32> = self.whole.iter().map(|(_, entry)| *entry).collect();
            assert_eq!(held, whole);
            let ends = (self.order.first(), self.order.last());
            assert_eq!(
                (ends.0.map(rank), ends.1.map(rank)),
                (
                    whole.first().copied().map(rank),
                    whole.last().copied().map(rank)
                )
            );
        }
    }

    #[test]
    fn it_holds_what_was_put_in_wherever_that_comes_and_goes() {
        let many = 6 * CHUNK as u32;
        let ways: [fn(u32, u32) -> u32; 3] = [
            |at, _| at,
            |at, many| many - 1 - at,
            // 7919 is prime to the number of entries.
            |at, many| at * 7919 % many,
        ];
        for put in ways {
            for take in ways {
                let mut pair = Pair::default();
                for at in 0..many {
                    pair.insert(put(at, many));
                }
                pair.check();
                let most = pair.order.chunks.len();
                assert!(
                    (6..=13).contains(&most),
                    "in chunks, each half full at least"
                );
                for at in 0..many {
                    pair.remove(take(at, many));
                    if at % (many / 16) == 0 {
                        pair.check();
                    }
                    if at == many - many / 8 {
                        assert!(pair.order.chunks.len() <= most / 2, "sparse chunks join");
                        for at in 0..many / 16 {
                            let back = take(at, many);
                            pair.insert(back);
                            pair.remove(back);
                        }
                    }
                }
                pair.check();
                assert!(pair.order.chunks.is_empty());
            }
        }
    }

    #[test]
    fn equals_stay_together_however_many_they_are() {
        let rank = |entry: u32| (u64::from(entry / 700), 0);
        let mut order = Order::default();
        let many = 5 * 700;
        for at in 0..many {
            order.insert(at * 7919 % many, rank);
        }
        let at_most = |chunk: &VecDeque<u32>| chunk.len() <= 700;
        assert!(order.chunks.values().all(at_most));
        for entry in 0..many {
            order.remove(entry, rank);
        }
        assert_eq!((order.len(), order.chunks.len()), (0, 0));
    }
}
