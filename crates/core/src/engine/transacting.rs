//! Transactions: ends of deliveries and new messages in one frame, or nothing of it.
//!
//! Everything is checked before the first delivery ends: an end cannot be taken back. The messages come
//! first, for they can. A message that is acknowledged makes room in its queue for those that are
//! enqueued with it; its id stays taken.

use std::collections::BTreeSet;

use super::Engine;
use super::deliveries::{already_settled, lease_lost};
use super::enqueueing::{check_unit, payload_bytes};
use crate::command::{Settle, Ticket, Transaction, Verdict};
use crate::consumer::lease::Progress;
use crate::effect::Answer;
use crate::error::{ErrorCode, Failure};

impl Engine {
    pub(super) fn transact(&mut self, ticket: Ticket, unit: &Transaction<'_>) {
        let checked = self
            .room_to_stage()
            .and_then(|()| check_size(unit))
            .and_then(|()| self.check_ends(&unit.settles));
        if let Err(failure) = checked {
            return self.refuse(ticket, failure);
        }
        if let Some(remote) = &mut self.commit.remote {
            remote.join(true);
        }
        let mark = self.commit.begin_unit();
        let freed = self.messages_acknowledged(&unit.settles);
        for slot in &freed {
            self.ledger.lend_room(*slot);
        }
        let accepted = self.accept_all(&unit.enqueues, !unit.settles.is_empty(), mark);
        for slot in &freed {
            self.ledger.reclaim_room(*slot);
        }
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(failure) => return self.refuse(ticket, failure),
        };
        for settle in &unit.settles {
            self.settle_open(ticket, settle)
                .expect("every end was checked");
        }
        self.commit.end_unit();
        if let Some(remote) = &mut self.commit.remote {
            remote.join(false);
        }
        self.tell_all_accepted(ticket, accepted);
        if !bug!("lose-transaction-answer") {
            self.reply(ticket, Ok(Answer::Value(unit.settles.len() as u64)));
        }
    }

    /// Whether all of these deliveries can end so.
    fn check_ends(&self, settles: &[Settle<'_>]) -> Result<(), Failure> {
        let mut seen = BTreeSet::new();
        for (index, settle) in settles.iter().enumerate() {
            let checked = if seen.insert(settle.token) {
                self.check_end(settle)
            } else {
                Err(already_settled())
            };
            checked.map_err(|failure| Failure {
                message: format!("settlement {index}: {}", failure.message),
                ..failure
            })?;
        }
        Ok(())
    }

    fn check_end(&self, settle: &Settle<'_>) -> Result<(), Failure> {
        let lease = self.leases.get(settle.token);
        let lease = lease
            .filter(|lease| lease.delivered)
            .ok_or_else(lease_lost)?;
        match lease.progress {
            Progress::Settled => return Err(already_settled()),
            Progress::Late if bug!("settle-late-in-transaction") => {}
            Progress::Late | Progress::Lost => return Err(lease_lost()),
            Progress::Open if lease.handed_over => {
                let message = "an at-most-once delivery was settled before its handler started";
                return Err(Failure::new(ErrorCode::LeaseLost, message));
            }
            Progress::Open => {}
        }
        if settle.verdict == Verdict::Ack {
            self.check_result(lease.queue, settle.result)?;
        }
        Ok(())
    }

    /// The messages that are done with these ends, which were checked.
    fn messages_acknowledged(&self, settles: &[Settle<'_>]) -> Vec<u32> {
        let acknowledged = settles
            .iter()
            .filter(|settle| settle.verdict == Verdict::Ack);
        acknowledged
            .filter_map(|settle| self.leases.get(settle.token)?.slot)
            .collect()
    }
}

fn check_size(unit: &Transaction<'_>) -> Result<(), Failure> {
    let ends = unit.settles.iter();
    let ends: usize = ends
        .map(|settle| settle.result.len() + settle.error.len())
        .sum();
    let messages: usize = unit.enqueues.iter().map(payload_bytes).sum();
    check_unit(unit.settles.len() + unit.enqueues.len(), ends + messages)
}
