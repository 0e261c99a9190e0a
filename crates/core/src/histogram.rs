//! Distributions of times, recorded at the cost of one addition.
//!
//! The upper bounds are 1, 2, 3, 4, 6, 8, 12, 16, 24 … 2^30 ms (12.4 days): every power of two and
//! the middle to the next one, so a percentile is at most half too high. What is longer goes into
//! a last bucket without a bound. The bounds never change, so histograms add up.

use crate::effect::{Bucket, Histogram};

/// Buckets that have a bound.
const BOUNDED: usize = 60;

/// Counts times in ms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorder {
    counts: [u64; BOUNDED + 1],
    count: u64,
    sum_ms: u64,
    longest_ms: u64,
}

impl Recorder {
    /// A recorder that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            counts: [0; BOUNDED + 1],
            count: 0,
            sum_ms: 0,
            longest_ms: 0,
        }
    }

    /// Counts one time.
    pub fn record(&mut self, ms: u64) {
        self.counts[bucket_of(ms)] += 1;
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
        self.longest_ms = self.longest_ms.max(ms);
    }

    /// What was recorded, with its 50th, 90th and 99th percentile (0 when nothing was).
    #[must_use]
    pub fn snapshot(&self) -> Histogram {
        let buckets = self.counts.iter().enumerate();
        Histogram {
            count: self.count,
            sum_ms: self.sum_ms,
            buckets: buckets
                .map(|(bucket, &count)| Bucket {
                    le_ms: bound_ms(bucket),
                    count,
                })
                .collect(),
            p50_ms: self.percentile_ms(50),
            p90_ms: self.percentile_ms(90),
            p99_ms: self.percentile_ms(99),
        }
    }

    /// Bound of the bucket that holds the observation of this rank; the longest time in the bucket
    /// without one.
    fn percentile_ms(&self, percent: u64) -> u64 {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100);
        if rank == 0 {
            return 0;
        }
        let mut seen = 0;
        let bucket = self.counts.iter().position(|&count| {
            seen += u128::from(count);
            seen >= rank
        });
        bucket.and_then(bound_ms).unwrap_or(self.longest_ms)
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

/// A bucket holds what is above the bound before it and at or below its own. Less one, those are
/// the numbers with the same highest bit and the same bit below it.
fn bucket_of(ms: u64) -> usize {
    let below = ms.saturating_sub(1);
    let bucket = match below.checked_ilog2() {
        None => 0,
        Some(0) => 1,
        Some(power) => 2 * power as usize + (below >> (power - 1) & 1) as usize,
    };
    bucket.min(BOUNDED)
}

const fn bound_ms(bucket: usize) -> Option<u64> {
    let power = bucket / 2;
    match bucket {
        BOUNDED.. => None,
        0 => Some(1),
        _ if bucket % 2 == 1 => Some(2 << power),
        _ => Some(3 << (power - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(times: impl IntoIterator<Item = u64>) -> Histogram {
        let mut recorder = Recorder::new();
        times.into_iter().for_each(|ms| recorder.record(ms));
        recorder.snapshot()
    }

    #[test]
    fn bounds_are_powers_of_two_and_the_middles_between_them() {
        let bounds: Vec<Option<u64>> = recorded([])
            .buckets
            .iter()
            .map(|bucket| bucket.le_ms)
            .collect();
        let first = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32].map(Some);
        assert_eq!(bounds[..10], first);
        assert_eq!(bounds[bounds.len() - 2..], [Some(1 << 30), None]);
        assert!(bounds[..bounds.len() - 1].is_sorted());
    }

    #[test]
    fn each_time_is_in_the_first_bucket_that_reaches_it() {
        let bounds: Vec<u64> = recorded([])
            .buckets
            .iter()
            .filter_map(|bucket| bucket.le_ms)
            .collect();
        let around = bounds
            .iter()
            .flat_map(|bound| [bound - 1, *bound, bound + 1]);
        for ms in around.chain([u64::MAX]) {
            let expected = bounds
                .iter()
                .position(|&bound| ms <= bound)
                .unwrap_or(bounds.len());
            let histogram = recorded([ms]);
            let found = histogram
                .buckets
                .iter()
                .position(|bucket| bucket.count == 1);
            assert_eq!(found, Some(expected), "{ms} ms");
        }
    }

    #[test]
    fn percentiles_are_bounds_of_their_buckets() {
        let histogram = recorded(1..=100);
        assert_eq!((histogram.count, histogram.sum_ms), (100, 5050));
        assert_eq!(
            (histogram.p50_ms, histogram.p90_ms, histogram.p99_ms),
            (64, 96, 128)
        );
        let histogram = recorded([5; 99].into_iter().chain([1000]));
        assert_eq!(
            (histogram.p50_ms, histogram.p90_ms, histogram.p99_ms),
            (6, 6, 6)
        );
        let histogram = recorded([1, 1000, 1000]);
        assert_eq!((histogram.p50_ms, histogram.p99_ms), (1024, 1024));
        let histogram = recorded([5; 98].into_iter().chain([1000; 2]));
        assert_eq!((histogram.p90_ms, histogram.p99_ms), (6, 1024));
    }

    #[test]
    fn nothing_and_everything_can_be_recorded() {
        let nothing = recorded([]);
        assert_eq!(
            (
                nothing.count,
                nothing.sum_ms,
                nothing.p50_ms,
                nothing.p99_ms
            ),
            (0, 0, 0, 0)
        );
        let endless = recorded([u64::MAX, u64::MAX]);
        assert_eq!(
            (endless.count, endless.sum_ms, endless.p50_ms),
            (2, u64::MAX, u64::MAX)
        );
    }
}
