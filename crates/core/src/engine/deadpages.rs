//! Pages of dead letters, gathered in slices, and the cursors that lead from one to the next.
//!
//! A cursor names the death behind which the next page begins and the last one of the walk, so that
//! the pages of one walk show each dead letter once, whatever dies or lives again between them. It
//! holds over reopening, and for its own queue only.

use super::Engine;
use super::deadjobs::{Work, check_filter};
use crate::command::{DeadFilter, Ticket};
use crate::error::{ErrorCode, Failure};
use crate::hash;
use crate::ledger::{DeadQuery, Ledger};

/// Entries of one page.
const ENTRIES_MAX: usize = 1000;
/// Bytes of bodies, errors and histories in one page, unless its first entry alone has more.
const PAGE_BYTES: u64 = 8 << 20;

/// A page that is being gathered.
#[derive(Debug)]
pub(super) struct DeadPaging {
    query: DeadQuery,
    limit: usize,
    /// Slots and deaths.
    found: Vec<(u32, u64)>,
    bytes: u64,
    /// There is an entry behind the last one of the page.
    has_next: bool,
}

impl DeadPaging {
    /// Looks at `budget` dead letters; true if the page is complete.
    pub(super) fn gather(&mut self, ledger: &Ledger, mut budget: usize) -> bool {
        while let Some(slot) = self.query.next(ledger, &mut budget) {
            let bytes = ledger.shown_bytes(slot);
            let is_full = self.bytes + bytes > PAGE_BYTES && !self.found.is_empty();
            if is_full || self.found.len() == self.limit {
                self.has_next = true;
                return true;
            }
            self.bytes += bytes;
            self.found.push((slot, self.query.after));
        }
        self.query.is_done()
    }
}

impl Engine {
    pub(super) fn dead_page(
        &mut self,
        ticket: Ticket,
        queue: u32,
        filter: DeadFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<(), Failure> {
        check_filter(&filter)?;
        let query = match after {
            None => DeadQuery::new(queue, filter),
            Some(text) => {
                let (after, last_death) = self.parse_cursor(queue, text).ok_or_else(|| {
                    let name = &self.ledger.queues[queue as usize].name;
                    let message = format!(
                        "after: expected the next of a page of queue '{name}', got '{text}'"
                    );
                    Failure::new(ErrorCode::InvalidOption, message)
                })?;
                DeadQuery::between(queue, filter, after, last_death)
            }
        };
        let paging = DeadPaging {
            query,
            limit: (limit as usize).clamp(1, ENTRIES_MAX),
            found: Vec::new(),
            bytes: 0,
            has_next: false,
        };
        self.add_dead_job(ticket, queue, Work::Page(paging))
    }

    /// Shows what was gathered and is still dead.
    pub(super) fn show_dead_page(&mut self, ticket: Ticket, queue: u32, paging: &mut DeadPaging) {
        let next = match paging.found.last() {
            Some((_, death)) if paging.has_next => {
                let last_death = paging.query.begin(&self.ledger);
                Some(self.write_cursor(queue, *death, last_death))
            }
            _ => None,
        };
        let found = paging.found.iter();
        let slots: Vec<u32> = found
            .filter(|(slot, death)| self.ledger.is_death(*slot, *death))
            .map(|(slot, _)| *slot)
            .collect();
        self.inspect_dead(ticket, &slots, next);
    }

    fn write_cursor(&self, queue: u32, after: u64, last_death: u64) -> String {
        let check = hash::cursor_check(&self.ledger.hash_key, queue, after, last_death);
        format!("{after:x}-{last_death:x}-{check:08x}")
    }

    fn parse_cursor(&self, queue: u32, text: &str) -> Option<(u64, u64)> {
        let mut parts = text.splitn(3, '-');
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (after, last_death) = (number()?, number()?);
        // Written anew, so that no other spelling passes.
        (self.write_cursor(queue, after, last_death) == text).then_some((after, last_death))
    }
}
