//! Producers that number what they send: in order or with gaps, once or again, and with handles that
//! somebody else has fenced.

use ackbox_core::command::{Command, Produce, Request};
use ackbox_core::effect::{Answer, Object};
use ackbox_core::error::{ErrorCode, Failure};

use super::producer::enqueues;
use crate::invariants::Violation;
use crate::model::producers::{Handle, Numbered};
use crate::model::{Asked, Sure};
use crate::must;
use crate::op::{Item, Which};
use crate::world::{Stop, World};

/// A number as far above those without a gap as nobody sends one.
const FAR: u64 = 500;

impl World {
    pub(crate) fn open_producer(&mut self, producer: u8) -> Result<(), Stop> {
        self.model.producers.entry(producer).or_default().open();
        let name = format!("producer-{producer}");
        let asked = Asked::OpenProducer { producer };
        self.request(Request::OpenProducer { name }, asked)
    }

    /// It is open.
    pub(crate) fn producer_opened(&mut self, producer: u8, answer: &Answer) -> Result<(), Stop> {
        let opened = match answer {
            Answer::Object(object) => match **object {
                Object::Producer(opened) => opened,
                _ => return Err(Violation("a producer without a handle".to_owned()).into()),
            },
            Answer::Value(_) => {
                return Err(Violation("a producer without a handle".to_owned()).into());
            }
        };
        let asks_for_it = |asked: &Asked| matches!(asked, Asked::OpenProducer { producer: other } if *other == producer);
        let is_latest = !self.model.asked.values().any(asks_for_it);
        let handle = Handle {
            producer: opened.producer,
            epoch: opened.epoch,
        };
        let known = self.model.producers.entry(producer).or_default();
        Ok(known.opened(handle, opened.sequence, is_latest)?)
    }

    /// A producer sends a number.
    pub(crate) fn produce(&mut self, producer: u8, which: Which, item: &Item) -> Result<(), Stop> {
        let Some(known) = self.model.producers.get(&producer) else {
            return Ok(());
        };
        let fenced = known.fenced();
        let handle = match which {
            Which::Fenced { pick } if !fenced.is_empty() => {
                Some(fenced[pick as usize % fenced.len()])
            }
            Which::Fenced { .. } => None,
            _ => known.handle,
        };
        let Some(handle) = handle else { return Ok(()) };
        let last = known.sent.keys().last().copied().unwrap_or(0);
        let number = match which {
            Which::Again { pick } if !known.sent.is_empty() => {
                let numbers: Vec<u64> = known.sent.keys().copied().collect();
                numbers[pick as usize % numbers.len()]
            }
            Which::Next { gap } => last + 1 + gap,
            _ => last + 1,
        };
        if number > FAR {
            return Ok(());
        }
        self.figures.numbers_again += u64::from(matches!(which, Which::Again { .. }));
        let is_fenced = matches!(which, Which::Fenced { .. });
        self.produce_number(producer, (handle, is_fenced), number, item)
    }

    fn produce_number(
        &mut self,
        producer: u8,
        (handle, is_fenced): (Handle, bool),
        number: u64,
        item: &Item,
    ) -> Result<(), Stop> {
        let known = self.model.producers.get(&producer);
        let numbered = match known.and_then(|known| known.sent.get(&number)) {
            Some(numbered) => numbered.clone(),
            None => self.number(item),
        };
        let mut sent = numbered.sent.clone();
        let item = numbered.item.clone();
        let now = self.clock.engine_now();
        (sent.at, sent.not_before) = (now, now + item.delay_ms);
        sent.deadline = item.ttl_ms.map(|ms| now + ms);
        sent.known = numbered.accepted != Sure::No;
        let sequence = self.next_sequence();
        if is_fenced {
            self.figures.fenced_sends += 1;
            self.model.asked.insert(sequence, Asked::Fenced);
        } else {
            let known = self.model.producers.entry(producer).or_default();
            known.sent.entry(number).or_insert(numbered);
            known.send(number);
            let asked = Asked::Produce {
                producer,
                number,
                sent: Some(sent.clone()),
            };
            self.model.asked.insert(sequence, asked);
        }
        let queues = self.model.queues.len();
        let all = [sent];
        let mut enqueues = enqueues(std::slice::from_ref(&item), &all, queues);
        let produce = Produce {
            producer: handle.producer,
            epoch: handle.epoch,
            sequence: number,
            enqueue: enqueues.remove(0),
        };
        self.command(sequence, Command::Produce(produce))
    }

    /// A message under a new number. Its id, where it needs one, is nobody else's: the number is what it
    /// is known by.
    fn number(&mut self, item: &Item) -> Numbered {
        let item = Item {
            id: None,
            conflicts: false,
            ..item.clone()
        };
        let sent = self.sent(std::slice::from_ref(&item)).remove(0);
        Numbered {
            item,
            sent,
            accepted: Sure::No,
            in_doubt: false,
        }
    }

    /// A numbered message is refused: it was not accepted.
    pub(crate) fn produce_refused(
        &mut self,
        producer: u8,
        number: u64,
        failure: &Failure,
    ) -> Result<(), Stop> {
        must!(
            !matches!(failure.code, ErrorCode::Fenced | ErrorCode::InvalidOption),
            "I7: number {number} of the latest handle was refused: {failure:?}"
        );
        let asked = &self.model.asked;
        let is_it = |asked: &Asked| matches!(asked, Asked::Produce { producer: other, number: same, .. } if *other == producer && *same == number);
        let is_asked_again = asked.values().any(is_it);
        if let Some(known) = self.model.producers.get_mut(&producer)
            && !is_asked_again
        {
            known.refuse(number);
        }
        Ok(())
    }
}
