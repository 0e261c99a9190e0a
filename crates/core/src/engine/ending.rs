//! What time ends: leases, times to live, retentions, windows. And what is taken from a handler.

use super::{Engine, own_errors};
use crate::command::{MessageState, QueueId, Reason, Token};
use crate::consumer::lease::Progress;
use crate::effect::{AbortReason, Effect, Event, EventKind, Recipient};
use crate::id_text::IdText;

impl Engine {
    /// Time passes in a queue: what is due becomes claimable, what is over ends. True if more is due. What it
    /// did is taken from what is `left` of a slice.
    pub(super) fn pass_time(&mut self, queue: u32, left: &mut usize) -> bool {
        let now = self.now;
        let moved = self.ledger.advance(queue, now, super::SLICE);
        let mut more = moved == super::SLICE;
        more |= self.pass_valves(queue);
        self.pass_alarms(queue);
        let mut done = moved + 1;
        for _ in 0..super::SLICE {
            match self.desks[queue as usize].lease_ends.first().copied() {
                Some((until, token))
                    if until <= now.plus(u64::from(bug!("end-lease-early")))
                        && !bug!("lease-without-end") =>
                {
                    self.lease_ran_out(Token(token));
                }
                _ => break,
            }
            done += 1;
        }
        for _ in 0..super::SLICE {
            match self.ledger.next_expired(queue, now) {
                Some(slot) if self.ledger.is_purged(slot) => self.ledger.leave(slot),
                Some(slot) => self.expire(slot),
                None => break,
            }
            done += 1;
        }
        if !self.dead_jobs.is_redriving(queue) {
            for _ in 0..super::SLICE {
                match self.ledger.next_outlived(queue, now) {
                    Some(slot) => self.ledger.remove_dead(slot, now, &mut self.commit),
                    None => break,
                }
                done += 1;
            }
        }
        *left = left.saturating_sub(done);
        self.ledger.trim_histories(queue, super::SLICE);
        more |= self.ledger.has_excess_history(queue);
        more |= self.ledger.expire_entries(queue, now, super::SLICE);
        more || self.ledger.next_expired(queue, now).is_some()
    }

    /// A manual lease ended: that was an attempt. Or nobody waits for a handler any longer.
    fn lease_ran_out(&mut self, token: Token) {
        let Some(lease) = self.leases.get(token) else {
            return;
        };
        let (queue, slot, attempt, until) = (lease.queue, lease.slot, lease.attempt, lease.until);
        // At-most-once: it was settled when it was handed over, and is nobody's to lose.
        let lease_is_over_already = lease.handed_over || lease.detached;
        self.desks[queue as usize]
            .lease_ends
            .remove(&(until, token.0));
        if lease_is_over_already {
            return self.end_lease(token);
        }
        self.ledger.queues[queue as usize].counters.leases_lost += 1;
        let id = slot.map(|slot| self.ledger.id_text(slot));
        self.tell_stalled(queue, id, attempt);
        self.output.push_back(Effect::Abort {
            token,
            reason: AbortReason::LeaseLost,
        });
        if let Some(slot) = slot {
            let error = own_errors::lease_ran_out(self.leases.get(token).expect("looked up above"));
            let lent = self.lend_content(token);
            self.ledger.unlease(slot);
            if self.fail_attempt(slot, Reason::LeaseExpired, None, &error) {
                self.ledger.enter(slot, self.now);
            }
            if let Some(slot) = lent {
                self.ledger.uncache(slot);
            }
            self.promote_group_of(slot);
        }
        self.end_lease(token);
        self.note_drained(queue);
    }

    /// Tells of a delivery that lost its lease.
    pub(super) fn tell_stalled(&mut self, queue: u32, id: Option<IdText>, attempt: u32) {
        if self.listens(queue, EventKind::Stalled) {
            let event = Event {
                attempt,
                id: id.map_or_else(String::new, |id| id.to_string()),
                ..Event::of(EventKind::Stalled, QueueId(queue))
            };
            self.emit(queue, event);
        }
    }

    /// The message of a delivery in flight is withdrawn: its handler is told.
    pub(super) fn lose_lease(&mut self, token: Token, reason: AbortReason) {
        let Some(lease) = self.leases.get_mut(token) else {
            return;
        };
        if !lease.delivered {
            self.forget_claim(token);
            return;
        }
        lease.progress = Progress::Lost;
        lease.slot = None;
        let to = lease.to;
        self.settled_suspect(token);
        self.after_commit(Effect::Abort { token, reason });
        if matches!(to, Recipient::Dequeue(_)) {
            self.end_lease(token);
        }
    }

    /// No delivery started in time.
    pub(super) fn expire(&mut self, slot: u32) {
        self.ledger.leave(slot);
        let queue = self.ledger.messages[slot].queue;
        self.ledger.queues[queue as usize].counters.expired += 1;
        self.kill_undelivered(slot, Reason::Expired);
    }

    /// Makes a held message a dead letter and tells so.
    pub(super) fn kill(&mut self, slot: u32, reason: Reason, attempted: bool, error: &[u8]) {
        self.ledger
            .die(slot, self.now, reason, attempted, error, &mut self.commit);
        if attempted {
            self.tell_failed(slot, self.ledger.messages[slot].attempt, error);
        }
        self.tell_dead(slot, reason, error);
    }

    /// Tells of a death whose record was written just now: to the queue that is told of dead letters,
    /// as an event, and to those who wait for it.
    pub(super) fn tell_dead(&mut self, slot: u32, reason: Reason, error: &[u8]) {
        self.compensate(slot, reason, error);
        let message = &self.ledger.messages[slot];
        let (queue, attempt) = (message.queue, message.attempt);
        if self.listens(queue, EventKind::Dead) {
            let event = Event {
                attempt,
                reason: Some(reason),
                id: self.ledger.id_text(slot).to_string(),
                error: error.into(),
                ..Event::of(EventKind::Dead, QueueId(queue))
            };
            self.emit(queue, event);
        }
        let ended = self.end_of(slot, MessageState::Dead, b"");
        self.tell_end(ended);
        if self.ledger.is_remote {
            self.ledger.dismiss(slot, self.now);
        }
    }
}
