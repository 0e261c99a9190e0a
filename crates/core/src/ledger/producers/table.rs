//! All producers of a box: by number, by name, and by where their records stand.
//!
//! Producers lie in pages under their numbers and are never moved. The other two ways to them keep
//! nothing but numbers: an [`Index`] for names, an [`Order`] for places. A producer without a gap with a
//! name of 20 bytes takes at most 110 bytes of all this, one with a gap 128 more for its bits.

use super::producer::Producer;
use crate::hash;
use crate::index::Index;
use crate::journal::Place;
use crate::ledger::order::{Order, Rank};

/// Producers of one box: they are kept for ever.
pub(super) const PRODUCERS_MAX: u32 = 1_000_000;
/// Producers of one page.
const PAGE: usize = 1024;

/// All producers of a box, numbered from 0 in the order in which they were opened first.
#[derive(Debug, Default)]
pub struct Producers {
    /// All but the last one are full. A number is free only while the records are being replayed.
    pages: Vec<Vec<Option<Producer>>>,
    by_name: Index,
    /// Those whose record has a place, by it.
    placed: Order,
}

impl Producers {
    /// The producer with this number.
    #[must_use]
    pub fn get(&self, producer: u32) -> Option<&Producer> {
        let (page, place) = split(producer);
        self.pages.get(page)?.get(place)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, producer: u32) -> Option<&mut Producer> {
        let (page, place) = split(producer);
        self.pages.get_mut(page)?.get_mut(place)?.as_mut()
    }

    /// The number of the producer with this name.
    pub(super) fn find(&self, key: &[u8; 16], name: &str) -> Option<u32> {
        let is_it = |number| self.get(number).is_some_and(|known| *known.name == *name);
        self.by_name.find(name_hash(key, name), is_it)
    }

    /// The number of the next new producer.
    pub(super) fn end(&self) -> u32 {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        (full + self.pages.last().map_or(0, Vec::len)) as u32
    }

    /// Adds a producer under a number below [`PRODUCERS_MAX`] that is free, and a name that is.
    pub(super) fn insert(&mut self, key: &[u8; 16], number: u32, name: &str) {
        let (page, place) = split(number);
        while self.end() <= number {
            self.append_vacant();
        }
        self.pages[page][place] = Some(Producer::new(name));
        self.by_name.insert(name_hash(key, name), number);
    }

    fn append_vacant(&mut self) {
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            // The first page grows with what is in it: most boxes have few producers.
            let capacity = if self.pages.is_empty() { 0 } else { PAGE };
            self.pages.push(Vec::with_capacity(capacity));
        }
        self.pages.last_mut().expect("one has room").push(None);
    }

    /// The producer whose record comes first in the journal, and in which segment.
    #[must_use]
    pub fn oldest_place(&self) -> Option<(u32, u32)> {
        let producer = self.placed.first()?;
        Some((producer, self.get(producer)?.place.segment))
    }

    /// Notes where the record of a producer stands, which has no place yet.
    pub(super) fn place(&mut self, producer: u32, place: Place) {
        let known = self.get_mut(producer);
        known.expect("producers are kept for ever").place = place;
        let pages = &self.pages;
        self.placed.insert(producer, |other| rank(pages, other));
    }

    /// Forgets where the record of a producer stands; tells where that was.
    pub(super) fn unplace(&mut self, producer: u32) -> Place {
        let place = self.get(producer).map(|known| known.place);
        let place = place.unwrap_or_default();
        if place != Place::default() {
            let pages = &self.pages;
            self.placed.remove(producer, |other| rank(pages, other));
            let known = self.get_mut(producer);
            known.expect("it has a place").place = Place::default();
        }
        place
    }

    /// Bytes allocated.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let slots: usize = self.pages.iter().map(Vec::capacity).sum();
        let pages = self.pages.capacity() * size_of::<Vec<Option<Producer>>>();
        let producers = self.pages.iter().flatten().flatten();
        let own: usize = producers.map(Producer::memory_bytes).sum();
        let found = self.by_name.memory_bytes() + self.placed.memory_bytes();
        slots * size_of::<Option<Producer>>() + pages + own + found
    }
}

fn name_hash(key: &[u8; 16], name: &str) -> u64 {
    hash::producer_hash(key, name.as_bytes())
}

/// Where the record of a producer that has a place stands.
fn rank(pages: &[Vec<Option<Producer>>], producer: u32) -> Rank {
    let (page, place) = split(producer);
    let known = pages[page][place].as_ref().expect("it has a place");
    (known.place.segment.into(), known.place.offset.into())
}

const fn split(number: u32) -> (usize, usize) {
    (number as usize / PAGE, number as usize % PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    /// A name of 20 bytes.
    fn name(number: u32) -> String {
        format!("producer-{number:011}")
    }

    fn place(record: u32) -> Place {
        Place {
            segment: 1 + record / 50_000,
            offset: 128 + record % 50_000 * 80,
            length: 60,
        }
    }

    /// So many producers, each with its record.
    fn opened(count: u32) -> Producers {
        let mut producers = Producers::default();
        for number in 0..count {
            producers.insert(&KEY, number, &name(number));
            producers.place(number, place(number));
        }
        producers
    }

    fn bytes_each(producers: &Producers) -> f64 {
        producers.memory_bytes() as f64 / f64::from(producers.end())
    }

    #[test]
    fn a_producer_without_a_gap_takes_a_hundred_and_ten_bytes_at_most() {
        for count in [10_000, 65_537, 131_073, 300_000] {
            let mut producers = opened(count);
            for number in 0..count {
                let producer = producers.get_mut(number).expect("opened above");
                (1..=3).for_each(|sequence| producer.note(sequence));
            }
            let bytes = bytes_each(&producers);
            assert!(bytes <= 110.0, "{bytes} bytes each of {count}");
        }
    }

    #[test]
    fn a_gap_takes_the_bits_of_what_is_behind_it_until_it_closes() {
        let mut producers = opened(20_000);
        let without = bytes_each(&producers);
        for number in 0..20_000 {
            producers.get_mut(number).expect("opened above").note(2);
        }
        let with = bytes_each(&producers);
        assert!((with - without - 128.0).abs() < 0.01, "{without} to {with}");
        assert!(with <= 240.0, "{with} bytes each with a gap");
        for number in 0..20_000 {
            producers.get_mut(number).expect("opened above").note(1);
        }
        assert_eq!(bytes_each(&producers), without);
    }

    #[test]
    fn records_that_are_written_again_anywhere_leave_little_behind() {
        let mut producers = opened(60_000);
        for again in 0..120_000_u32 {
            let number = again.wrapping_mul(7_919) % 60_000;
            producers.unplace(number);
            producers.place(number, place(60_000 + again));
        }
        let bytes = bytes_each(&producers);
        assert!(bytes <= 110.0, "{bytes} bytes each");
    }

    #[test]
    fn they_are_found_by_name_and_by_place_in_whatever_order_they_came() {
        let mut producers = Producers::default();
        for number in [2_500, 3, 0, 1_023, 1_024] {
            assert_eq!(producers.find(&KEY, &name(number)), None);
            producers.insert(&KEY, number, &name(number));
            producers.place(number, place(9_000 - number));
        }
        assert_eq!(producers.end(), 2_501);
        for number in [0, 3, 1_023, 1_024, 2_500] {
            assert_eq!(producers.find(&KEY, &name(number)), Some(number));
        }
        assert!(producers.get(1).is_none() && producers.get(2_501).is_none());
        let mut in_order = Vec::new();
        while let Some((producer, _)) = producers.oldest_place() {
            in_order.push(producer);
            assert_eq!(producers.unplace(producer), place(9_000 - producer));
            assert_eq!(producers.unplace(producer), Place::default());
        }
        assert_eq!(in_order, [2_500, 1_024, 1_023, 3, 0]);
    }
}
