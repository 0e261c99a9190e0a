//! Answers to what was asked of the engine: what was agreed to, and what was refused with reason.

use ackbox_core::config::QueueOptions;
use ackbox_core::effect::Answer;
use ackbox_core::error::{ErrorCode, Failure};

use crate::invariants::Violation;
use crate::model::{Asked, End, Message, Sent, Sure};
use crate::must;
use crate::op::Say;
use crate::world::{Phase, Stop, World};

impl World {
    pub(crate) fn replied(
        &mut self,
        sequence: u64,
        result: Result<Answer, Failure>,
    ) -> Result<(), Stop> {
        if self.opening == sequence {
            return self.opened(result);
        }
        let Some(asked) = self.model.asked.remove(&sequence) else {
            return Err(Violation(format!("an answer that nobody waits for: {result:?}")).into());
        };
        match result {
            Ok(answer) => self.agreed(sequence, asked, &answer),
            Err(failure) if failure.code == ErrorCode::StorageFailed => {
                must!(
                    matches!(self.phase, Phase::Failed(_)),
                    "ERR_STORAGE_FAILED of a box that works: {failure:?}"
                );
                // Its outcome is unknown.
                self.model.asked.insert(sequence, asked);
                Ok(())
            }
            Err(failure) => self.refused(sequence, asked, &failure),
        }
    }

    fn agreed(&mut self, sequence: u64, asked: Asked, answer: &Answer) -> Result<(), Stop> {
        let is_failed = matches!(self.phase, Phase::Failed(_));
        let now = self.clock.engine_now();
        match asked {
            Asked::Unit {
                ends,
                before,
                items,
                sure,
                at,
                ..
            } => {
                must!(!is_failed, "I9: settled by a box that failed");
                must!(
                    items.iter().all(Option::is_none),
                    "a transaction without its receipts"
                );
                self.model.durable = self.model.durable.max(sequence);
                for (say, (index, ..)) in ends.iter().zip(before) {
                    if !sure {
                        self.model.say(index, *say, at, sequence, Sure::Maybe);
                    }
                    if self.model.messages[index].end == End::Asked(sequence) {
                        self.model.complete(index, now, true);
                    }
                    if *say != Say::Ack {
                        self.model.messages[index].refunded = false;
                    }
                }
            }
            Asked::Stale => must!(false, "I4: a stale token settled something"),
            Asked::Recall(call) => self.recalled(sequence, call, answer)?,
            Asked::Record { message, name, .. } => {
                must!(!is_failed, "I9: recorded by a box that failed");
                self.model.durable = self.model.durable.max(sequence);
                let steps = &mut self.model.messages[message].steps;
                steps.entry(name).or_default().confirm(sequence);
            }
            Asked::Edit { message } => {
                must!(!is_failed, "I9: edited by a box that failed");
                let message = &mut self.model.messages[message];
                let bodies = &mut message.bodies;
                if matches!(answer, Answer::Value(1)) {
                    self.model.durable = self.model.durable.max(sequence);
                    let former = bodies.extract_if(.., |(asked, _)| *asked < sequence);
                    message.former.extend(former);
                } else {
                    bodies.retain(|(asked, _)| *asked != sequence);
                }
            }
            Asked::OpenProducer { producer } => self.producer_opened(producer, answer)?,
            Asked::Produce {
                producer,
                sent,
                number,
            } => {
                must!(!is_failed, "I9: accepted by a box that failed");
                must!(sent.is_none(), "I2: number {number} without its receipt");
                let Answer::Value(next) = answer else {
                    return Err(Violation("no number to go on with".to_owned()).into());
                };
                let known = self.model.producers.entry(producer).or_default();
                known.check_next(*next)?;
            }
            Asked::Fenced => must!(false, "I7: a fenced handle was heard"),
            Asked::Move { row, items } => {
                must!(!is_failed, "I9: moved by a box that failed");
                must!(
                    items.iter().all(Option::is_none),
                    "I6: {row:?} without its receipts"
                );
                self.model.durable = self.model.durable.max(sequence);
                self.figures.moved += 1;
                self.model.inbox.moved(row)?;
            }
            Asked::MovedBefore => {
                must!(
                    false,
                    "I7: a row that does not follow on the last was moved"
                );
            }
            Asked::Cancel { message } => {
                must!(!is_failed, "I9: cancelled by a box that failed");
                if matches!(answer, Answer::Value(1)) {
                    self.model.durable = self.model.durable.max(sequence);
                    self.model.messages[message].end = End::Told;
                }
            }
            Asked::Forget { queue, id } => {
                must!(!is_failed, "I9: forgotten by a box that failed");
                if matches!(answer, Answer::Value(1)) {
                    self.model.entries.remove(&(queue, id));
                }
            }
            Asked::Enqueue { .. } => must!(false, "an enqueue is answered by receipts"),
            // Who died or waits since it was asked for was met, too.
            Asked::Sweep { queue, what } => self.model.sweep(queue, what, now),
            Asked::Redrive { queue, how, .. } => self.model.redrive(queue, how, now),
            Asked::Dequeue { .. } | Asked::Leave { .. } | Asked::Drain { .. } | Asked::Other => {}
        }
        if self.closing == Some(sequence) {
            if !self.model.was_full {
                self.model.durable = sequence;
            }
            self.closed = true;
        }
        Ok(())
    }

    fn refused(&mut self, sequence: u64, asked: Asked, failure: &Failure) -> Result<(), Stop> {
        match asked {
            Asked::Recall(call) => self.step_refused(call.token, failure)?,
            Asked::Record {
                message,
                token,
                name,
            } => {
                self.step_refused(token, failure)?;
                let steps = &mut self.model.messages[message].steps;
                steps.entry(name).or_default().refuse(sequence);
            }
            Asked::Edit { message } => {
                let bodies = &mut self.model.messages[message].bodies;
                bodies.retain(|(asked, _)| *asked != sequence);
            }
            Asked::Fenced => {
                let fenced = matches!(failure.code, ErrorCode::Fenced | ErrorCode::Closed);
                must!(fenced, "I7: expected a fenced handle, got {failure:?}");
                return Ok(());
            }
            Asked::Produce {
                producer, number, ..
            } => self.produce_refused(producer, number, failure)?,
            Asked::Stale => {
                let fenced = matches!(
                    failure.code,
                    ErrorCode::LeaseLost | ErrorCode::AlreadySettled | ErrorCode::Closed
                );
                must!(fenced, "I4: a stale token: {failure:?}");
            }
            Asked::Unit {
                before,
                items,
                sure,
                returned,
                ..
            } => {
                let fenced = matches!(
                    failure.code,
                    ErrorCode::LeaseLost | ErrorCode::AlreadySettled
                );
                must!(
                    !(sure && items.is_empty() && fenced),
                    "I4: an open delivery was refused, {before:?}: {failure:?}"
                );
                for (index, message, held) in before {
                    if sure {
                        let steps = std::mem::take(&mut self.model.messages[index].steps);
                        self.model.messages[index] = Message { steps, ..message };
                    }
                    self.model.held.retain(|other| other.token != held.token);
                    if sure || !returned {
                        self.model.stale.retain(|token| *token != held.token);
                        self.model.held.push(held);
                    }
                }
            }
            Asked::Enqueue { items } => self.check_refused(&items, failure)?,
            Asked::Move { row, items } => return self.move_refused(row, &items, failure),
            Asked::MovedBefore => {
                let fenced = matches!(failure.code, ErrorCode::InvalidOption | ErrorCode::Closed);
                must!(fenced, "I7: expected a row in its order, got {failure:?}");
                return Ok(());
            }
            // One at a pace was cut off: it had done a part of its work.
            Asked::Redrive { queue, how, .. } => {
                let now = self.clock.engine_now();
                self.model.redrive(queue, how, now);
            }
            _ => {}
        }
        self.check_refusal(failure)
    }

    pub(crate) fn check_refused(
        &self,
        items: &[Option<Sent>],
        failure: &Failure,
    ) -> Result<(), Stop> {
        match failure.code {
            ErrorCode::IdConflict => {
                let known = items.iter().flatten().any(|sent| sent.known);
                must!(known, "I7: a conflict with nothing: {items:?}: {failure:?}");
            }
            ErrorCode::LeaseLost | ErrorCode::AlreadySettled | ErrorCode::NotFound => {
                must!(false, "an enqueue is refused: {failure:?}");
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether there is a reason to refuse anything.
    pub(crate) fn check_refusal(&self, failure: &Failure) -> Result<(), Stop> {
        let fits = match failure.code {
            ErrorCode::StorageFull => self.model.was_full,
            ErrorCode::StorageFailed => matches!(self.phase, Phase::Failed(_)),
            ErrorCode::Closed => self.closing.is_some() || !matches!(self.phase, Phase::Open),
            ErrorCode::QueueFull => self
                .model
                .queues
                .iter()
                .any(|queue| queue.max_depth.is_some() || queue.max_bytes.is_some()),
            ErrorCode::BodyTooLarge => {
                let mut queues = self.model.queues.iter();
                queues.any(|queue| queue.max_body_bytes.is_some())
            }
            ErrorCode::DedupFull => {
                let dedup = |queue: &QueueOptions| queue.dedup.as_ref()?.max_entries;
                self.model.queues.iter().any(|queue| dedup(queue).is_some())
            }
            ErrorCode::Corrupt => self.model.rotten > 0,
            ErrorCode::NotFound | ErrorCode::IdConflict => true,
            ErrorCode::LeaseLost | ErrorCode::AlreadySettled => true,
            _ => false,
        };
        must!(fits, "refused without a reason: {failure:?}");
        Ok(())
    }
}
