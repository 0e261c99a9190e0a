//! Handlers that take too long.
//!
//! One that times out is told to stop, and its attempt fails with its end, whatever that is; the circuit of its
//! destination hears of it at once. One whose lease
//! may be renewed no more has failed at once. Either way its message waits until the handler returned, or for
//! a lease's time: after that a handler that still runs is reported. Its slot stays taken until it returns.

use super::{Engine, own_errors};
use crate::command::{Reason, Settle, Ticket, Token, Verdict};
use crate::consumer::lease::Progress;
use crate::consumer::watch::{Alarm, HandlerLimits, Watch};
use crate::effect::{AbortReason, Effect, Recipient};
use crate::ledger::message::Standing;
use crate::time::Timestamp;

impl Engine {
    /// Watches over a delivery that is handed out, if its worker limits its handlers. What comes before the
    /// handler has as much time as the handler itself.
    pub(super) fn watch_handler(&mut self, token: Token) {
        let limits = self.limits_of(token);
        let Some(lease) = self.leases.get(token).filter(|_| !limits.is_empty()) else {
            return;
        };
        let queue = lease.queue as usize;
        let watch = Box::new(limits.watch(self.letter(lease).id, self.now));
        self.desks[queue].alarms.insert((watch.next(), token.0));
        self.leases.get_mut(token).expect("looked up above").watch = Some(watch);
    }

    /// Code of the user sees a delivery from now on, later than it was handed out perhaps: the time of a
    /// handler begins now.
    pub(super) fn begin(&mut self, token: Token) {
        self.see_handed_over(token);
        let Some(lease) = self.leases.get_mut(token) else {
            return;
        };
        let is_due = lease.delivered && lease.progress == Progress::Open;
        let is_due = is_due && !bug!("begin-at-hand-out");
        if is_due && matches!(lease.to, Recipient::Worker(_)) {
            lease.delivered_at = self.now;
            let queue = lease.queue;
            self.unwatch(token);
            self.watch_handler(token);
            self.begin_probe(token);
            self.ledger.touch(queue);
        }
    }

    pub(super) fn limits_of(&self, token: Token) -> HandlerLimits {
        let worker = match self.recipient_of(token) {
            Some(Recipient::Worker(id)) => self.workers.get(&id),
            _ => None,
        };
        worker.map_or(HandlerLimits::default(), |worker| worker.limits)
    }

    /// Nobody watches over a handler any more.
    pub(super) fn unwatch(&mut self, token: Token) {
        if let Some(lease) = self.leases.get_mut(token)
            && let Some(watch) = lease.watch.take()
        {
            let alarms = &mut self.desks[lease.queue as usize].alarms;
            alarms.remove(&(watch.next(), token.0));
        }
    }

    /// Looks at the handlers of a queue whose time has come.
    pub(super) fn pass_alarms(&mut self, queue: u32) {
        for _ in 0..super::SLICE {
            match self.desks[queue as usize].alarms.first().copied() {
                Some((at, token)) if at <= self.now => self.look_at_handler(Token(token)),
                _ => break,
            }
        }
    }

    fn look_at_handler(&mut self, token: Token) {
        let lease = self.leases.get_mut(token).expect("its handler runs");
        let queue = lease.queue as usize;
        let patience_ms = self.ledger.queues[queue].settings.lease_ms;
        let watch = lease.watch.as_mut().expect("its handler is watched");
        let alarms = &mut self.desks[queue].alarms;
        alarms.remove(&(watch.next(), token.0));
        // Without a lease, none can run out.
        let has_lease = matches!(lease.progress, Progress::Open | Progress::Late);
        if !has_lease && !lease.handed_over {
            watch.end_lease();
            if watch.next() == Timestamp::NEVER {
                lease.watch = None;
                return;
            }
        }
        let alarm = watch.ring(self.now, patience_ms);
        if watch.next() != Timestamp::NEVER {
            alarms.insert((watch.next(), token.0));
        }
        // An at-most-once delivery takes too long, whichever limit that is told by.
        match alarm {
            Some(Alarm::RanOut) if !lease.handed_over => self.run_out(token),
            Some(Alarm::TimedOut | Alarm::RanOut) => self.time_out(token),
            Some(Alarm::Ignored) => self.give_up_waiting_for(token),
            None => {}
        }
    }

    /// A handler is told to stop.
    fn time_out(&mut self, token: Token) {
        let lease = self.leases.get_mut(token).expect("its handler runs");
        match lease.progress {
            Progress::Open => {
                lease.progress = Progress::Late;
                note_reason(lease.watch.as_deref_mut(), Reason::Timeout);
            }
            Progress::Settled => {}
            Progress::Late | Progress::Lost => return,
        }
        // Ahead of what its circuit does: the host may be asked about that.
        self.output.push_back(Effect::Abort {
            token,
            reason: AbortReason::Timeout,
        });
        self.judge_time_out(token);
    }

    /// The lease of a handler is over: its attempt has failed.
    fn run_out(&mut self, token: Token) {
        let lease = self.leases.get_mut(token).expect("its handler runs");
        if !matches!(lease.progress, Progress::Open | Progress::Late) {
            return;
        }
        note_reason(lease.watch.as_deref_mut(), Reason::LeaseExpired);
        let (queue, attempt) = (lease.queue, lease.attempt);
        let id = lease.watch.as_ref().map(|watch| watch.id.clone());
        self.ledger.queues[queue as usize].counters.leases_lost += 1;
        self.tell_stalled(queue, id, attempt);
        let error = own_errors::ran_too_long(self.limits_of(token));
        self.fail_running(token, &error);
        self.after_commit(Effect::Abort {
            token,
            reason: AbortReason::RanOut,
        });
    }

    /// A handler was told to stop long ago: its message waits for it no longer.
    fn give_up_waiting_for(&mut self, token: Token) {
        let lease = self.leases.get(token).expect("its handler runs");
        let (queue, number, attempt) = (lease.queue, lease.number, lease.attempt);
        let id = lease.watch.as_ref().map(|watch| watch.id.clone());
        let id = id.expect("its handler is watched");
        // That its lease is lost was told when it was.
        let is_told = lease.progress == Progress::Lost;
        if lease.progress == Progress::Late {
            let lease_ms = self.ledger.queues[queue as usize].settings.lease_ms;
            let error = own_errors::did_not_stop(self.limits_of(token), lease_ms);
            self.fail_running(token, &error);
        }
        if let Some(slot) = self.leases.release(token) {
            self.let_go(slot, number);
        }
        let name = &self.ledger.queues[queue as usize].name;
        let message = format!(
            "the handler of message '{id}' was told to stop and runs on: it keeps its slot until it returns (queue '{name}')"
        );
        self.warn(Some(queue), message);
        if !is_told {
            self.tell_stalled(queue, Some(id), attempt);
        }
        self.ledger.touch(queue);
    }

    /// Fails the attempt of a handler that runs on: its message is held.
    fn fail_running(&mut self, token: Token, error: &[u8]) {
        let settle = Settle {
            token,
            verdict: Verdict::Reject { delay_ms: None },
            returned: false,
            result: b"",
            error,
        };
        self.settle_open(Ticket(0), &settle)
            .expect("a rejection is never refused");
        let lease = self.leases.get_mut(token).expect("its handler runs");
        lease.progress = Progress::Lost;
    }

    /// The handler of a delivery that timed out is done. Whatever it says, the attempt has failed, unless
    /// the message is dead for good or given back.
    pub(super) fn settle_late(&mut self, settle: &Settle<'_>) {
        let verdict = match settle.verdict {
            Verdict::Ack => Verdict::Reject { delay_ms: None },
            Verdict::RetryAt { at, .. } => Verdict::RetryAt {
                at,
                costs_attempt: true,
                counts_as_failure: true,
            },
            Verdict::PutOff { delay_ms, .. } => Verdict::Reject { delay_ms },
            verdict => verdict,
        };
        let own = own_errors::took_too_long(self.limits_of(settle.token));
        let said = settle.error;
        let settle = Settle {
            verdict,
            result: b"",
            error: if said.is_empty() { &own } else { said },
            ..settle.clone()
        };
        self.settle_open(Ticket(0), &settle)
            .expect("what is no acknowledgement is never refused");
    }

    /// How an attempt ends that fails now.
    pub(super) fn reason_of_failure(&self, token: Token) -> Reason {
        let watch = self
            .leases
            .get(token)
            .and_then(|lease| lease.watch.as_ref());
        watch
            .and_then(|watch| watch.reason)
            .unwrap_or(Reason::Exhausted)
    }

    /// A message that was held waits like any other.
    pub(super) fn let_go(&mut self, slot: u32, number: u64) {
        if self.ledger.is_tenant(slot, number)
            && self.ledger.messages[slot].standing == Standing::Held
        {
            self.ledger.enter(slot, self.now);
            self.promote_group_of(slot);
        }
    }
}

/// What came first stays.
fn note_reason(watch: Option<&mut Watch>, reason: Reason) {
    if let Some(watch) = watch {
        watch.reason.get_or_insert(reason);
    }
}
