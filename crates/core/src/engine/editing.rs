//! Editing dead letters: another body, other headers, all else as it was.
//!
//! The whole letter is written again with its new content, as cleaning would move it. An edit waits
//! in the row of all work on dead letters: for what has to be read, and while another record of its
//! letter is on its way to the storage.

use std::rc::Rc;

use super::Engine;
use super::contents::Purpose;
use super::deadjobs::{Turn, Work};
use super::staging::Gate;
use crate::command::{EditDead, Reason, Ticket};
use crate::effect::{Answer, Effect};
use crate::error::{ErrorCode, Failure};
use crate::ledger::Edit;

/// Bytes of contents that may wait to be written.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// An edit that waits for its turn, or for what it reads.
#[derive(Debug)]
pub(super) struct Editing {
    id: Box<str>,
    headers: Option<Box<[u8]>>,
    body: Option<Box<[u8]>>,
    letter: Option<Letter>,
}

/// A letter that is about to be edited.
#[derive(Debug)]
struct Letter {
    slot: u32,
    death: u64,
    reads: u8,
    /// Its record; none once it was found damaged.
    content: Option<Rc<[u8]>>,
    /// The record of its death, if it has one elsewhere.
    details: Option<Rc<[u8]>>,
}

/// An edit that is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edited {
    /// Whom to answer.
    pub(super) ticket: Ticket,
    slot: u32,
    number: u64,
    death: u64,
    /// What it counted before.
    bytes: u32,
}

impl Editing {
    /// Bytes of the new content.
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        let length = |part: &Option<Box<[u8]>>| part.as_ref().map_or(0, |part| part.len());
        length(&self.headers) + length(&self.body)
    }
}

impl Engine {
    pub(super) fn edit_dead(&mut self, ticket: Ticket, edit: &EditDead<'_>) {
        if let Err(failure) = self.add_edit(ticket, edit) {
            self.refuse(ticket, failure);
        }
    }

    fn add_edit(&mut self, ticket: Ticket, edit: &EditDead<'_>) -> Result<(), Failure> {
        let queue = self.known(edit.queue)?;
        let target = &self.ledger.queues[queue as usize];
        let limit = target.settings.max_body_bytes as usize;
        if let Some(body) = edit.body.filter(|body| body.len() > limit) {
            let (length, name) = (body.len(), &target.name);
            let message =
                format!("expected a body of at most {limit} bytes, got {length} (queue '{name}')");
            return Err(Failure::new(ErrorCode::BodyTooLarge, message));
        }
        let editing = Editing {
            id: Box::from(edit.id),
            headers: edit.headers.map(Box::from),
            body: edit.body.map(Box::from),
            letter: None,
        };
        let waiting = self.dead_jobs.edit_bytes() + editing.bytes();
        if waiting > WAITING_BYTES_MAX {
            let message = format!(
                "{waiting} bytes of edits would wait, more than {WAITING_BYTES_MAX} must not"
            );
            return Err(Failure::new(ErrorCode::QueueFull, message));
        }
        self.add_dead_job(ticket, queue, Work::Edit(editing))
    }

    /// Goes on with an edit.
    pub(super) fn work_on_edit(
        &mut self,
        ticket: Ticket,
        queue: u32,
        editing: &mut Editing,
    ) -> Turn {
        if editing.letter.is_none() {
            let found = self.ledger.by_id(queue, &editing.id);
            let Some(slot) = found.filter(|slot| self.ledger.messages[*slot].death.is_some())
            else {
                self.reply(ticket, Ok(Answer::Value(0)));
                return Turn::Done;
            };
            let message = &self.ledger.messages[slot];
            if message.moving || !message.is_placed() {
                // Its content in memory is not stored yet, and may never be.
                return self.await_record(ticket);
            }
            editing.letter = Some(self.read_letter(slot));
        }
        let letter = editing.letter.as_ref().expect("found above");
        if letter.reads > 0 {
            return Turn::Waits;
        }
        if !self.ledger.is_death(letter.slot, letter.death) {
            self.reply(ticket, Ok(Answer::Value(0)));
            return Turn::Done;
        }
        let message = &self.ledger.messages[letter.slot];
        if message.moving {
            return self.await_record(ticket);
        }
        if message.details_place().is_some() && letter.details.is_none() {
            // Memory let go of them meanwhile.
            editing.letter = None;
            return Turn::GoesOn;
        }
        if let Err(failure) = self.write_edit(ticket, queue, editing) {
            self.refuse(ticket, failure);
        }
        Turn::Done
    }

    /// Another record of the letter is on its way to the storage.
    fn await_record(&mut self, ticket: Ticket) -> Turn {
        if !self.commit.is_on_hold() {
            return Turn::Waits;
        }
        self.refuse(ticket, no_room());
        Turn::Done
    }

    /// Has everything read that memory does not hold.
    fn read_letter(&mut self, slot: u32) -> Letter {
        let message = &self.ledger.messages[slot];
        let death = message.death.as_ref().map_or(0, |death| death.sequence);
        let (content, place) = (message.content.clone(), message.place);
        let mut reads = 0;
        if content.is_none() {
            let purpose = Purpose::Edit {
                death,
                details: false,
            };
            self.reads.want(place, purpose);
            reads += 1;
        }
        if let Some(place) = message.details_place() {
            let purpose = Purpose::Edit {
                death,
                details: true,
            };
            self.reads.want(place, purpose);
            reads += 1;
        }
        Letter {
            slot,
            death,
            reads,
            content,
            details: None,
        }
    }

    /// A record that an edit waits for; `None`: damaged.
    pub(super) fn loaded_for_edit(&mut self, death: u64, details: bool, payload: Option<Rc<[u8]>>) {
        let Some(Editing {
            letter: Some(letter),
            ..
        }) = self.dead_jobs.edit_under_way()
        else {
            return;
        };
        if letter.death != death {
            return;
        }
        letter.reads -= 1;
        if details {
            letter.details = Some(payload.unwrap_or_else(|| Rc::from([])));
        } else {
            letter.content = payload;
        }
    }

    fn write_edit(&mut self, ticket: Ticket, queue: u32, editing: &Editing) -> Result<(), Failure> {
        let letter = editing.letter.as_ref().expect("it was found");
        let slot = letter.slot;
        let message = &self.ledger.messages[slot];
        let (number, bytes, place) = (message.number, message.bytes, message.place);
        let reason = message.death.as_ref().map(|death| death.reason);
        let content = letter.content.as_deref();
        let content = content.filter(|_| reason != Some(Reason::Corrupt));
        let damaged = || Failure {
            segment: Some(place.segment),
            offset: Some(place.offset.into()),
            ..Failure::new(
                ErrorCode::Corrupt,
                format!(
                    "the stored bytes of message '{}' are damaged: there is nothing to edit",
                    editing.id
                ),
            )
        };
        let content = content.ok_or_else(damaged)?;
        let edit = Edit {
            headers: editing.headers.as_deref(),
            body: editing.body.as_deref(),
        };
        self.check_growth(queue, slot, content, &edit)
            .unwrap_or_else(|| Err(damaged()))?;
        let details = letter.details.as_deref();
        self.ledger
            .edit(slot, content, details, &edit, &mut self.commit);
        let written = Rc::from(crate::ledger::Recorder::last_payload(&self.commit));
        self.ledger.uncache(slot);
        self.ledger.cache(slot, written);
        let edited = Edited {
            ticket,
            slot,
            number,
            death: letter.death,
            bytes,
        };
        if self.commit.gate(Gate::Edited(edited)).is_some() {
            unreachable!("it was written just now");
        }
        Ok(())
    }

    /// Whether a queue has room for what a letter grows by; none if its bytes make no message.
    fn check_growth(
        &self,
        queue: u32,
        slot: u32,
        content: &[u8],
        edit: &Edit<'_>,
    ) -> Option<Result<(), Failure>> {
        let grown = edit.counted_bytes(content)?;
        let old = self.ledger.messages[slot].bytes;
        let target = &self.ledger.queues[queue as usize];
        let bytes = target.bytes - u64::from(old) + u64::from(grown);
        let limit = target.settings.max_bytes;
        if grown <= old || bytes <= limit {
            return Some(Ok(()));
        }
        let message = format!(
            "queue '{}' would hold {bytes} bytes, its maxBytes is {limit}",
            target.name
        );
        Some(Err(Failure::new(ErrorCode::QueueFull, message)))
    }

    /// An edit is durable.
    pub(super) fn edited(&mut self, edited: &Edited) {
        self.output.push_back(Effect::Reply {
            ticket: edited.ticket,
            result: Ok(Answer::Value(1)),
        });
    }

    /// Whether an edit can be taken back: not once its letter has gone on with it.
    pub(super) fn can_unedit(&self, edited: &Edited) -> bool {
        !self.ledger.is_tenant(edited.slot, edited.number)
            || self.ledger.is_death(edited.slot, edited.death)
    }

    /// Takes edits back that found no room: their letters are still stored as they were.
    pub(super) fn unedit(&mut self, edits: Vec<Edited>) {
        for edited in edits {
            if self.ledger.is_tenant(edited.slot, edited.number) {
                self.ledger.unedit(edited.slot, edited.bytes);
            }
            self.refuse(edited.ticket, no_room());
        }
    }
}

fn no_room() -> Failure {
    let message = "the storage is full: the dead letter was not edited";
    Failure::new(ErrorCode::StorageFull, message)
}
