//! The tab that drives a box moves what others left for it into the journal: several rows at once, in the
//! order of their keys, and nothing overtakes what is refused.

use ackbox_core::command::{Command, Move, Ticket};
use ackbox_core::error::{ErrorCode, Failure};

use super::producer::enqueues;
use crate::model::inbox::Row;
use crate::model::{Asked, Sent};
use crate::must;
use crate::op::Item;
use crate::world::{Phase, Stop, World};

/// Rounds within which every row is moved.
const ROUNDS: usize = 2000;
/// What has no room is tried again then.
const RETRY_MS: u64 = 1000;

impl World {
    /// Moves some rows, unless others are under way.
    pub(crate) fn move_in(&mut self, rows: u8, buries: bool) -> Result<(), Stop> {
        if self.phase != Phase::Open || self.model.is_moving() {
            return Ok(());
        }
        let mut after = self.model.inbox.moved;
        if let Some(key) = self.model.inbox.refused.take() {
            if buries {
                self.submit(after, Row { key, buried: true });
                return self.run();
            }
            self.model.inbox.rows.remove(&key);
        }
        let keys = self.model.inbox.rows.keys().copied();
        for key in keys.take(rows.into()).collect::<Vec<u64>>() {
            self.submit(after, Row { key, buried: false });
            after = key;
        }
        self.run()
    }

    fn submit(&mut self, after: u64, row: Row) {
        let items = self.model.inbox.rows[&row.key].clone();
        let sent = self.sent_by_tab(&items);
        let all = sent.iter().cloned().map(Some).collect();
        let sequence = self.next_sequence();
        let asked = Asked::Move { row, items: all };
        self.model.asked.insert(sequence, asked);
        self.tell_move(sequence, after, row, &items, &sent);
    }

    fn tell_move(&mut self, sequence: u64, after: u64, row: Row, items: &[Item], sent: &[Sent]) {
        let Row { key, buried } = row;
        let unit = Move {
            after,
            key,
            refused: buried.then_some(br#"{"message":"refused"}"#),
            enqueues: enqueues(items, sent, self.model.queues.len()),
        };
        let now = self.now();
        self.engine
            .handle_command(now, Ticket(sequence), Command::Move(unit));
    }

    /// Rows that were moved before, and those that leave out what is in front of them, are not taken.
    pub(crate) fn move_again(&mut self, pick: u32, leaps: bool) -> Result<(), Stop> {
        let moved = self.model.inbox.moved;
        let last = self.model.inbox.last;
        let (after, key) = match leaps {
            true => (last + 1, last + 2),
            false if moved == 0 => return Ok(()),
            false => (moved, 1 + u64::from(pick) % moved),
        };
        let sequence = self.next_sequence();
        self.model.asked.insert(sequence, Asked::MovedBefore);
        self.tell_move(sequence, after, Row { key, buried: false }, &[], &[]);
        self.run()
    }

    /// A row is refused.
    pub(crate) fn move_refused(
        &mut self,
        row: Row,
        items: &[Option<Sent>],
        failure: &Failure,
    ) -> Result<(), Stop> {
        let Row { key, buried } = row;
        must!(
            items.iter().all(Option::is_some),
            "I6: row {key} is accepted in part: {failure:?}"
        );
        self.figures.rows_refused += 1;
        let inbox = &mut self.model.inbox;
        if failure.code == ErrorCode::InvalidOption {
            must!(
                inbox.refused.is_some_and(|refused| refused < key),
                "I8: row {key} follows on what was moved, and is refused: {failure:?}"
            );
            return Ok(());
        }
        inbox.refuse(key);
        let is_over = matches!(failure.code, ErrorCode::Closed | ErrorCode::StorageFailed);
        must!(
            !buried || is_over,
            "I1: row {key} cannot even be a dead letter: {failure:?}"
        );
        self.check_refused(items, failure)?;
        self.check_refusal(failure)
    }

    /// Moves whatever is left.
    pub(crate) fn move_everything(&mut self) -> Result<(), Stop> {
        for _ in 0..ROUNDS {
            if self.model.inbox.rows.is_empty() {
                return Ok(());
            }
            self.move_in(u8::MAX, true)?;
            if self.model.is_moving() {
                self.clock.advance(RETRY_MS);
                self.run()?;
            }
        }
        must!(
            false,
            "liveness: rows are never moved: {:?}",
            self.model.inbox
        );
        Ok(())
    }
}
