//! The calls of the last so many milliseconds, in ten buckets that know their own time.
//!
//! A bucket's number is its time divided by its length, not its place in a ring that somebody turns: after any
//! pause the buckets that have grown too old are known as such, however many there are.

use super::Totals;

/// A window moves on in tenths of itself.
const BUCKETS: u64 = 10;

/// Results of the last milliseconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct TimeWindow {
    bucket_ms: u64,
    /// By their numbers modulo their count.
    buckets: Box<[Totals]>,
    /// The highest number that was recorded in.
    newest: u64,
    totals: Totals,
}

impl TimeWindow {
    /// Of its buckets.
    pub(super) const BYTES_MAX: usize = BUCKETS as usize * size_of::<Totals>();

    pub(super) fn new(window_ms: u64) -> Self {
        let bucket_ms = window_ms.div_ceil(BUCKETS).max(1);
        let count = window_ms.div_ceil(bucket_ms).max(1);
        Self {
            bucket_ms,
            buckets: vec![Totals::default(); count as usize].into(),
            newest: 0,
            totals: Totals::default(),
        }
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool, now: u64) {
        self.move_to(now);
        let place = self.place(self.newest);
        self.buckets[place].add(failed, slow);
        self.totals.add(failed, slow);
    }

    pub(super) fn record_successes(&mut self, times: u32, now: u64) {
        self.move_to(now);
        let bucket = &mut self.buckets[(self.newest % self.buckets.len() as u64) as usize];
        bucket.calls = bucket.calls.saturating_add(times);
        self.totals.calls = self.totals.calls.saturating_add(times);
    }

    /// What it holds at an instant, without moving it there.
    pub(super) fn totals(&self, now: u64) -> Totals {
        let mut totals = self.totals;
        for number in self.outdated(now / self.bucket_ms) {
            totals.subtract(self.buckets[self.place(number)]);
        }
        totals
    }

    fn move_to(&mut self, now: u64) {
        let number = now / self.bucket_ms;
        for outdated in self.outdated(number) {
            let place = self.place(outdated);
            self.totals.subtract(self.buckets[place]);
            self.buckets[place] = Totals::default();
        }
        self.newest = self.newest.max(number);
    }

    /// The buckets that the window leaves behind when it moves on to a number: at most all of them. Those
    /// before the first record are empty, so it does no harm to name them.
    fn outdated(&self, number: u64) -> std::ops::Range<u64> {
        let count = self.buckets.len() as u64;
        let most = if bug!("rotate-one-bucket") { 1 } else { count };
        let moved = number.saturating_sub(self.newest).min(most);
        // By place, the oldest bucket is the one that the next number takes.
        self.newest + 1..self.newest + 1 + moved
    }

    fn place(&self, number: u64) -> usize {
        (number % self.buckets.len() as u64) as usize
    }
}

impl Totals {
    fn subtract(&mut self, other: Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.failures = self.failures.saturating_sub(other.failures);
        self.slow = self.slow.saturating_sub(other.slow);
    }
}
