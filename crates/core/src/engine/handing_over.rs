//! At-most-once: a message is settled before its handler starts.
//!
//! From then on its delivery can neither be rejected nor prolonged. It ends as done or as failed when
//! its handler does, or when whoever dequeued it lets go of it, and keeps its group busy until then.

use std::rc::Rc;

use super::Engine;
use super::deliveries::lease_lost;
use crate::command::{MessageState, QueueId, Reason, Settle, Ticket, Token, Verdict};
use crate::consumer::lease::{Lease, Progress};
use crate::effect::{Event, EventKind, Recipient};
use crate::error::Failure;
use crate::ledger::message::NONE;

/// What is told of a message whose stored bytes are damaged, as hosts encode errors.
const DAMAGED: &[u8] =
    br#"{"name":"Error","message":"the stored bytes of the message are damaged"}"#;

impl Engine {
    /// Settles a message whose delivery is claimed just now. Its group stays busy: which one.
    pub(super) fn hand_over(&mut self, slot: u32, token: Token) -> Option<u32> {
        let message = &self.ledger.messages[slot];
        let (queue, group) = (message.queue, message.group);
        if group != NONE {
            self.ledger.queues[queue as usize].groups.start(group);
        }
        self.ledger
            .hand_over(slot, token, self.now, &mut self.commit);
        (group != NONE).then_some(group)
    }

    /// What the consumer of an open at-most-once delivery says of it. Whoever waits for the answer to
    /// anything but an acknowledgement is refused, for nothing but that can be: a handler goes on, a
    /// dequeue is over.
    pub(super) fn settle_handed_over(
        &mut self,
        ticket: Ticket,
        settle: &Settle<'_>,
    ) -> Result<(), Failure> {
        let token = settle.token;
        let is_manual = matches!(self.recipient_of(token), Some(Recipient::Dequeue(_)));
        let is_refused = settle.verdict != Verdict::Ack && ticket.0 != 0;
        if is_refused && !is_manual {
            return Err(lease_lost());
        }
        if let (Some(to), Verdict::Ack | Verdict::Dead(Reason::Invalid)) =
            (self.recipient_of(token), settle.verdict)
        {
            self.count_outcome(to, settle.verdict, false);
        }
        // It is final, whatever follows for others.
        let _ = self.judge(token, settle.verdict);
        match settle.verdict {
            Verdict::Ack => self.finish_handed_over(token, EventKind::Completed, b""),
            Verdict::Return => {}
            Verdict::Dead(Reason::Invalid) => self.bury_handed_over(token, settle.error),
            _ => self.fail_handed_over(token, settle.error),
        }
        if is_manual {
            self.end_lease(token);
        }
        if is_refused {
            Err(lease_lost())
        } else {
            Ok(())
        }
    }

    /// An open at-most-once delivery failed, which is final.
    pub(super) fn fail_handed_over(&mut self, token: Token, error: &[u8]) {
        self.finish_handed_over(token, EventKind::Failed, error);
    }

    fn finish_handed_over(&mut self, token: Token, kind: EventKind, error: &[u8]) {
        self.tell_handed_over(token, kind, error);
        self.settled_handed_over(token, kind);
    }

    /// The consumer of an open delivery is done with it.
    fn settled_handed_over(&mut self, token: Token, kind: EventKind) {
        let lease = self.leases.get_mut(token).expect("its delivery is open");
        lease.progress = Progress::Settled;
        let (queue, number) = (lease.queue, lease.number);
        self.settled_suspect(token);
        self.note_handling(token);
        let counters = &mut self.ledger.queues[queue as usize].counters;
        if kind == EventKind::Completed {
            counters.acked += 1;
        } else {
            counters.rejected += 1;
        }
        self.tell_hand_over_end(number, MessageState::Completed);
        self.ledger.see_handed_over(number);
        self.note_drained(queue);
    }

    /// Tells how an open delivery ended.
    fn tell_handed_over(&mut self, token: Token, kind: EventKind, error: &[u8]) {
        let lease = self.leases.get(token).expect("its delivery is open");
        let (queue, number, attempt) = (lease.queue, lease.number, lease.attempt);
        if self.listens(queue, kind) {
            let id = self.ledger.handed_over_id(number);
            let event = Event {
                attempt,
                id: id.map_or_else(String::new, |id| id.to_string()),
                error: error.into(),
                ..Event::of(kind, QueueId(queue))
            };
            self.emit(queue, self.timed(token, event));
        }
    }

    /// A message that was handed over is lost before anybody saw it.
    pub(super) fn tell_lost(&mut self, lease: &Lease) {
        let (queue, attempt) = (lease.queue, lease.attempt);
        let id = self.ledger.handed_over_id(lease.number);
        let id = id.map_or_else(String::new, |id| id.to_string());
        self.ledger.queues[queue as usize].counters.rejected += 1;
        self.warn(
            Some(queue),
            format!("the stored bytes of message '{id}' are damaged: it is lost, for it was to be delivered at most once"),
        );
        if self.listens(queue, EventKind::Failed) {
            let event = Event {
                attempt,
                id,
                error: DAMAGED.into(),
                ..Event::of(EventKind::Failed, QueueId(queue))
            };
            self.emit(queue, event);
        }
    }

    /// Nobody handled it: what cannot be decoded is kept, although it was handed over.
    fn bury_handed_over(&mut self, token: Token, error: &[u8]) {
        let lease = self.leases.get(token).expect("its delivery is open");
        let content = lease.content.as_ref().expect("it was delivered");
        let payload = Rc::clone(&content.bytes);
        let slot = self.ledger.bury_handed_over(
            lease.number,
            &payload,
            self.now,
            Reason::Invalid,
            error,
            &mut self.commit,
        );
        self.tell_handed_over(token, EventKind::Failed, error);
        self.tell_dead(slot, Reason::Invalid, error);
        self.settled_handed_over(token, EventKind::Failed);
    }

    /// A delivery that nobody saw is taken back: its message waits again, as if it had not been claimed.
    pub(super) fn take_hand_over_back(&mut self, lease: &Lease) {
        let content = lease.content.as_ref().expect("it was loaded");
        let slot = self
            .ledger
            .take_back(lease.number, &content.bytes, self.now, &mut self.commit);
        self.end_hand_over(lease);
        self.ledger.enter(slot, self.now);
        self.promote_group_of(slot);
    }

    /// Withdraws a message that was handed over, unless somebody may have seen it.
    pub(super) fn cancel_handed_over(&mut self, queue: u32, id: &str) -> bool {
        let Some(number) = self.ledger.handed_over_by_id(queue, id) else {
            return false;
        };
        let token = self
            .ledger
            .handed_over(number)
            .expect("found just now")
            .token;
        self.drop_hand_over(token)
    }

    /// Withdraws the messages of a queue that are on their way back.
    pub(super) fn drop_hand_overs_on_their_way_back(&mut self, queue: u32) -> u64 {
        let tokens: Vec<Token> = self.leases.taken_back(queue).collect();
        let dropped = tokens
            .into_iter()
            .filter(|token| self.drop_hand_over(*token));
        dropped.count() as u64
    }

    /// Code of the user sees a delivery from now on: it can be declined no more.
    pub(super) fn see_handed_over(&mut self, token: Token) {
        let lease = self.leases.get_mut(token);
        if let Some(lease) = lease.filter(|lease| lease.delivered && lease.handed_over) {
            lease.is_seen = true;
            self.ledger.see_handed_over(lease.number);
        }
    }

    fn drop_hand_over(&mut self, token: Token) -> bool {
        if self.leases.get(token).is_none_or(|lease| lease.delivered) {
            return false;
        }
        let lease = self.forget_claim(token).expect("looked up just now");
        self.tell_hand_over_end(lease.number, MessageState::Cancelled);
        self.ledger
            .withdraw_handed_over(lease.number, &mut self.commit);
        self.end_hand_over(&lease);
        self.note_drained(lease.queue);
        true
    }

    /// An at-most-once delivery is over: its group may go on.
    pub(super) fn end_hand_over(&mut self, lease: &Lease) {
        if lease.handed_over {
            self.tell_hand_over_end(lease.number, MessageState::Completed);
            self.ledger.forget_handed_over(lease.number);
        }
        if self.ledger.is_remote && lease.handed_over_group.is_some() {
            self.tell_group_goes_on(lease);
        }
        if let Some(group) = lease.handed_over_group {
            self.ledger.queues[lease.queue as usize].groups.end(group);
            self.ledger.promote(lease.queue, group, self.now);
        }
    }
}
