//! Which message numbers each run of the box made durable, so that a generated id that is passed
//! back is known without an index.
//!
//! A run is known by a number that is drawn when the box is opened. Drawn, not counted: a run whose
//! first append failed leaves no trace, and its ids must not pass for those of the run after it.
//!
//! Each run tells after which message number it began, and with that how far the one before it came.
//! Runs that accepted nothing are not kept: no id of theirs was ever accepted. Of the others the
//! newest [`RUNS_MAX`] are; ids from before them count as accepted if their numbers were given away
//! by then.

use std::collections::{BTreeMap, VecDeque};

/// Runs remembered: 12 bytes each at the beginning of every segment.
const RUNS_MAX: usize = 4096;

/// The known runs in their order, each with the last message number before it.
#[derive(Debug, Default)]
pub(super) struct Opens {
    runs: VecDeque<(u32, u64)>,
    /// The place of each run, counted from the first that was ever kept.
    places: BTreeMap<u32, u64>,
    /// Runs that were kept and are forgotten.
    forgotten: u64,
}

impl Opens {
    /// Notes that a run began after `last_number`. A run that is known is known already.
    pub(super) fn note(&mut self, run: u32, last_number: u64) {
        if self.places.contains_key(&run) {
            return;
        }
        if let Some((before, _)) = self.runs.pop_back_if(|(_, began)| *began == last_number) {
            self.places.remove(&before);
        }
        if self.runs.len() == RUNS_MAX
            && let Some((oldest, _)) = self.runs.pop_front()
        {
            self.places.remove(&oldest);
            self.forgotten += 1;
        }
        self.places
            .insert(run, self.forgotten + self.runs.len() as u64);
        self.runs.push_back((run, last_number));
    }

    /// A number that no known run has: `drawn`, or the next one that is free.
    #[must_use]
    pub(super) fn free_number(&self, drawn: u32, max: u32) -> u32 {
        let mut run = drawn & max;
        while self.places.contains_key(&run) {
            run = (run + 1) & max;
        }
        run
    }

    /// All known runs, for the journal.
    #[must_use]
    pub(super) fn pairs(&self) -> Vec<(u32, u64)> {
        self.runs.iter().copied().collect()
    }

    /// Whether message `number` of a run became durable, as far as later runs tell; `None` if it is
    /// the latest.
    #[must_use]
    pub(super) fn was_durable(&self, run: u32, number: u64) -> Option<bool> {
        let last_number = match self.places.get(&run) {
            Some(place) => self.runs.get((place - self.forgotten) as usize + 1)?.1,
            None => self.runs.front().map_or(0, |(_, began)| *began),
        };
        Some(number <= last_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_came_as_far_as_the_next_one_says() {
        let mut opens = Opens::default();
        opens.note(70, 0);
        assert_eq!(opens.was_durable(70, 5), None, "it is the latest");
        opens.note(30, 5);
        assert_eq!(opens.was_durable(70, 5), Some(true));
        assert_eq!(opens.was_durable(70, 6), Some(false));
        assert_eq!(opens.was_durable(30, 6), None);
        assert_eq!(
            opens.was_durable(50, 1),
            Some(false),
            "no such run left a trace"
        );
    }

    #[test]
    fn a_run_that_accepted_nothing_is_not_kept() {
        let mut opens = Opens::default();
        opens.note(1, 0);
        for run in 2..100 {
            opens.note(run, 5);
        }
        assert_eq!(opens.pairs(), [(1, 0), (99, 5)]);
        assert_eq!(opens.was_durable(1, 5), Some(true));
        assert_eq!(opens.was_durable(50, 6), Some(false));
    }

    #[test]
    fn the_newest_runs_are_kept_and_older_ones_count_as_accepted() {
        let mut opens = Opens::default();
        let runs = RUNS_MAX as u32 + 3;
        for run in 0..runs {
            opens.note(run, 10 * u64::from(run));
        }
        assert_eq!(opens.pairs().len(), RUNS_MAX);
        assert_eq!(opens.was_durable(0, 30), Some(true), "forgotten");
        assert_eq!(opens.was_durable(0, 31), Some(false));
        assert_eq!(opens.was_durable(3, 40), Some(true));
        assert_eq!(opens.was_durable(3, 41), Some(false));
        assert_eq!(opens.was_durable(runs - 1, 1), None);
        let mut again = Opens::default();
        for (run, last_number) in opens.pairs() {
            again.note(run, last_number);
            again.note(run, last_number);
        }
        assert_eq!(again.pairs(), opens.pairs(), "as the next owner reads them");
        assert_eq!(again.was_durable(0, 30), Some(true));
    }

    #[test]
    fn no_two_known_runs_have_one_number() {
        let mut opens = Opens::default();
        for _ in 0..4 {
            let run = opens.free_number(0xFFFF_FFFE, 7);
            opens.note(run, u64::from(run) + 100);
        }
        let runs: Vec<u32> = opens.pairs().iter().map(|(run, _)| *run).collect();
        assert_eq!(runs, [6, 7, 0, 1]);
    }
}
