//! Gates of the host in front of workers: a circuit breaker of its user, which may guard workers of several
//! queues and calls that no queue knows of. The host tells how it stands, and here is seen to it that
//! nothing is claimed in vain.

use super::Engine;
use super::passing::Found;
use crate::command::{Token, WorkerId};
use crate::consumer::circuit::Passage;
use crate::consumer::policies::WhenOpen;
use crate::consumer::ramp::Step;
use crate::consumer::sluice::{Sluice, SluiceState};
use crate::consumer::worker::Worker;
use crate::error::{ErrorCode, Failure};
use crate::ledger::lanes::{Kind, next_after};
use crate::ledger::rank::Rank;
use crate::policy::breaker::Outcome;
use crate::time::Timestamp;

impl Engine {
    /// The host tells how a gate stands.
    pub(super) fn set_sluice(&mut self, number: u32, state: SluiceState) {
        let Some(sluice) = self.sluices.get_mut(&number) else {
            // One whose workers could not be opened is nobody's.
            self.sluices.retain(|_, sluice| sluice.is_used());
            self.sluices.insert(number, Sluice::new(state));
            return;
        };
        if sluice.set(state) {
            self.take_back_behind(number);
        }
        self.touch_behind(number);
    }

    /// A worker is behind the gate that its policies name.
    pub(super) fn join_sluice(&mut self, queue: u32, slots: u32, number: u32) {
        let sluice = self.sluices.get_mut(&number);
        sluice.expect("checked before").join(queue, slots);
    }

    /// Whether the host has told of a gate.
    pub(super) fn check_sluice(&self, number: Option<u32>) -> Result<(), Failure> {
        match number {
            Some(number) if !self.sluices.contains_key(&number) => {
                let message = format!("sluice: expected the number of a known one, got {number}");
                Err(Failure::new(ErrorCode::InvalidOption, message))
            }
            _ => Ok(()),
        }
    }

    /// A worker is behind its gate no more.
    pub(super) fn part_from_sluice(&mut self, worker: &Worker) {
        let Some(number) = self.sluice_of(worker) else {
            return;
        };
        if let Some(sluice) = self.sluices.get_mut(&number)
            && sluice.part(worker.queue, worker.concurrency)
        {
            self.sluices.remove(&number);
        }
    }

    /// Whether the gate of a worker lets a message pass.
    pub(super) fn passage_of(&self, id: WorkerId) -> Passage {
        let number = self.sluice_of(&self.workers[&id]);
        let sluice = number.and_then(|number| self.sluices.get(&number));
        sluice.map_or(Passage::Free, |sluice| sluice.passage(self.now))
    }

    /// The message that is the next probe of a queue whose destinations are not told apart.
    pub(super) fn next_probe_of_sluice(&self, id: WorkerId, queue: u32, kind: Kind) -> Option<u32> {
        let target = &self.ledger.queues[queue as usize];
        let set = match kind {
            Kind::Ordinary => &target.ready,
            Kind::Suspect => &target.suspects,
        };
        next_after(set, self.last_probe_of_sluice(id, queue))
    }

    /// The last probe of a worker's gate, if it was of this queue.
    pub(super) fn last_probe_of_sluice(&self, id: WorkerId, queue: u32) -> Option<Rank> {
        let sluice = self.sluices.get(&self.sluice_of(&self.workers[&id])?)?;
        sluice.probed(queue).map(Rank::of)
    }

    /// The gate of a worker is closed: its messages wait, unless it does not want that.
    pub(super) fn find_before_sluice(
        &mut self,
        id: WorkerId,
        kind: Kind,
        until: Timestamp,
    ) -> Found {
        let worker = &self.workers[&id];
        let queue = worker.queue;
        let turns_away = worker.control.is_some_and(|key| {
            let policies = &self.desks[queue as usize].controls[&key].policies;
            policies.when_open != WhenOpen::Pause
        });
        if !turns_away {
            return Found::Nothing;
        }
        let found = self.check_found(queue, self.first_of(queue, kind));
        if let Found::Message(slot) = found {
            self.turn_away(id, slot, "", until);
            return Found::Again;
        }
        found
    }

    /// A message was claimed through the gate of its worker. True if it is a probe; and how it comes back, if it does.
    pub(super) fn pass_sluice(
        &mut self,
        number: Option<u32>,
        queue: u32,
        rank: Rank,
    ) -> (bool, Option<Step>) {
        let now = self.now;
        let sluice = number.and_then(|number| self.sluices.get_mut(&number));
        sluice.map_or((false, None), |it| it.pass(queue, rank.number(), now))
    }

    /// What was claimed through a gate is handed out.
    pub(super) fn hand_out_through_sluice(&mut self, token: Token) {
        if let Some(number) = self.sluice_of_delivery(token)
            && let Some(sluice) = self.sluices.get_mut(&number)
        {
            sluice.hand_out();
        }
    }

    /// What was claimed through a gate is done, or was taken back.
    pub(super) fn leave_sluice(&mut self, queue: u32, key: u32, handed_out: bool) {
        let control = self.desks[queue as usize].controls.get(&key);
        let Some(number) = control.and_then(|control| control.policies.sluice) else {
            return;
        };
        if let Some(sluice) = self.sluices.get_mut(&number)
            && sluice.leave(handed_out, self.now)
        {
            self.touch_behind(number);
        }
    }

    /// How the delivery of a message went that passed a gate, and was no probe of it.
    pub(super) fn answer_sluice(
        &mut self,
        queue: u32,
        key: u32,
        step: Option<Step>,
        outcome: Outcome,
    ) {
        let control = self.desks[queue as usize].controls.get(&key);
        let Some(number) = control.and_then(|control| control.policies.sluice) else {
            return;
        };
        if let Some(sluice) = self.sluices.get_mut(&number) {
            sluice.answer(step, outcome, self.now);
            if step.is_some() {
                self.touch_behind(number);
            }
        }
    }

    fn sluice_of(&self, worker: &Worker) -> Option<u32> {
        let controls = &self.desks[worker.queue as usize].controls;
        controls.get(&worker.control?)?.policies.sluice
    }

    fn sluice_of_delivery(&self, token: Token) -> Option<u32> {
        let lease = self.leases.get(token)?;
        let controls = &self.desks[lease.queue as usize].controls;
        controls.get(&lease.passage?.control)?.policies.sluice
    }

    /// Takes back what workers behind a gate have claimed and was not handed out.
    fn take_back_behind(&mut self, number: u32) {
        let workers = self.workers.iter();
        let behind = workers.filter(|(_, worker)| self.sluice_of(worker) == Some(number));
        for id in behind.map(|(id, _)| *id).collect::<Vec<WorkerId>>() {
            self.take_back_from(id);
        }
    }

    fn touch_behind(&mut self, number: u32) {
        for queue in self.sluices[&number].queues() {
            self.ledger.touch(queue);
        }
    }
}
