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
use crate::ledger::HandedOver;
use crate::ledger::message::NONE;

impl Engine {
    /// Settles a message whose delivery is claimed just now. Its group stays busy: which one.
    pub(super) fn hand_over(&mut self, slot: u32) -> Option<u32> {
        let message = &self.ledger.messages[slot];
        let (queue, group) = (message.queue, message.group);
        if group != NONE {
            self.ledger.queues[queue as usize].groups.start(group);
        }
        self.ledger.unlease(slot);
        let ended = self.end_of(slot, MessageState::Completed, b"");
        self.ledger
            .complete(slot, self.now, b"", true, &mut self.commit);
        self.tell_end(ended);
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
        match settle.verdict {
            Verdict::Ack => self.finish_handed_over(token, EventKind::Completed, b""),
            Verdict::Return => {}
            Verdict::Dead(Reason::Invalid) => {
                self.bury_handed_over(token, settle.error);
                self.fail_handed_over(token, settle.error);
            }
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
        let lease = self.leases.get_mut(token).expect("its delivery is open");
        lease.progress = Progress::Settled;
        let (queue, attempt) = (lease.queue, lease.attempt);
        let id = lease
            .letter
            .as_ref()
            .map_or_else(String::new, |letter| letter.id.to_string());
        self.settled_suspect(token);
        self.note_handling(token);
        let counters = &mut self.ledger.queues[queue as usize].counters;
        if kind == EventKind::Completed {
            counters.acked += 1;
        } else {
            counters.rejected += 1;
        }
        if self.listens(queue, kind) {
            let event = Event {
                attempt,
                id,
                error: error.into(),
                ..Event::of(kind, QueueId(queue))
            };
            self.emit(queue, self.timed(token, event));
        }
        self.note_drained(queue);
    }

    /// Nobody handled it: what cannot be decoded is kept, although it was handed over.
    fn bury_handed_over(&mut self, token: Token, error: &[u8]) {
        let lease = self.leases.get(token).expect("its delivery is open");
        let content = lease.content.as_ref().expect("it was delivered");
        let payload = Rc::clone(&content.bytes);
        let letter = lease.letter.as_ref().expect("it exists nowhere else");
        let id = letter.id.to_string();
        let handed_over = HandedOver {
            queue: lease.queue,
            id: &id,
            payload: &payload,
        };
        let slot = self.ledger.bury_handed_over(
            handed_over,
            self.now,
            Reason::Invalid,
            error,
            &mut self.commit,
        );
        self.tell_dead(slot, Reason::Invalid, error);
    }

    /// The group of an at-most-once delivery may go on.
    pub(super) fn end_hand_over(&mut self, lease: &Lease) {
        if let Some(group) = lease.handed_over_group {
            self.ledger.queues[lease.queue as usize].groups.end(group);
            self.ledger.promote(lease.queue, group, self.now);
        }
    }
}
