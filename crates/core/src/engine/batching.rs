//! Batches: messages that are accepted together, or not at all.
//!
//! A batch as large as one may be takes longer than one step should, so it may come in parts. Nothing else
//! happens between them: what was accepted of it is told with the last part, and sealed after it.

use std::collections::BTreeSet;

use super::Engine;
use super::enqueueing::{Told, check_unit, payload_bytes};
use super::staging::UnitMark;
use crate::command::{Enqueue, Ticket};
use crate::error::Failure;
use crate::ledger::Accepted;

/// A batch of which more is to come.
#[derive(Debug)]
pub(super) struct Batch {
    /// What was accepted so far, and where it begins; or why nothing is.
    outcome: Result<(UnitMark, Vec<Told>), Failure>,
    items: usize,
    bytes: usize,
}

impl Engine {
    pub(super) fn enqueue_many(&mut self, ticket: Ticket, items: &[Enqueue<'_>]) {
        self.enqueue_part(ticket, items, true);
    }

    /// All or nothing: what was accepted before a refusal is taken back.
    pub(super) fn enqueue_part(&mut self, ticket: Ticket, items: &[Enqueue<'_>], is_last: bool) {
        let mut batch = match self.batch.take() {
            Some(batch) => batch,
            None => Batch {
                outcome: self
                    .room_to_stage()
                    .map(|()| (self.commit.begin_unit(), Vec::new())),
                items: 0,
                bytes: 0,
            },
        };
        self.go_on(&mut batch, items);
        if !is_last {
            self.batch = Some(batch);
            return;
        }
        match batch.outcome {
            Ok((_, accepted)) => {
                self.commit.end_unit();
                self.tell_all_accepted(ticket, accepted);
            }
            Err(failure) => self.refuse(ticket, failure),
        }
    }

    /// Whether more of a batch is to come, before anything else.
    #[must_use]
    pub fn is_in_batch(&self) -> bool {
        self.batch.is_some()
    }

    /// Accepts one part more; where that cannot be, the batch is refused.
    fn go_on(&mut self, batch: &mut Batch, items: &[Enqueue<'_>]) {
        let first = batch.items;
        batch.items += items.len();
        batch.bytes += items.iter().map(payload_bytes).sum::<usize>();
        let Ok((mark, accepted)) = &mut batch.outcome else {
            return;
        };
        let outcome = check_unit(batch.items, batch.bytes)
            .and_then(|()| self.accept_some(items, first, false, accepted));
        if let Err(failure) = outcome {
            self.take_back(accepted, *mark);
            batch.outcome = Err(failure);
        }
    }

    /// Accepts the messages of the unit that began at `mark`, in their order; ends it with a refusal.
    pub(super) fn accept_all(
        &mut self,
        items: &[Enqueue<'_>],
        owed: bool,
        mark: UnitMark,
    ) -> Result<Vec<Told>, Failure> {
        let mut accepted = Vec::with_capacity(items.len());
        match self.accept_some(items, 0, owed, &mut accepted) {
            Ok(()) => Ok(accepted),
            Err(failure) => {
                self.take_back(&accepted, mark);
                Err(failure)
            }
        }
    }

    /// Accepts messages up to one that is refused; `first` numbers the first of them.
    fn accept_some(
        &mut self,
        items: &[Enqueue<'_>],
        first: usize,
        owed: bool,
        accepted: &mut Vec<Told>,
    ) -> Result<(), Failure> {
        for (index, item) in items.iter().enumerate() {
            let outcome = self.accept(item, owed);
            let outcome = outcome.map_err(|failure| Failure {
                message: format!("item {}: {}", first + index, failure.message),
                ..failure
            })?;
            accepted.push(Told::of(item, outcome));
        }
        Ok(())
    }

    pub(super) fn tell_all_accepted(&mut self, ticket: Ticket, accepted: Vec<Told>) {
        for (index, told) in accepted.into_iter().enumerate() {
            self.tell_accepted(ticket, index as u32, told);
        }
    }

    fn take_back(&mut self, accepted: &[Told], mark: UnitMark) {
        let mut seen = BTreeSet::new();
        for told in accepted.iter().rev() {
            if let Accepted::New(slot) = told.accepted
                && seen.insert(slot)
            {
                self.unawait_message(slot);
                self.ledger.retract(slot, self.now);
            }
        }
        self.commit.take_unit_back(mark);
    }
}
