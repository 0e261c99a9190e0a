//! Showing messages: what is known of them at once, their contents as soon as they are read, and all
//! of it only when what was seen is durable.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Engine;
use super::contents::{Part, Purpose, content_of};
use super::staging::Gate;
use crate::command::{MessageState, Ticket};
use crate::effect::{Answer, Content, DeadPage, Effect, MessageInfo, Object};
use crate::ledger::Ledger;
use crate::ledger::message::Standing;

/// Entries of one answer.
const ENTRIES_MAX: usize = 1000;

#[derive(Debug)]
enum Shape {
    Infos,
    /// The cursor of the next page, if there is one.
    DeadPage(Option<String>),
}

#[derive(Debug)]
struct Inspection {
    ticket: Ticket,
    shape: Shape,
    infos: Vec<MessageInfo>,
    contents: Vec<Option<Content>>,
    reads: usize,
    durable: bool,
}

/// Answers that are being put together.
#[derive(Debug, Default)]
pub(super) struct Inspections {
    jobs: BTreeMap<u64, Inspection>,
    last: u64,
}

impl Inspections {
    /// The tickets of all answers that will not come.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.jobs)
            .into_values()
            .map(|job| job.ticket)
            .collect()
    }
}

impl Engine {
    pub(super) fn inspect_one(&mut self, ticket: Ticket, queue: u32, id: &str) {
        match self.ledger.by_id(queue, id) {
            Some(slot) => self.inspect(ticket, &[slot], Shape::Infos),
            None => {
                let infos = self
                    .ledger
                    .finished_info(queue, id, self.now)
                    .into_iter()
                    .collect();
                self.reply(ticket, Ok(Answer::Object(Box::new(Object::Infos(infos)))));
            }
        }
    }

    pub(super) fn inspect_many(
        &mut self,
        ticket: Ticket,
        queue: u32,
        state: Option<MessageState>,
        limit: u32,
    ) {
        let slots = self.peek_slots(queue, state, (limit as usize).min(ENTRIES_MAX));
        self.inspect(ticket, &slots, Shape::Infos);
    }

    /// Shows a page of dead letters; `next` leads to the one behind it.
    pub(super) fn inspect_dead(&mut self, ticket: Ticket, slots: &[u32], next: Option<String>) {
        self.inspect(ticket, slots, Shape::DeadPage(next));
    }

    fn inspect(&mut self, ticket: Ticket, slots: &[u32], shape: Shape) {
        self.inspections.last += 1;
        let job = self.inspections.last;
        let infos = slots.iter().map(|slot| self.ledger.info(*slot)).collect();
        let mut inspection = Inspection {
            ticket,
            shape,
            infos,
            contents: vec![None; slots.len()],
            reads: 0,
            durable: false,
        };
        let wanted = |index: usize, part| Purpose::Inspect {
            job,
            index: index as u32,
            part,
        };
        for (index, slot) in slots.iter().enumerate() {
            let message = &self.ledger.messages[*slot];
            match &message.content {
                Some(payload) => {
                    let payload = Rc::clone(payload);
                    if message.standing == Standing::Dead && message.details_place().is_none() {
                        Ledger::add_details(&mut inspection.infos[index], &payload);
                    }
                    inspection.contents[index] = content_of(payload);
                }
                None => {
                    let is_moved_dead_letter = message
                        .death
                        .as_ref()
                        .is_some_and(|death| death.place == message.place);
                    let part = if is_moved_dead_letter {
                        Part::Both
                    } else {
                        Part::Content
                    };
                    self.reads.want(message.place, wanted(index, part));
                    inspection.reads += 1;
                }
            }
            if let Some(place) = message.details_place() {
                self.reads.want(place, wanted(index, Part::Details));
                inspection.reads += 1;
            }
        }
        inspection.durable = self.commit.gate(Gate::Inspected(job)).is_some();
        self.inspections.jobs.insert(job, inspection);
        self.finish_inspection(job);
    }

    /// A record that an inspection waits for; `None`: damaged.
    pub(super) fn loaded_for_inspection(
        &mut self,
        job: u64,
        index: u32,
        part: Part,
        payload: Option<Rc<[u8]>>,
    ) {
        let Some(inspection) = self.inspections.jobs.get_mut(&job) else {
            return;
        };
        inspection.reads -= 1;
        let index = index as usize;
        if let Some(payload) = payload {
            if part != Part::Content {
                Ledger::add_details(&mut inspection.infos[index], &payload);
            }
            if part != Part::Details {
                inspection.contents[index] = content_of(payload);
            }
        }
        self.finish_inspection(job);
    }

    pub(super) fn inspected(&mut self, job: u64) {
        if let Some(inspection) = self.inspections.jobs.get_mut(&job) {
            inspection.durable = true;
            self.finish_inspection(job);
        }
    }

    fn finish_inspection(&mut self, job: u64) {
        let jobs = &mut self.inspections.jobs;
        if !jobs
            .get(&job)
            .is_some_and(|inspection| inspection.durable && inspection.reads == 0)
        {
            return;
        }
        let done = jobs.remove(&job).expect("looked up just now");
        for (index, content) in done.contents.into_iter().enumerate() {
            let intact = content.is_some();
            self.output.push_back(Effect::Body {
                ticket: done.ticket,
                index: index as u32,
                intact,
                content: content.unwrap_or_else(Content::empty),
            });
        }
        let object = match done.shape {
            Shape::Infos => Object::Infos(done.infos),
            Shape::DeadPage(next) => Object::DeadPage(DeadPage {
                items: done.infos,
                next,
            }),
        };
        self.output.push_back(Effect::Reply {
            ticket: done.ticket,
            result: Ok(Answer::Object(Box::new(object))),
        });
    }
}
