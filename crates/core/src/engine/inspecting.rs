//! Showing messages: what is known of them at once, their contents as soon as they are read, and all
//! of it only when what was seen is durable.

mod steps;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Engine;
use super::contents::{Part, Purpose, content_of, content_of_dead, end_of, step_result_of};
use super::selecting::Selection;
use super::staging::Gate;
use super::stepping::VALUE;
use crate::command::{MessageState, Reason, Ticket, Token};
use crate::effect::{Answer, Content, DeadPage, Effect, MessageInfo, Object};
use crate::error::{ErrorCode, Failure};
use crate::journal::Place;
use crate::ledger::Ledger;
use crate::ledger::history::describe;
use crate::ledger::message::Standing;

/// Entries of one answer.
pub(super) const ENTRIES_MAX: usize = 1000;

#[derive(Clone, PartialEq, Debug)]
enum Shape {
    Infos,
    /// The cursor of the next page, if there is one.
    DeadPage(Option<String>),
    /// How one message ended, without its headers and body.
    End,
    /// What a step gave, for this delivery.
    Step(Token),
}

/// What is asked about a message.
#[derive(Clone, Debug)]
pub(super) enum Question {
    /// What is known of it.
    Get,
    /// How it ended.
    Finished,
    /// What is known of it and of others.
    Select(Rc<Selection>),
}

#[derive(Debug)]
struct Inspection {
    ticket: Ticket,
    shape: Shape,
    infos: Vec<MessageInfo>,
    contents: Vec<Option<Content>>,
    reads: usize,
    durable: bool,
    /// The record of an end that turned out to be damaged.
    damaged: Option<Place>,
}

impl Inspection {
    /// What it counts against the limit of what is shown at once.
    fn shown(&self) -> usize {
        self.infos.len().max(self.contents.len())
    }

    /// Shows what the record of a message holds.
    fn show(&mut self, index: usize, payload: Rc<[u8]>) {
        let may_be_damaged = self.infos[index].reason == Some(Reason::Corrupt);
        self.contents[index] = if may_be_damaged {
            content_of_dead(payload)
        } else {
            content_of(payload)
        };
    }
}

/// A question about an end whose record has no place yet: it is asked again when it has.
#[derive(Debug)]
pub(super) struct Asked {
    ticket: Ticket,
    queue: u32,
    id: Box<str>,
    question: Question,
}

/// Answers that are being put together.
#[derive(Debug, Default)]
pub(super) struct Inspections {
    jobs: BTreeMap<u64, Inspection>,
    last: u64,
    /// By their entries.
    asked: BTreeMap<u32, Vec<Asked>>,
    /// Messages in all of them.
    shown: usize,
}

impl Inspections {
    /// The tickets of all answers that will not come.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        self.shown = 0;
        let asked = std::mem::take(&mut self.asked).into_values().flatten();
        std::mem::take(&mut self.jobs)
            .into_values()
            .map(|job| job.ticket)
            .chain(asked.map(|asked| asked.ticket))
            .collect()
    }

    /// What was asked about an entry; its record may have a place now.
    pub(super) fn take_asked(&mut self, entry: u32) -> Vec<Asked> {
        let asked = self.asked.remove(&entry).unwrap_or_default();
        self.shown -= asked.len();
        asked
    }

    /// Messages that are being shown.
    #[must_use]
    pub(super) fn shown(&self) -> usize {
        self.shown
    }
}

impl Engine {
    pub(super) fn inspect_one(&mut self, ticket: Ticket, queue: u32, id: &str) {
        match self.ledger.by_id(queue, id) {
            Some(slot) => self.inspect_with_steps(ticket, &[slot], Shape::Infos),
            None => {
                if !self.inspect_end(ticket, queue, id, Question::Get) {
                    let infos = Object::Infos(Vec::new());
                    self.reply(ticket, Ok(Answer::Object(Box::new(infos))));
                }
            }
        }
    }

    /// How a dead letter died.
    pub(super) fn inspect_death(&mut self, ticket: Ticket, slot: u32) {
        self.inspect(ticket, &[slot], Shape::End);
    }

    /// Shows a message of which only the end is remembered, with what its record keeps of it; false if
    /// nothing is remembered under this id.
    pub(super) fn inspect_end(
        &mut self,
        ticket: Ticket,
        queue: u32,
        id: &str,
        question: Question,
    ) -> bool {
        let Some(entry) = self.ledger.finished_entry(queue, id, self.now) else {
            return false;
        };
        let mut inspection = Inspection {
            ticket,
            shape: match question {
                Question::Get | Question::Select(_) => Shape::Infos,
                Question::Finished => Shape::End,
            },
            infos: vec![self.ledger.finished_info(queue, id, entry)],
            contents: Vec::new(),
            reads: 0,
            durable: false,
            damaged: None,
        };
        if self.ledger.dedup.tells(entry) {
            let place = self.ledger.dedup.place(entry);
            if place.length == 0 {
                self.ask_later(entry, ticket, queue, id, question);
                return true;
            }
            let (job, index) = (self.inspections.last + 1, 0);
            let history = self.ledger.shows_history(entry, self.now);
            let part = Part::End { place, history };
            self.reads
                .want(place, Purpose::Inspect { job, index, part });
            inspection.contents.push(None);
            inspection.reads = 1;
        }
        self.begin_inspection(inspection);
        true
    }

    /// Asks again when the record of an entry has a place.
    pub(super) fn ask_later(
        &mut self,
        entry: u32,
        ticket: Ticket,
        queue: u32,
        id: &str,
        question: Question,
    ) {
        let asked = self.inspections.asked.entry(entry).or_default();
        asked.push(Asked {
            ticket,
            queue,
            id: Box::from(id),
            question,
        });
        self.inspections.shown += 1;
    }

    /// Asks again what could not be answered before.
    pub(super) fn ask_again(&mut self, asked: Vec<Asked>) {
        for asked in asked {
            let Asked {
                ticket, queue, id, ..
            } = asked;
            match asked.question {
                Question::Get => self.inspect_one(ticket, queue, &id),
                Question::Finished => self.finished(ticket, queue, &id),
                Question::Select(selection) => self.select(ticket, queue, selection),
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
        self.inspect_with_steps(ticket, slots, Shape::DeadPage(next));
    }

    fn inspect(&mut self, ticket: Ticket, slots: &[u32], shape: Shape) {
        let inspection = self.inspection_of(ticket, slots, shape);
        self.begin_inspection(inspection);
    }

    /// Shows messages, and behind them the ends of finished ones, whose records have their places.
    pub(super) fn inspect_selected(
        &mut self,
        ticket: Ticket,
        queue: u32,
        slots: &[u32],
        ends: &[(&str, u32)],
    ) {
        let mut inspection = self.inspection_of(ticket, slots, Shape::Infos);
        let job = self.inspections.last + 1;
        for (id, entry) in ends {
            let index = inspection.infos.len() as u32;
            let info = self.ledger.finished_info(queue, id, *entry);
            inspection.infos.push(info);
            inspection.contents.push(None);
            if self.ledger.dedup.tells(*entry) {
                let place = self.ledger.dedup.place(*entry);
                let history = self.ledger.shows_history(*entry, self.now);
                let part = Part::End { place, history };
                self.reads
                    .want(place, Purpose::Inspect { job, index, part });
                inspection.reads += 1;
            }
        }
        self.begin_inspection(inspection);
    }

    fn inspection_of(&mut self, ticket: Ticket, slots: &[u32], shape: Shape) -> Inspection {
        let job = self.inspections.last + 1;
        let is_end = shape == Shape::End;
        let infos = slots.iter().map(|slot| self.ledger.info(*slot)).collect();
        let mut inspection = Inspection {
            ticket,
            shape,
            infos,
            contents: vec![None; slots.len()],
            reads: 0,
            durable: false,
            damaged: None,
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
                    inspection.show(index, payload);
                }
                None => {
                    let is_moved_dead_letter = message
                        .death
                        .as_ref()
                        .is_some_and(|death| death.place == message.place);
                    let part = match (is_moved_dead_letter, is_end) {
                        (true, true) => Some(Part::Details),
                        (true, false) => Some(Part::Both),
                        (false, true) => None,
                        (false, false) => Some(Part::Content),
                    };
                    if let Some(part) = part {
                        self.reads.want(message.place, wanted(index, part));
                        inspection.reads += 1;
                    }
                }
            }
            if let Some(place) = message.details_place() {
                self.reads.want(place, wanted(index, Part::Details));
                inspection.reads += 1;
            }
        }
        if is_end {
            inspection.contents.clear();
        }
        inspection
    }

    /// Answers as soon as everything that was seen is durable and everything wanted is read.
    fn begin_inspection(&mut self, mut inspection: Inspection) {
        self.inspections.last += 1;
        let job = self.inspections.last;
        inspection.durable = self.commit.gate(Gate::Inspected(job)).is_some();
        self.inspections.shown += inspection.shown();
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
        match (part, payload) {
            (Part::End { place, history }, payload) => match payload.as_ref().and_then(end_of) {
                Some((result, past)) => {
                    if history {
                        inspection.infos[index].history = describe(past);
                    }
                    inspection.contents[index] =
                        Some(result).filter(|result| !result.body().is_empty());
                }
                None => inspection.damaged = Some(place),
            },
            (Part::Step(place), payload) => {
                let content = payload.as_ref().and_then(step_result_of);
                if content.is_none() {
                    inspection.damaged = Some(place);
                }
                inspection.contents[index] = content;
            }
            (part, Some(payload)) => {
                if part != Part::Content {
                    Ledger::add_details(&mut inspection.infos[index], &payload);
                }
                if part != Part::Details {
                    inspection.show(index, payload);
                }
            }
            (_, None) => {}
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
        self.inspections.shown -= done.shown();
        if let (Shape::Step(token), Some(place)) = (&done.shape, done.damaged) {
            return self.refuse_damaged_step(done.ticket, *token, place);
        }
        if let (Shape::End, Some(place)) = (&done.shape, done.damaged) {
            let failure = Failure {
                segment: Some(place.segment),
                offset: Some(place.offset.into()),
                ..Failure::new(
                    ErrorCode::Corrupt,
                    "the stored result of the message is damaged",
                )
            };
            return self.refuse(done.ticket, failure);
        }
        for (index, content) in done.contents.into_iter().enumerate() {
            let intact = content.is_some();
            self.output.push_back(Effect::Body {
                ticket: done.ticket,
                index: index as u32,
                intact,
                content: content.unwrap_or_else(Content::empty),
            });
        }
        let object = |object| Answer::Object(Box::new(object));
        let answer = match done.shape {
            Shape::Infos | Shape::End => object(Object::Infos(done.infos)),
            Shape::DeadPage(next) => object(Object::DeadPage(DeadPage {
                items: done.infos,
                next,
            })),
            Shape::Step(_) => Answer::Value(VALUE),
        };
        self.output.push_back(Effect::Reply {
            ticket: done.ticket,
            result: Ok(answer),
        });
    }
}
