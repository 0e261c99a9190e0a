//! From what the core tells to output records.

use ackbox_core::effect::{self, Answer, Delivery, Effect, Fate, Recipient};
use ackbox_core::error::Failure;

use crate::codes::{self, ReplyCode};
use crate::number::to_host;
use crate::output::{
    Abort, Append, Body, Deliver, Event, Notice, Output, Read, Receipt, Remove, Reply, Settlement,
    Transit, Truncate, Want,
};

/// The record of an effect. `notice` is the number under which a notice will be kept.
pub(crate) fn record(effect: &Effect, notice: u64) -> Output<'_> {
    match effect {
        Effect::Append { segment, bytes } => Output::Append(Append {
            segment: *segment,
            bytes,
        }),
        Effect::Read {
            read,
            segment,
            offset,
            length,
        } => Output::Read(Read {
            read: to_host(read.0),
            offset: to_host(*offset),
            segment: *segment,
            length: *length,
        }),
        Effect::Truncate { segment, bytes } => Output::Truncate(Truncate {
            length: to_host(*bytes),
            segment: *segment,
        }),
        Effect::Remove { segment } => Output::Remove(Remove { segment: *segment }),
        Effect::Deliver(delivery) => Output::Deliver(deliver(delivery)),
        Effect::Abort { token, reason } => Output::Abort(Abort {
            token: to_host(token.0),
            reason: *reason as u32,
        }),
        Effect::Receipt {
            ticket,
            index,
            duplicate,
            state,
            id,
            number: _,
        } => Output::Receipt(Receipt {
            ticket: to_host(ticket.0),
            index: *index,
            state: *state as u32,
            duplicate: *duplicate,
            id,
        }),
        Effect::Reply { ticket, result } => reply(to_host(ticket.0), result),
        Effect::Body {
            ticket,
            index,
            intact,
            content,
        } => Output::Body(Body {
            ticket: to_host(ticket.0),
            index: *index,
            intact: *intact,
            headers: content.headers(),
            body: content.body(),
        }),
        Effect::Event(event) => Output::Event(happened(event)),
        Effect::Want { queue, max } => Output::Want(Want {
            queue: queue.0,
            max: *max,
        }),
        Effect::Settlement(settlement) => Output::Settlement(settled(settlement)),
        Effect::Transit { count } => Output::Transit(Transit { count: *count }),
        Effect::Notice(_) => Output::Notice(Notice {
            number: to_host(notice),
        }),
    }
}

fn deliver(delivery: &Delivery) -> Deliver<'_> {
    let (ticket, worker) = match delivery.to {
        Recipient::Worker(worker) => (0, worker.0),
        Recipient::Dequeue(ticket) => (ticket.0, 0),
    };
    Deliver {
        token: to_host(delivery.token.0),
        ticket: to_host(ticket),
        enqueued_at: to_host(delivery.enqueued_at.0),
        lease_until: to_host(delivery.lease_until.0),
        number: to_host(delivery.number),
        worker,
        queue: delivery.queue.0,
        attempt: delivery.attempt,
        priority: u32::from(delivery.priority),
        run: delivery.run,
        steps: delivery.steps,
        handed_over: delivery.handed_over,
        id: &delivery.id,
        group: &delivery.group,
        destination: &delivery.destination,
        headers: delivery.content.headers(),
        body: delivery.content.body(),
    }
}

fn reply<'a>(ticket: f64, result: &Result<Answer, Failure>) -> Output<'a> {
    let (code, value) = match result {
        Ok(Answer::Value(value)) => (ReplyCode::Value, *value),
        Ok(Answer::Object(_)) => (ReplyCode::Object, 0),
        Err(_) => (ReplyCode::Failure, 0),
    };
    Output::Reply(Reply {
        ticket,
        value: to_host(value),
        code: code as u32,
    })
}

fn happened(event: &effect::Event) -> Event<'_> {
    Event {
        wait_ms: to_host(event.wait_ms),
        handle_ms: to_host(event.handle_ms),
        at: to_host(event.at.0),
        event: event.kind as u32,
        queue: event.queue.0,
        attempt: event.attempt,
        reason: event.reason.map_or(0, |reason| reason as u32),
        circuit_from: event.states.map_or(0, |(from, _)| from as u32),
        circuit_to: event.states.map_or(0, |(_, to)| to as u32),
        id: &event.id,
        error: &event.error,
    }
}

fn settled(settlement: &effect::Settlement) -> Settlement<'_> {
    let (fate, bytes): (_, &[u8]) = match &settlement.fate {
        Fate::Completed(result) => (codes::Fate::Completed, result),
        Fate::Again { error, .. } => (codes::Fate::Again, error),
        Fate::Dead { error, .. } => (codes::Fate::Dead, error),
        Fate::Returned => (codes::Fate::Returned, b""),
    };
    let (due, costs_attempt) = match settlement.fate {
        Fate::Again {
            due, costs_attempt, ..
        } => (due.0, costs_attempt),
        _ => (0, false),
    };
    let reason = match settlement.fate {
        Fate::Again { reason, .. } | Fate::Dead { reason, .. } => reason as u32,
        _ => 0,
    };
    Settlement {
        token: to_host(settlement.token.0),
        ticket: to_host(settlement.ticket.0),
        due: to_host(due),
        fate: fate as u32,
        reason,
        costs_attempt,
        in_unit: settlement.in_unit,
        bytes,
    }
}
