//! Work on the messages of a remote ledger, which many engines share.
//!
//! That ledger decides which messages there are and whose they are; this engine decides when it wants some, who
//! handles them, and what that means for them. It *wants* as many as its consumers have room for, gets them
//! claimed, hands them out as it does its own, and sends back what became of each. What it cannot use goes back at
//! no cost. Leases are the host's to renew: it says when one is lost.

use std::collections::BTreeSet;

use super::Engine;
use crate::command::{Claimed, Command, QueueId, Token, WorkerId};
use crate::consumer::circuit::Passage;
use crate::consumer::lease::Lease;
use crate::consumer::policies::WhenOpen;
use crate::consumer::valve::Stance;
use crate::effect::{AbortReason, Effect};
use crate::error::{ErrorCode, Failure};
use crate::journal::Record;
use crate::ledger::message::{NONE, Standing};
use crate::ledger::{Note, Recorder};
use crate::time::Timestamp;

/// Messages that no consumer may have now, for each one that might: with more of them nothing is claimed.
const HELD_PER_ROOM: u64 = 2;
/// The same, however little room there is.
const HELD_MIN: u64 = 16;

impl Engine {
    /// A message that was claimed for this engine.
    pub(super) fn take_in(&mut self, claimed: &Claimed<'_>) {
        if !self.ledger.is_remote || self.known(claimed.queue).is_err() {
            return;
        }
        self.ledger.take_in_claimed(claimed, self.now);
        self.desks[claimed.queue.0 as usize].wanted = None;
    }

    /// A claim is over.
    pub(super) fn claim_done(&mut self, queue: QueueId, dry: bool) {
        if let Ok(queue) = self.known(queue) {
            let desk = &mut self.desks[queue as usize];
            (desk.wanted, desk.is_dry) = (None, dry);
            self.ledger.touch(queue);
        }
    }

    /// The lease of a claimed message is gone: it is somebody else's, or over.
    pub(super) fn lose_claim(&mut self, token: Token) {
        let Some(slot) = self
            .ledger
            .by_number(token.0)
            .filter(|_| self.ledger.is_remote)
        else {
            return;
        };
        let message = &self.ledger.messages[slot];
        let (queue, attempt, standing) = (message.queue, message.attempt, message.standing);
        let id = self.ledger.id_text(slot);
        match standing {
            Standing::Leased => {
                self.lose_lease(token, AbortReason::LeaseLost);
                self.ledger.unlease(slot);
            }
            // It waits for its handler to return, and is settled already.
            Standing::Held => return,
            _ => self.ledger.leave(slot),
        }
        self.ledger.queues[queue as usize].counters.leases_lost += 1;
        self.tell_stalled(queue, Some(id), attempt);
        self.ledger.dismiss(slot, self.now);
        self.ledger.touch(queue);
    }

    /// Settlements were carried out by the remote ledger.
    pub(super) fn transited(&mut self) {
        self.tell_workers_of_append();
        let remote = self.commit.remote.as_mut().expect("a remote engine");
        for gate in remote.done() {
            self.open_gate(gate);
        }
    }

    /// Tells how many messages a queue could use, if that has changed; gives back what nobody will take.
    pub(super) fn note_want(&mut self, queue: u32) {
        if !self.ledger.is_remote {
            return;
        }
        if self.is_served_at_all(queue) {
            self.give_broken_back(queue);
        } else {
            self.give_unclaimed_back(queue);
        }
        let max = self.wants(queue);
        let desk = &mut self.desks[queue as usize];
        if desk.wanted.unwrap_or(0) != max {
            let queue = QueueId(queue);
            self.output.push_back(Effect::Want { queue, max });
        }
        desk.wanted = Some(max);
    }

    /// Somebody new may take what was left: it is asked for anew.
    pub(super) fn ask_anew(&mut self, queue: u32) {
        let desk = &mut self.desks[queue as usize];
        (desk.wanted, desk.is_dry) = (None, false);
    }

    /// Whether what was claimed for a queue will find a consumer.
    fn is_served_at_all(&self, queue: u32) -> bool {
        let takes = |id| {
            let worker = &self.workers[id];
            !worker.paused && worker.closing.is_empty()
        };
        self.closing.is_none() && self.desks[queue as usize].workers.iter().any(takes)
    }

    fn wants(&mut self, queue: u32) -> u32 {
        if self.closing.is_some() || !self.may_claim() {
            return 0;
        }
        let workers: Vec<WorkerId> = self.desks[queue as usize].workers.iter().copied().collect();
        let room: u64 = workers.into_iter().map(|id| self.room_of(queue, id)).sum();
        // With room for it, what is still here may not be handed out now.
        let target = &self.ledger.queues[queue as usize];
        let here = target.ready.len()
            + target.suspects.len()
            + target.parked.len()
            + target.scheduled.len();
        let may_hold = (HELD_PER_ROOM * room).max(HELD_MIN);
        u32::try_from(room.min(may_hold.saturating_sub(here as u64))).unwrap_or(u32::MAX)
    }

    /// How many messages without a destination a worker could start now.
    fn room_of(&mut self, queue: u32, id: WorkerId) -> u64 {
        if !self.is_paced(id) {
            return 0;
        }
        let room = self.workers[&id].room();
        let through_gate = match self.passage_of(id) {
            Passage::Free => room,
            Passage::Probe => room.min(1),
            Passage::Broken(_) | Passage::Waiting(_) => 0,
        };
        through_gate.min(self.room_through_valve(queue, id, room))
    }

    fn room_through_valve(&mut self, queue: u32, id: WorkerId, room: u64) -> u64 {
        let controls = &self.desks[queue as usize].controls;
        let key = self.workers[&id].control;
        let key = key.filter(|key| controls[key].tells_apart && controls[key].has_valve(NONE));
        match key.map(|key| self.stance(queue, key, NONE)) {
            None | Some(Stance::Open) => room,
            Some(Stance::Probing) => room.min(1),
            Some(Stance::Broken(_) | Stance::ClosedUntil(_)) => 0,
        }
    }

    /// Gives back what waits for circuits that stay open for a while: others may have it, or park it. Behind a probe it waits for
    /// what comes of that.
    fn give_broken_back(&mut self, queue: u32) {
        let workers = self.desks[queue as usize].workers.iter();
        let keys: Option<BTreeSet<u32>> = workers.map(|id| self.workers[id].control).collect();
        let controls = &self.desks[queue as usize].controls;
        let pauses = |key: &u32| {
            controls[key].tells_apart && controls[key].policies.when_open == WhenOpen::Pause
        };
        let Some(keys) = keys.filter(|keys| keys.iter().all(pauses)) else {
            return;
        };
        let target = &self.ledger.queues[queue as usize];
        let here: Vec<u32> = target
            .ready
            .values()
            .chain(target.suspects.values())
            .copied()
            .collect();
        for slot in here {
            let destination = self.ledger.messages[slot].destination;
            if keys
                .iter()
                .all(|key| self.is_broken_for_long(queue, *key, destination))
            {
                self.give_unclaimed(slot);
            }
        }
    }

    fn is_broken_for_long(&mut self, queue: u32, key: u32, destination: u32) -> bool {
        self.desks[queue as usize].controls[&key].has_valve(destination)
            && matches!(self.stance(queue, key, destination), Stance::Broken(until) if until != Timestamp::NEVER)
    }

    /// The handler of an at-most-once message is done: the remote ledger had its group wait for that.
    pub(super) fn tell_group_goes_on(&mut self, lease: &Lease) {
        let ended = Record::Completed {
            number: lease.number,
            handed_over: false,
            entry: None,
            attempt: 0,
            history: &[],
            result: b"",
        };
        self.commit.write(&ended, Note::None);
    }

    /// Gives back what no consumer has.
    pub(super) fn give_unclaimed_back(&mut self, queue: u32) {
        while let Some(slot) = self.ledger.unclaimed(queue) {
            self.give_unclaimed(slot);
        }
    }

    fn give_unclaimed(&mut self, slot: u32) {
        self.ledger.leave(slot);
        let number = self.ledger.messages[slot].number;
        self.commit.write(&Record::Returned { number }, Note::None);
        self.ledger.dismiss(slot, self.now);
    }

    /// Whether this engine takes such a command: the ledger takes all else itself.
    pub(super) fn takes(&self, command: &Command<'_>) -> Result<(), Failure> {
        use Command::{
            EditDead, Enqueue, EnqueueMany, EnqueuePart, Finished, Idle, Move, Produce, RecallStep,
            RecordStep,
        };
        let is_of_the_ledger = match command {
            Enqueue(_) | EnqueueMany(_) | EnqueuePart(_) | Produce(_) | Move(_) | EditDead(_) => {
                true
            }
            RecordStep(_) | RecallStep { .. } | Finished { .. } | Idle { .. } => true,
            Command::Transaction(unit) => !unit.enqueues.is_empty(),
            _ => false,
        };
        if self.config.remote && is_of_the_ledger {
            let message =
                "expected what an engine does for a remote ledger, got what the ledger does itself";
            return Err(Failure::new(ErrorCode::Unsupported, message));
        }
        Ok(())
    }
}
