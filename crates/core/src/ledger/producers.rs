//! Numbered producers: which of their sequences were accepted, for ever.
//!
//! A producer numbers what it sends from 1, without gaps, though not always in order. All up to its
//! watermark were accepted; which of the [`AHEAD_MAX`] behind that, bits tell. Opening a producer raises
//! its epoch, and whoever holds an older one is fenced.
//!
//! The record of a producer holds its whole state; each sequence has a small one beside its message. When
//! the segment with the former is cleaned it is written again, with what the latter have added since.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::recorder::{Note, Recorder};
use super::{Ledger, stored_bytes};
use crate::error::{ErrorCode, Failure};
use crate::journal::{Place, Record};

/// Sequences beyond the watermark that may be accepted before it.
pub const AHEAD_MAX: u64 = 1024;
/// Producers of one box: they are kept for ever.
const PRODUCERS_MAX: usize = 1_000_000;

const WORDS: usize = AHEAD_MAX as usize / 64;

/// Which sequences beyond a watermark were accepted: bit 0 is that of the next one.
type Ahead = [u64; WORDS];

/// A producer.
#[derive(Debug)]
pub struct Producer {
    name: Rc<str>,
    /// Of its newest handle.
    pub epoch: u64,
    watermark: u64,
    /// None while nothing beyond the watermark was accepted.
    ahead: Option<Box<Ahead>>,
    place: Place,
}

/// All producers of a box, numbered from 0 in the order in which they were opened first.
#[derive(Debug, Default)]
pub struct Producers {
    producers: BTreeMap<u32, Producer>,
    by_name: BTreeMap<Rc<str>, u32>,
    /// Where their records stand: segment, offset, producer.
    placed: BTreeSet<(u32, u32, u32)>,
}

impl Producer {
    fn new(name: &str) -> Self {
        Self {
            name: Rc::from(name),
            epoch: 0,
            watermark: 0,
            ahead: None,
            place: Place::default(),
        }
    }

    /// The lowest sequence that was not accepted.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.watermark + 1
    }

    /// Whether a sequence, from 1, was accepted.
    #[must_use]
    pub fn has(&self, sequence: u64) -> bool {
        if sequence <= self.watermark {
            return true;
        }
        let index = sequence - self.next();
        match &self.ahead {
            Some(ahead) if index < AHEAD_MAX => {
                ahead[index as usize / 64] & (1 << (index % 64)) != 0
            }
            _ => false,
        }
    }

    /// Notes that a sequence was accepted, at most [`AHEAD_MAX`] above the watermark.
    fn note(&mut self, sequence: u64) {
        if self.has(sequence) {
            return;
        }
        let index = sequence - self.next();
        debug_assert!(index < AHEAD_MAX, "checked before it was accepted");
        if index == 0 && self.ahead.is_none() {
            self.watermark = sequence;
            return;
        }
        let ahead = self.ahead.get_or_insert_default();
        ahead[index as usize / 64] |= 1 << (index % 64);
        self.advance();
    }

    /// The watermark moves over all that follow it without a gap.
    fn advance(&mut self) {
        let Some(ahead) = &mut self.ahead else { return };
        let whole = ahead.iter().take_while(|word| **word == u64::MAX).count();
        let rest = ahead.get(whole).map_or(0, |word| word.trailing_ones());
        let passed = whole * 64 + rest as usize;
        self.watermark += passed as u64;
        shift_down(ahead, passed);
        if ahead.iter().all(|word| *word == 0) {
            self.ahead = None;
        }
    }

    /// Takes back that a sequence was accepted. Of several, the highest goes first.
    fn forget(&mut self, sequence: u64) {
        if sequence <= self.watermark {
            // Those between it and the watermark are ahead of it now.
            let back = (self.watermark - sequence + 1) as usize;
            let ahead = self.ahead.get_or_insert_default();
            shift_up(ahead, back);
            for index in 1..back.min(AHEAD_MAX as usize) {
                ahead[index / 64] |= 1 << (index % 64);
            }
            self.watermark = sequence - 1;
        } else if let Some(ahead) = &mut self.ahead {
            let index = sequence - self.watermark - 1;
            ahead[index as usize / 64] &= !(1 << (index % 64));
        }
        if self
            .ahead
            .as_ref()
            .is_some_and(|ahead| ahead.iter().all(|word| *word == 0))
        {
            self.ahead = None;
        }
    }

    /// What is ahead, as it is stored: without the zeros at its end.
    fn ahead_bytes(&self) -> Vec<u8> {
        let Some(ahead) = &self.ahead else {
            return Vec::new();
        };
        let mut bytes: Vec<u8> = ahead.iter().flat_map(|word| word.to_le_bytes()).collect();
        let length = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        bytes.truncate(length);
        bytes
    }
}

/// Moves all bits down by so many; the lowest are gone.
fn shift_down(bits: &mut Ahead, by: usize) {
    let (words, rest) = (by / 64, (by % 64) as u32);
    for index in 0..WORDS {
        let low = bits.get(index + words).copied().unwrap_or(0);
        let high = bits.get(index + words + 1).copied().unwrap_or(0);
        bits[index] = low >> rest | high.checked_shl(64 - rest).unwrap_or(0);
    }
}

/// Moves all bits up by so many; the highest are gone.
fn shift_up(bits: &mut Ahead, by: usize) {
    let (words, rest) = (by / 64, (by % 64) as u32);
    let word = |bits: &Ahead, index: Option<usize>| index.map_or(0, |index| bits[index]);
    for index in (0..WORDS).rev() {
        let low = word(bits, index.checked_sub(words));
        let lower = word(bits, index.checked_sub(words + 1));
        bits[index] = low << rest | lower.checked_shr(64 - rest).unwrap_or(0);
    }
}

impl Producers {
    /// The producer with this number.
    #[must_use]
    pub fn get(&self, producer: u32) -> Option<&Producer> {
        self.producers.get(&producer)
    }

    /// The producer whose record comes first in the journal, and where.
    #[must_use]
    pub fn oldest_place(&self) -> Option<(u32, u32)> {
        let (segment, _, producer) = self.placed.first()?;
        Some((*producer, *segment))
    }

    fn insert(&mut self, number: u32, producer: Producer) {
        self.by_name.insert(Rc::clone(&producer.name), number);
        self.producers.insert(number, producer);
    }

    /// Forgets where the record of a producer stands; tells where that was.
    fn unplace(&mut self, producer: u32) -> Place {
        let Some(known) = self.producers.get_mut(&producer) else {
            return Place::default();
        };
        let place = std::mem::take(&mut known.place);
        self.placed.remove(&(place.segment, place.offset, producer));
        place
    }
}

impl Ledger {
    /// Opens the producer with this name, which fences its older handles; gives its number.
    pub fn open_producer(&mut self, name: &str, out: &mut impl Recorder) -> Result<u32, Failure> {
        let producers = &mut self.producers;
        let producer = match producers.by_name.get(name) {
            Some(known) => *known,
            None => {
                if producers.producers.len() >= PRODUCERS_MAX {
                    let message = format!("a box keeps at most {PRODUCERS_MAX} producers");
                    return Err(Failure::new(ErrorCode::QueueFull, message));
                }
                let last = producers.producers.last_key_value();
                let number = last.map_or(0, |(last, _)| last + 1);
                producers.insert(number, Producer::new(name));
                number
            }
        };
        self.producer_mut(producer).epoch += 1;
        self.write_producer(producer, out);
        Ok(producer)
    }

    /// A sequence of a producer was accepted.
    pub fn note_produced(&mut self, producer: u32, sequence: u64, out: &mut impl Recorder) {
        out.write(&Record::Produced { producer, sequence }, Note::None);
        self.producer_mut(producer).note(sequence);
    }

    /// Takes back that a sequence of a producer was accepted. Of several, the highest goes first.
    pub fn forget_produced(&mut self, producer: u32, sequence: u64) {
        self.producer_mut(producer).forget(sequence);
    }

    /// Writes the whole state of a producer.
    pub fn write_producer(&self, producer: u32, out: &mut impl Recorder) {
        let known = &self.producers.producers[&producer];
        let record = Record::Producer {
            producer,
            epoch: known.epoch,
            watermark: known.watermark,
            name: &known.name,
            ahead: &known.ahead_bytes(),
        };
        out.write(&record, Note::Producer { producer });
    }

    /// Writes a producer again, since the segment of its record is cleaned.
    pub fn rewrite_producer(&mut self, producer: u32, out: &mut impl Recorder) {
        let old = self.producers.unplace(producer);
        self.live_bytes -= stored_bytes(old);
        self.write_producer(producer, out);
    }

    /// The record of a producer has its place now.
    pub(super) fn place_producer(&mut self, producer: u32, place: Place) {
        let old = self.producers.unplace(producer);
        self.live_bytes -= stored_bytes(old);
        self.producer_mut(producer).place = place;
        let key = (place.segment, place.offset, producer);
        self.producers.placed.insert(key);
        self.live_bytes += stored_bytes(place);
    }

    /// The state of a producer as it was written.
    pub(super) fn replay_producer(
        &mut self,
        record: &Record<'_>,
        place: Place,
    ) -> Result<(), &'static str> {
        let Record::Producer {
            producer,
            epoch,
            watermark,
            name,
            ahead,
        } = *record
        else {
            return Ok(());
        };
        match self.producers.producers.get(&producer) {
            None => self.producers.insert(producer, Producer::new(name)),
            Some(known) if *known.name == *name => {}
            Some(_) => return Err("a producer under another name"),
        }
        let mut bits = Ahead::default();
        if ahead.len() > size_of::<Ahead>() {
            return Err("a producer that is too far ahead");
        }
        for (index, byte) in ahead.iter().enumerate() {
            bits[index / 8] |= u64::from(*byte) << (index % 8 * 8);
        }
        let known = self.producer_mut(producer);
        (known.epoch, known.watermark) = (epoch, watermark);
        known.ahead = (!ahead.is_empty()).then(|| Box::new(bits));
        self.place_producer(producer, place);
        Ok(())
    }

    /// A sequence that was accepted. A producer that is not known comes later, with its whole state.
    pub(super) fn replay_produced(
        &mut self,
        producer: u32,
        sequence: u64,
    ) -> Result<(), &'static str> {
        let Some(known) = self.producers.producers.get_mut(&producer) else {
            return Ok(());
        };
        if sequence >= known.next() + AHEAD_MAX {
            return Err("a sequence that is too far ahead");
        }
        known.note(sequence);
        Ok(())
    }

    fn producer_mut(&mut self, producer: u32) -> &mut Producer {
        let known = self.producers.producers.get_mut(&producer);
        known.expect("producers are kept for ever")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drawn from a seed, so that a failure can be repeated.
    fn random(state: &mut u64, below: u64) -> u64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % below
    }

    fn compare(producer: &Producer, model: &BTreeSet<u64>) {
        let next = (1..)
            .find(|sequence| !model.contains(sequence))
            .expect("endless");
        assert_eq!(producer.next(), next);
        for sequence in 1..next + AHEAD_MAX + 5 {
            assert_eq!(
                producer.has(sequence),
                model.contains(&sequence),
                "{sequence}"
            );
        }
        let last = model.last().copied().unwrap_or(0);
        assert_eq!(
            producer.ahead.is_some(),
            last >= next,
            "no bits without need"
        );
    }

    #[test]
    fn it_knows_what_a_plain_set_knows() {
        for seed in 0..20 {
            let mut state = seed;
            let (mut producer, mut model) = (Producer::new("p"), BTreeSet::new());
            for _ in 0..400 {
                let reach = [1, 3, 70, AHEAD_MAX][random(&mut state, 4) as usize];
                let mut taken = Vec::new();
                for _ in 0..random(&mut state, 40) {
                    let sequence = producer.next() + random(&mut state, reach);
                    if model.insert(sequence) {
                        taken.push(sequence);
                        producer.note(sequence);
                    }
                }
                if random(&mut state, 3) == 0 {
                    taken.sort_unstable();
                    for sequence in taken.into_iter().rev() {
                        model.remove(&sequence);
                        producer.forget(sequence);
                    }
                }
            }
            compare(&producer, &model);
        }
    }

    #[test]
    fn all_that_may_be_ahead_is_taken_back() {
        let mut producer = Producer::new("p");
        for sequence in 2..=AHEAD_MAX {
            producer.note(sequence);
        }
        assert_eq!((producer.next(), producer.ahead_bytes().len()), (1, 128));
        producer.note(1);
        assert_eq!(
            (producer.next(), producer.ahead.is_none()),
            (AHEAD_MAX + 1, true)
        );
        producer.forget(1);
        compare(&producer, &(2..=AHEAD_MAX).collect());
    }
}
