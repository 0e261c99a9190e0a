//! What somebody watches: messages by their ids or states in one look, and a hint when to look again.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Engine;
use super::inspecting::{ENTRIES_MAX, Question};
use crate::command::{MessageState, QueueId, Ticket};
use crate::effect::{Effect, Event, EventKind};
use crate::error::{ErrorCode, Failure};
use crate::ledger::message::Standing;

/// The states of messages that are kept, in the order in which a look shows them.
const KEPT: [MessageState; 4] = [
    MessageState::Leased,
    MessageState::Ready,
    MessageState::Scheduled,
    MessageState::Dead,
];

/// Which messages.
#[derive(Debug)]
pub(super) struct Selection {
    /// Of these ids, each once; all that are kept when none.
    ids: Option<BTreeSet<String>>,
    /// In these states; any when none.
    states: Option<Vec<MessageState>>,
    limit: usize,
}

impl Selection {
    pub(super) fn new(
        ids: Option<Vec<String>>,
        states: Option<Vec<MessageState>>,
        limit: u32,
    ) -> Result<Self, Failure> {
        let count = ids.as_ref().map_or(0, Vec::len);
        if count > ENTRIES_MAX {
            let message = format!("expected at most {ENTRIES_MAX} ids, got {count}");
            return Err(Failure::new(ErrorCode::InvalidOption, message));
        }
        Ok(Self {
            ids: ids.map(BTreeSet::from_iter),
            states,
            limit: (limit as usize).min(ENTRIES_MAX),
        })
    }

    fn takes(&self, state: MessageState) -> bool {
        let states = self.states.as_ref();
        states.is_none_or(|states| states.contains(&state))
    }
}

impl Engine {
    pub(super) fn select(&mut self, ticket: Ticket, queue: u32, selection: Rc<Selection>) {
        match &selection.ids {
            Some(ids) => self.select_by_id(ticket, queue, ids, &selection),
            None => self.select_by_state(ticket, queue, &selection),
        }
    }

    fn select_by_state(&mut self, ticket: Ticket, queue: u32, selection: &Selection) {
        let mut slots = Vec::new();
        for state in KEPT.into_iter().filter(|state| selection.takes(*state)) {
            let left = selection.limit - slots.len();
            slots.extend(self.slots_in(queue, state, left));
        }
        self.inspect_selected(ticket, queue, &slots, &[]);
    }

    /// Messages of a queue in one state, in the order in which they would go on; among those that are scheduled, first
    /// those that wait for their handlers to return.
    pub(super) fn slots_in(&self, queue: u32, state: MessageState, limit: usize) -> Vec<u32> {
        let mut slots = Vec::new();
        if state == MessageState::Scheduled {
            let waits = |&(slot, number): &(u32, u64)| {
                self.ledger.is_tenant(slot, number)
                    && self.ledger.messages[slot].standing == Standing::Held
            };
            let held = self.leases.held(queue).into_iter().filter(waits);
            slots.extend(held.map(|(slot, _)| slot).take(limit));
        }
        slots.extend(self.ledger.slots_in(queue, state, limit - slots.len()));
        slots
    }

    fn select_by_id(
        &mut self,
        ticket: Ticket,
        queue: u32,
        ids: &BTreeSet<String>,
        selection: &Rc<Selection>,
    ) {
        let (mut slots, mut ends) = (Vec::new(), Vec::new());
        for id in ids {
            if let Some(slot) = self.ledger.by_id(queue, id) {
                if selection.takes(self.ledger.messages[slot].state()) {
                    slots.push(slot);
                }
            } else if let Some(entry) = self.ledger.finished_entry(queue, id, self.now)
                && self.is_end_wanted(entry, selection)
            {
                if self.ledger.dedup.tells(entry) && self.ledger.dedup.place(entry).length == 0 {
                    let question = Question::Select(Rc::clone(selection));
                    return self.ask_later(entry, ticket, queue, id, question);
                }
                ends.push((id.as_str(), entry));
            }
        }
        slots.truncate(selection.limit);
        ends.truncate(selection.limit - slots.len());
        self.inspect_selected(ticket, queue, &slots, &ends);
    }

    fn is_end_wanted(&self, entry: u32, selection: &Selection) -> bool {
        let state = self.ledger.dedup.finished_state(entry);
        state.is_some_and(|state| selection.takes(state))
    }

    /// Hints, once for all that happened, that a queue that is watched shows something else now. What
    /// it shows is told by a look, which waits until that is durable.
    pub(super) fn tell_changes(&mut self) {
        if self.more {
            return;
        }
        while let Some(queue) = self.ledger.take_changed() {
            let event = Event::of(EventKind::Changed, QueueId(queue));
            self.output.push_back(Effect::Event(Box::new(event)));
        }
    }
}
