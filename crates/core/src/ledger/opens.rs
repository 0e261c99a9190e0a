//! Which message numbers each opening of the box made durable, so that a generated id that is
//! passed back is known for ever without an index.

/// Openings remembered. Ids from before the oldest of them count as accepted.
const OPENS_MAX: usize = 65_536;

/// Pairs of an opening and the last durable message number before it.
#[derive(Debug, Default)]
pub(super) struct Opens {
    /// Ascending in both parts.
    pairs: Vec<(u32, u64)>,
}

impl Opens {
    /// Notes that `open` began after `last_number`.
    pub(super) fn note(&mut self, open: u32, last_number: u64) {
        if self.pairs.last().is_some_and(|(last, _)| *last >= open) {
            return;
        }
        if self.pairs.len() == OPENS_MAX {
            self.pairs.remove(0);
        }
        self.pairs.push((open, last_number));
    }

    /// All pairs, for the journal.
    #[must_use]
    pub(super) fn pairs(&self) -> &[(u32, u64)] {
        &self.pairs
    }

    /// Whether message `number` of opening `open` became durable, as far as later openings tell;
    /// `None` if `open` is the latest.
    #[must_use]
    pub(super) fn was_durable(&self, open: u32, number: u64) -> Option<bool> {
        let later = self.pairs.partition_point(|(known, _)| *known <= open);
        self.pairs
            .get(later)
            .map(|(_, last_number)| number <= *last_number)
    }
}
