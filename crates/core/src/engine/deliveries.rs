//! What a consumer says of its delivery: settled, or prolonged.

use super::Engine;
use crate::command::{MessageState, QueueId, Reason, Settle, Ticket, Token, Verdict};
use crate::consumer::lease::Progress;
use crate::effect::{Answer, Effect, Event, EventKind, Recipient};
use crate::error::{ErrorCode, Failure};
use crate::ledger::Failed;
use crate::time::Timestamp;

impl Engine {
    pub(super) fn settle(&mut self, ticket: Ticket, settle: &Settle<'_>) {
        let token = settle.token;
        let outcome = match self.leases.get(token) {
            Some(lease) if lease.delivered => match lease.progress {
                Progress::Open => self.settle_open(ticket, settle),
                Progress::Late if settle.returned => {
                    self.settle_late(settle);
                    Ok(())
                }
                Progress::Settled => Err(already_settled()),
                Progress::Late | Progress::Lost => Err(lease_lost()),
            },
            _ if bug!("accept-stale-token") => Ok(()),
            _ => Err(lease_lost()),
        };
        match outcome {
            Ok(()) if bug!("lose-settle-answer") => {}
            Ok(()) => self.reply(ticket, Ok(Answer::Value(0))),
            Err(failure) => self.refuse(ticket, failure),
        }
        if settle.returned {
            self.handler_returned(token);
        }
    }

    pub(super) fn settle_open(
        &mut self,
        ticket: Ticket,
        settle: &Settle<'_>,
    ) -> Result<(), Failure> {
        let token = settle.token;
        let lease = self.leases.get(token).expect("looked up before");
        if lease.handed_over {
            return self.settle_handed_over(ticket, settle);
        }
        let slot = lease
            .slot
            .expect("open leases that were not handed over have a message");
        let (queue, to) = (lease.queue, lease.to);
        let mut result = settle.result;
        if settle.verdict == Verdict::Ack
            && let Err(failure) = self.check_result(queue, result)
        {
            if ticket.0 != 0 {
                return Err(failure);
            }
            // The handler did its work: it must not do it again for a result that cannot be kept.
            let message = format!("{}: the message is completed without it", failure.message);
            self.warn(Some(queue), message);
            result = b"";
        }
        let verdict = self.judge(token, settle.verdict);
        self.settled_suspect(token);
        self.ledger.unlease(slot);
        self.note_handling(token);
        let lent = match verdict {
            Verdict::Ack | Verdict::Return => None,
            _ => self.lend_content(token),
        };
        self.settle_for(ticket);
        let stays = self.apply(token, slot, verdict, result, settle.error);
        self.settle_for(Ticket(0));
        if let Some(slot) = lent {
            self.ledger.uncache(slot);
        }
        self.count_outcome(to, verdict, stays);
        let runs_on =
            !settle.returned && matches!(self.recipient_of(token), Some(Recipient::Worker(_)));
        let lease = self.leases.get_mut(token).expect("looked up before");
        lease.progress = Progress::Settled;
        lease.slot = None;
        if stays && runs_on && !bug!("redeliver-while-running") {
            // One process never runs a message twice at once: it waits until the handler returned.
            self.leases.hold(token, slot);
        } else if stays {
            self.ledger.enter(slot, self.now);
        }
        if !runs_on {
            self.end_lease(token);
        }
        if stays {
            self.promote_group_of(slot);
        }
        self.note_drained(queue);
        Ok(())
    }

    /// Says on whose behalf is settled what follows, which a remote ledger may refuse.
    fn settle_for(&mut self, ticket: Ticket) {
        if let Some(remote) = &mut self.commit.remote {
            remote.ask_for(ticket);
        }
    }

    /// Whether a queue keeps so long a result.
    pub(super) fn check_result(&self, queue: u32, result: &[u8]) -> Result<(), Failure> {
        let limit = self.ledger.queues[queue as usize].settings.max_result_bytes as usize;
        if result.len() <= limit {
            return Ok(());
        }
        let message = format!(
            "expected a result of at most {limit} bytes, got {}",
            result.len()
        );
        Err(Failure::new(ErrorCode::BodyTooLarge, message))
    }

    /// Carries a verdict out on a held message; true if the message waits again.
    fn apply(
        &mut self,
        token: Token,
        slot: u32,
        verdict: Verdict,
        result: &[u8],
        error: &[u8],
    ) -> bool {
        let message = &self.ledger.messages[slot];
        let (queue, attempt) = (message.queue, message.attempt);
        match verdict {
            Verdict::Ack => {
                let completed = self
                    .listens(queue, EventKind::Completed)
                    .then(|| self.ledger.id_text(slot).to_string());
                let ended = self.end_of(slot, MessageState::Completed, result);
                self.ledger
                    .complete(slot, self.now, result, false, &mut self.commit);
                self.tell_end(ended);
                self.ledger.queues[queue as usize].counters.acked += 1;
                if let Some(id) = completed {
                    let event = Event {
                        attempt,
                        id,
                        ..Event::of(EventKind::Completed, QueueId(queue))
                    };
                    self.emit(queue, self.timed(token, event));
                }
                false
            }
            Verdict::Reject { delay_ms } => {
                self.ledger.queues[queue as usize].counters.rejected += 1;
                let reason = self.reason_of_failure(token);
                self.fail_attempt(slot, reason, delay_ms, error)
            }
            Verdict::Dead(reason) => {
                self.ledger.queues[queue as usize].counters.rejected += 1;
                self.kill(slot, reason, true, error);
                false
            }
            Verdict::RetryAt {
                at, costs_attempt, ..
            } => {
                let due = self.ledger.due_from(slot, at, self.now);
                self.put_off(token, slot, due, costs_attempt, error)
            }
            Verdict::PutOff {
                delay_ms,
                costs_attempt,
                ..
            } => {
                let delay_ms = delay_ms.unwrap_or_else(|| self.ledger.backoff_ms(slot));
                let due = self.now.plus(delay_ms);
                self.put_off(token, slot, due, costs_attempt, error)
            }
            Verdict::Return => {
                if let Some(to) = self.recipient_of(token) {
                    self.count_returned(to);
                }
                self.ledger.give_back(slot, self.now, &mut self.commit);
                true
            }
        }
    }

    /// Ends an attempt that may cost nothing; true if the message waits for another.
    fn put_off(
        &mut self,
        token: Token,
        slot: u32,
        due: Timestamp,
        costs_attempt: bool,
        error: &[u8],
    ) -> bool {
        let message = &self.ledger.messages[slot];
        let (queue, attempt) = (message.queue, message.attempt);
        self.ledger.queues[queue as usize].counters.rejected += 1;
        if costs_attempt {
            let reason = self.reason_of_failure(token);
            let delay_ms = Some(due.since(self.now));
            return self.fail_attempt(slot, reason, delay_ms, error);
        }
        self.ledger.messages[slot].suspect = false;
        let outcome = self
            .ledger
            .put_off(slot, self.now, due, error, &mut self.commit);
        if matches!(outcome, Failed::Dead(_)) {
            self.tell_failed(slot, attempt, error);
        }
        self.tell_outcome(outcome, slot, attempt, error)
    }

    /// Ends a counted attempt; true if the message waits for another.
    pub(super) fn fail_attempt(
        &mut self,
        slot: u32,
        reason: Reason,
        delay_ms: Option<u64>,
        error: &[u8],
    ) -> bool {
        let message = &mut self.ledger.messages[slot];
        let attempt = message.attempt;
        message.suspect = false;
        let failed =
            self.ledger
                .fail_attempt(slot, self.now, reason, delay_ms, error, &mut self.commit);
        // Of a lost lease another event tells.
        if reason != Reason::LeaseExpired {
            self.tell_failed(slot, attempt, error);
        }
        self.tell_outcome(failed, slot, attempt, error)
    }

    /// Tells of a counted attempt that failed, ahead of what follows from it.
    pub(super) fn tell_failed(&mut self, slot: u32, attempt: u32, error: &[u8]) {
        let queue = self.ledger.messages[slot].queue;
        if self.listens(queue, EventKind::Failed) {
            let event = Event {
                attempt,
                id: self.ledger.id_text(slot).to_string(),
                error: error.into(),
                ..Event::of(EventKind::Failed, QueueId(queue))
            };
            self.emit(queue, event);
        }
    }

    /// Tells what became of a failed attempt; true if the message waits for another.
    fn tell_outcome(&mut self, failed: Failed, slot: u32, attempt: u32, error: &[u8]) -> bool {
        match failed {
            Failed::Retried(_) => {
                let queue = self.ledger.messages[slot].queue;
                self.tell_retry(slot, queue, attempt, error);
                true
            }
            Failed::Dead(reason) => {
                self.tell_dead(slot, reason, error);
                false
            }
        }
    }

    pub(super) fn extend(&mut self, ticket: Ticket, token: Token, ms: u64) {
        let now = self.now;
        let outcome = match self.leases.get_mut(token) {
            Some(lease) if lease.delivered && !lease.handed_over => match lease.progress {
                Progress::Open => {
                    if matches!(lease.to, Recipient::Dequeue(_)) {
                        let ends = &mut self.desks[lease.queue as usize].lease_ends;
                        ends.remove(&(lease.until, token.0));
                        lease.until = now.plus(ms);
                        ends.insert((lease.until, token.0));
                    }
                    let queue = lease.queue;
                    self.ledger.touch(queue);
                    Ok(Answer::Value(0))
                }
                Progress::Settled => Err(already_settled()),
                Progress::Late | Progress::Lost => Err(lease_lost()),
            },
            _ if bug!("extend-lost-token") => Ok(Answer::Value(0)),
            _ => Err(lease_lost()),
        };
        self.output.push_back(Effect::Reply {
            ticket,
            result: outcome,
        });
    }

    pub(super) fn settled_suspect(&mut self, token: Token) {
        if self.suspects.settled(token) {
            self.release_held_back();
        }
    }

    pub(super) fn recipient_of(&self, token: Token) -> Option<Recipient> {
        self.leases.get(token).map(|lease| lease.to)
    }

    pub(super) fn note_handling(&mut self, token: Token) {
        if let Some(lease) = self.leases.get(token) {
            let ms = self.now.since(lease.delivered_at);
            self.ledger.queues[lease.queue as usize]
                .counters
                .handle
                .record(ms);
        }
    }

    /// A message of a queue has ended: tells if it was the last unfinished one, whatever set it was in.
    pub(super) fn note_drained(&mut self, queue: u32) {
        let target = &self.ledger.queues[queue as usize];
        let is_drained = target.depth == target.dead.len() as u64;
        if is_drained && self.listens(queue, EventKind::Drained) {
            self.emit(queue, Event::of(EventKind::Drained, QueueId(queue)));
        }
    }

    pub(super) fn timed(&self, token: Token, event: Event) -> Event {
        match self.leases.get(token) {
            Some(lease) => Event {
                wait_ms: lease.delivered_at.since(lease.enqueued_at),
                handle_ms: self.now.since(lease.delivered_at),
                ..event
            },
            None => event,
        }
    }

    fn tell_retry(&mut self, slot: u32, queue: u32, attempt: u32, error: &[u8]) {
        if self.listens(queue, EventKind::Retry) {
            let at = self.ledger.messages[slot].due;
            let event = Event {
                attempt,
                wait_ms: at.since(self.now),
                at,
                id: self.ledger.id_text(slot).to_string(),
                error: error.into(),
                ..Event::of(EventKind::Retry, QueueId(queue))
            };
            self.emit(queue, event);
        }
    }
}

pub(in crate::engine) fn lease_lost() -> Failure {
    Failure::new(
        ErrorCode::LeaseLost,
        "the lease of this delivery is gone: nothing was changed",
    )
}

pub(super) fn already_settled() -> Failure {
    Failure::new(
        ErrorCode::AlreadySettled,
        "this delivery was settled before: nothing was changed",
    )
}
