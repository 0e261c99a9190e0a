//! One producer: its watermark, and the bits of what was accepted beyond it.

use crate::journal::Place;

/// Sequences beyond the watermark that may be accepted before it.
pub const AHEAD_MAX: u64 = 1024;

const WORDS: usize = AHEAD_MAX as usize / 64;

/// Which sequences beyond a watermark were accepted: bit 0 is that of the next one.
type Ahead = [u64; WORDS];

/// A producer.
#[derive(Debug)]
pub struct Producer {
    pub(super) name: Box<str>,
    /// Of its newest handle.
    pub epoch: u64,
    pub(super) watermark: u64,
    /// None while nothing beyond the watermark was accepted.
    ahead: Option<Box<Ahead>>,
    /// Where its record stands; all zero until it is written.
    pub(super) place: Place,
}

impl Producer {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            epoch: 0,
            watermark: 0,
            ahead: None,
            place: Place::default(),
        }
    }

    /// A producer as it was written: see [`Producer::ahead_bytes`].
    pub(super) fn restore(
        &mut self,
        epoch: u64,
        watermark: u64,
        ahead: &[u8],
    ) -> Result<(), &'static str> {
        let mut bits = Ahead::default();
        if ahead.len() > size_of::<Ahead>() {
            return Err("a producer that is too far ahead");
        }
        for (index, byte) in ahead.iter().enumerate() {
            bits[index / 8] |= u64::from(*byte) << (index % 8 * 8);
        }
        (self.epoch, self.watermark) = (epoch, watermark);
        self.ahead = (!ahead.is_empty()).then(|| Box::new(bits));
        Ok(())
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
        let index = sequence - self.next() + u64::from(bug!("wrong-sequence-ahead"));
        match &self.ahead {
            Some(ahead) if index < AHEAD_MAX => {
                ahead[index as usize / 64] & (1 << (index % 64)) != 0
            }
            _ => false,
        }
    }

    /// Notes that a sequence was accepted, at most [`AHEAD_MAX`] above the watermark.
    pub(super) fn note(&mut self, sequence: u64) {
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
    pub(super) fn forget(&mut self, sequence: u64) {
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

    /// Bytes allocated beside the producer itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let ahead = self.ahead.as_deref().map_or(0, size_of_val);
        self.name.len() + ahead
    }

    /// What is ahead, as it is stored: without the zeros at its end.
    pub(super) fn ahead_bytes(&self) -> Vec<u8> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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
