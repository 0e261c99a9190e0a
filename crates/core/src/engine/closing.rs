//! Closing: no new claims, manual deliveries back to their queue, handlers awaited, all of it durable.
//!
//! The deadline is the host's: when it passes, the host aborts its handlers and says that it abandons
//! their deliveries ([`Command::Abandoned`](crate::command::Command::Abandoned)). Handlers that run on
//! keep no one open.

use super::{Engine, Phase};
use crate::command::{Ticket, WorkerId};
use crate::consumer::worker::Worker;
use crate::effect::{AbortReason, Answer, Effect, Object, Recipient};
use crate::error::{ErrorCode, Failure};
use crate::meter::look;

/// A closing under way.
#[derive(Debug)]
pub(super) struct Closing {
    tickets: Vec<Ticket>,
    returned: u64,
    /// What rates have given out is kept.
    pub(super) paces_kept: bool,
}

impl Closing {
    /// Who waits for it.
    pub(super) fn tickets(self) -> Vec<Ticket> {
        self.tickets
    }
}

impl Engine {
    pub(super) fn close(&mut self, ticket: Ticket) -> Option<Object> {
        if !self.is_open() {
            if matches!(self.phase, Phase::New) {
                self.phase = Phase::Closed;
            }
            self.output.push_back(Effect::Reply {
                ticket,
                result: Ok(Answer::Value(0)),
            });
            return None;
        }
        if let Some(closing) = &mut self.closing {
            closing.tickets.push(ticket);
            return None;
        }
        self.settle_before_closing();
        self.cut_paced_redrives();
        self.take_back_claimed();
        let returned = self.take_back_manual();
        self.closing = Some(Closing {
            tickets: vec![ticket],
            returned,
            // Who only looks has nothing to keep.
            paces_kept: self.config.read_only,
        });
        for queue in 0..self.desks.len() as u32 {
            self.answer_waiters(queue);
            if self.ledger.is_remote {
                self.ledger.touch(queue);
            }
        }
        None
    }

    /// Takes manual deliveries back: nobody will settle them any more.
    fn take_back_manual(&mut self) -> u64 {
        let mut returned = 0;
        for token in self.leases.tokens() {
            let lease = self.leases.get(token).expect("listed just now");
            if !matches!(lease.to, Recipient::Dequeue(_)) {
                continue;
            }
            if !lease.delivered {
                self.take_claim_back(token);
                continue;
            }
            let slot = lease.slot;
            self.lose_lease(token, AbortReason::Closed);
            if let Some(slot) = slot {
                self.give_back(slot);
                returned += 1;
            }
        }
        returned
    }

    /// Counts a delivery that a closing host gave back.
    pub(super) fn count_returned(&mut self, to: Recipient) {
        if let Some(closing) = &mut self.closing {
            closing.returned += 1;
        }
        if let Recipient::Worker(id) = to
            && let Some(worker) = self.workers.get_mut(&id)
            && !worker.closing.is_empty()
        {
            worker.given_back += 1;
        }
    }

    pub(super) fn close_worker(&mut self, ticket: Ticket, id: WorkerId) -> Result<(), Failure> {
        // A worker that drained its queue has ended by itself.
        let has_ended = id.0 <= self.last_worker && !self.workers.contains_key(&id);
        if !self.is_open() || has_ended {
            self.output.push_back(Effect::Reply {
                ticket,
                result: Ok(Answer::Value(0)),
            });
            return Ok(());
        }
        let Some(worker) = self.workers.get_mut(&id) else {
            return Err(Failure::new(ErrorCode::Closed, "the worker is closed"));
        };
        worker.closing.push(ticket);
        let queue = worker.queue;
        self.leaving.insert(id);
        self.desks[queue as usize]
            .workers
            .retain(|worker| *worker != id);
        self.take_back_from(id);
        self.ledger.touch(queue);
        Ok(())
    }

    /// Workers that drain or are being closed and of which something else holds.
    pub(super) fn leaving_workers(&self, holds: impl Fn(&Worker) -> bool) -> Vec<WorkerId> {
        let leaving = self.leaving.iter().copied();
        leaving
            .filter(|id| {
                look();
                self.workers.get(id).is_some_and(&holds)
            })
            .collect()
    }

    /// Answers those who wait for workers or the box to be done.
    pub(super) fn check_closing(&mut self) {
        let closed = |worker: &Worker| {
            !worker.closing.is_empty() && worker.is_at_rest() && worker.drain.is_none()
        };
        for id in self.leaving_workers(closed) {
            let worker = self.workers.remove(&id).expect("listed just now");
            self.leaving.remove(&id);
            self.leave_control(&worker);
            // What it leaves behind was written after the frame was sealed.
            self.more = true;
            for ticket in worker.closing {
                self.reply(ticket, Ok(Answer::Value(worker.given_back)));
            }
        }
        let over = self.closing.is_some()
            && self.leases.all_detached()
            && self.closing.as_ref().is_some_and(|closing| closing.paces_kept)
            && self.commit.is_durable()
            && self.dead_jobs.is_idle()
            && !self.ledger.is_purging()
            // A segment that cannot be given up yet is the next owner's to remove.
            && (!self.cleaning.is_removing() || self.commit.delays_removal())
            && self.reads.is_idle()
            && self.output.is_empty();
        if over && let Some(closing) = self.closing.take() {
            self.phase = Phase::Closed;
            for ticket in self.waits.abandon() {
                let message = "the box was closed before the message had ended";
                self.refuse(ticket, Failure::new(ErrorCode::Closed, message));
            }
            for ticket in closing.tickets {
                let result = Ok(Answer::Value(closing.returned));
                self.output.push_back(Effect::Reply { ticket, result });
            }
        } else if self.closing.is_some() && self.commit.is_durable() && !self.output.is_empty() {
            // Once this output is drained, nothing else may call again.
            self.more = true;
        }
    }
}
