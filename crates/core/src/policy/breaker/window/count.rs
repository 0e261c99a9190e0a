//! The last so many calls: a ring of two bits a call, and running totals.

use super::Totals;

/// Bits of a word of the ring.
const WORD: usize = u64::BITS as usize;

/// Results of the last calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct CountWindow {
    failed: Box<[u64]>,
    slow: Box<[u64]>,
    size: usize,
    /// Where the next result goes, and the oldest one is once the ring is full.
    next: usize,
    totals: Totals,
}

impl CountWindow {
    pub(super) fn new(size: u32) -> Self {
        let words = (size as usize).div_ceil(WORD);
        Self {
            failed: vec![0; words].into(),
            slow: vec![0; words].into(),
            size: size as usize,
            next: 0,
            totals: Totals::default(),
        }
    }

    /// Of both rings.
    pub(super) fn bytes(size: u32) -> usize {
        2 * (size as usize).div_ceil(WORD) * size_of::<u64>()
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool) {
        let full = self.totals.calls as usize == self.size;
        let (failed_before, slow_before) = (
            exchange(&mut self.failed, self.next, failed),
            exchange(&mut self.slow, self.next, slow),
        );
        // A ring that is not full holds nothing but zeros there.
        if full {
            self.totals.calls -= 1;
            self.totals.failures -= u32::from(failed_before);
            self.totals.slow -= u32::from(slow_before);
        }
        self.totals.add(failed, slow);
        self.next = (self.next + 1) % self.size;
    }

    /// So many results that neither failed nor were slow.
    pub(super) fn record_successes(&mut self, times: u32) {
        let mut left = times;
        while left > 0 && !self.totals.is_spotless() {
            self.record(false, false);
            left -= 1;
        }
        // The ring holds nothing but zeros, which stay.
        let size = self.size as u32;
        self.totals.calls = self.totals.calls.saturating_add(left).min(size);
        self.next = (self.next + left as usize) % self.size;
    }

    pub(super) fn totals(&self) -> Totals {
        self.totals
    }
}

/// Writes one bit and gives what stood there.
fn exchange(words: &mut [u64], at: usize, value: bool) -> bool {
    let (word, bit) = (&mut words[at / WORD], at % WORD);
    let before = *word >> bit & 1 == 1;
    *word = *word & !(1 << bit) | u64::from(value) << bit;
    before
}
