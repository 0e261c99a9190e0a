//! Workers that limit what they take: which message one of them may claim, and what its delivery counts
//! against until it is over.
//!
//! A message of a destination whose valve is closed is not looked at: its lane is closed in the view of
//! the workers, and opened again when time or the end of a delivery opens the valve. A valve that closed
//! unnoticed closes its lane when it is asked for a message.

use std::rc::Rc;

use super::Engine;
use crate::command::{Token, WorkerId};
use crate::consumer::circuit::Passage;
use crate::consumer::control::Control;
use crate::consumer::lease::{self, Lease};
use crate::consumer::policies::{Policies, Scope, WhenOpen, WorkerRate};
use crate::consumer::valve::Stance;
use crate::consumer::worker::Worker;
use crate::effect::Recipient;
use crate::error::{ErrorCode, Failure};
use crate::ledger::lanes::{Closed, Kind};
use crate::ledger::rank::Rank;
use crate::time::Timestamp;

/// What came of the search for a message.
pub(super) enum Found {
    /// This one may be claimed.
    Message(u32),
    /// Something in the way was put aside: it is worth another look.
    Again,
    /// There is none for now.
    Nothing,
}

/// What is to be known of a message before it is claimed.
#[derive(Clone, Copy)]
pub(super) struct Passing {
    queue: u32,
    destination: u32,
    rank: Rank,
    number: u64,
    is_retry: bool,
}

impl Engine {
    /// A new worker, with the rate that it wants, and with what it shares with those of its name: their
    /// control, or a new one.
    pub(super) fn new_worker(
        &mut self,
        queue: u32,
        slots: u32,
        mut policies: Policies,
    ) -> Result<Worker, Failure> {
        let invalid = |what: String| Failure::new(ErrorCode::InvalidOption, what);
        policies.check().map_err(invalid)?;
        let name: Rc<str> = match &*policies.name {
            "" => Rc::from(&*self.ledger.queues[queue as usize].name),
            name => Rc::from(name),
        };
        let rate = policies.rate;
        // It is shared with nobody, so others may want another one.
        policies.rate = rate.filter(|rate| rate.scope == Scope::Queue);
        let control = self.share_control(queue, slots, &name, policies)?;
        self.desks[queue as usize].rated += u32::from(rate.is_some());
        let mut worker = Worker::new(queue, slots, control);
        (worker.name, worker.rate) = (name, rate);
        Ok(worker)
    }

    fn share_control(
        &mut self,
        queue: u32,
        slots: u32,
        name: &Rc<str>,
        policies: Policies,
    ) -> Result<Option<u32>, Failure> {
        let invalid = |what: String| Failure::new(ErrorCode::InvalidOption, what);
        if policies.is_empty() {
            let is_held = self.is_name_held(queue, name);
            return Ok(is_held.then(|| self.join_bare_control(queue, slots, name)));
        }
        self.check_sluice(policies.sluice)?;
        let sluice = policies.sluice;
        let queue_name = &self.ledger.queues[queue as usize].name;
        let desk = &mut self.desks[queue as usize];
        let mut named = desk.controls.iter_mut().filter(|(_, it)| it.name == *name);
        let known = named.find(|(_, it)| !it.policies.is_empty());
        if let Some((key, control)) = known {
            if control.policies != policies {
                let what = format!(
                    "queue '{queue_name}': expected all workers of the name '{name}' to want the same of what they share (all but a rate of scope 'worker'); name them differently"
                );
                return Err(invalid(what));
            }
            control.workers += 1;
            control.slots += slots;
            let key = *key;
            sluice
                .into_iter()
                .for_each(|it| self.join_sluice(queue, slots, it));
            return Ok(Some(key));
        }
        let control = Control::new(Rc::clone(name), policies).map_err(invalid)?;
        let key = self.add_control(queue, slots, control);
        sluice
            .into_iter()
            .for_each(|it| self.join_sluice(queue, slots, it));
        Ok(Some(key))
    }

    /// A worker shares the control of those of its name that want nothing: a destination of theirs is held back.
    pub(super) fn join_bare_control(&mut self, queue: u32, slots: u32, name: &Rc<str>) -> u32 {
        let mut controls = self.desks[queue as usize].controls.iter_mut();
        let known = controls.find(|(_, it)| it.name == *name && it.policies.is_empty());
        if let Some((key, control)) = known {
            control.workers += 1;
            control.slots += slots;
            return *key;
        }
        let wanted = Policies {
            name: name.to_string(),
            ..Policies::default()
        };
        let control = Control::new(Rc::clone(name), wanted).expect("nothing can be wrong with it");
        self.add_control(queue, slots, control)
    }

    /// Adds the control of a first worker.
    fn add_control(&mut self, queue: u32, slots: u32, mut control: Control) -> u32 {
        (control.workers, control.slots) = (1, slots);
        let looks = control.tells_apart || self.is_name_held(queue, &control.name);
        let desk = &mut self.desks[queue as usize];
        desk.last_control += 1;
        let key = desk.last_control;
        desk.controls.insert(key, control);
        if looks {
            self.tell_apart(queue, key);
        }
        key
    }

    /// Whether a destination is held back for workers of a name: those that open now have to heed that.
    fn is_name_held(&self, queue: u32, name: &str) -> bool {
        let mut controls = self.desks[queue as usize].controls.values();
        let is_known = |it: &Control| *it.name == *name && it.policies.is_empty();
        controls.any(is_known) || self.ledger.is_any_held(queue, name, self.now)
    }

    /// Workers that share a control tell destinations apart from now on.
    pub(super) fn tell_apart(&mut self, queue: u32, key: u32) {
        let controls = &mut self.desks[queue as usize].controls;
        let control = controls.get_mut(&key).expect("its worker is open");
        control.tells_apart = true;
        let takes_turns = control.policies.per_destination.is_some();
        let lanes = &mut self.ledger.queues[queue as usize].lanes;
        lanes.add_view(key, takes_turns);
        self.restore_circuits(queue, key);
        self.resume_holds(queue, key);
    }

    /// A worker takes nothing any more: what it shared is forgotten with the last one.
    pub(super) fn leave_control(&mut self, worker: &Worker) {
        let (queue, slots) = (worker.queue, worker.concurrency);
        self.keep_pace_of_worker(worker);
        self.desks[queue as usize].rated -= u32::from(worker.rate.is_some());
        let Some(key) = worker.control else { return };
        self.part_from_sluice(worker);
        let desk = &mut self.desks[queue as usize];
        let Some(shared) = desk.controls.get_mut(&key) else {
            return;
        };
        shared.workers -= 1;
        shared.slots -= slots;
        if shared.workers > 0 {
            return;
        }
        self.stop_asking(queue, key);
        self.keep_holds_of(queue, key);
        let desk = &mut self.desks[queue as usize];
        let forgotten = desk.controls.remove(&key).expect("looked up just now");
        for destination in forgotten.destinations() {
            self.ledger.release_destination(destination);
        }
        self.ledger.queues[queue as usize].lanes.remove_view(key);
    }

    /// The next message for a worker. `ahead`: there is no slot for it yet.
    pub(super) fn find_for(&mut self, id: WorkerId, kind: Kind, ahead: bool) -> Found {
        match self.passage_of(id) {
            Passage::Free => self.find_behind_sluice(id, kind, ahead, false),
            Passage::Probe if ahead => Found::Nothing,
            Passage::Probe => self.find_behind_sluice(id, kind, ahead, true),
            Passage::Broken(until) => self.find_before_sluice(id, kind, until),
            Passage::Waiting(until) => {
                if until > self.now && until != Timestamp::NEVER {
                    let queue = self.workers[&id].queue;
                    self.desks[queue as usize].wait_for_rate(until);
                }
                Found::Nothing
            }
        }
    }

    /// The same, if its gate lets messages pass; `probes`: one of them, to see whether others may follow.
    fn find_behind_sluice(&mut self, id: WorkerId, kind: Kind, ahead: bool, probes: bool) -> Found {
        let worker = &self.workers[&id];
        let queue = worker.queue;
        let controls = &self.desks[queue as usize].controls;
        let telling_apart = worker.control.filter(|key| controls[key].tells_apart);
        let Some(key) = telling_apart else {
            let next = if probes {
                self.next_probe_of_sluice(id, queue, kind)
            } else {
                self.first_of(queue, kind)
            };
            return self.check_found(queue, next);
        };
        let turns_away = controls[&key].policies.when_open != WhenOpen::Pause;
        let lanes = &self.ledger.queues[queue as usize].lanes;
        if lanes.lags() {
            return Found::Nothing;
        }
        let Some((destination, slot)) = lanes.first(key, kind) else {
            return Found::Nothing;
        };
        self.add_valve(queue, key, destination);
        match self.stance(queue, key, destination) {
            Stance::Open if probes => {
                let last = self.last_probe_of_sluice(id, queue);
                let lanes = &self.ledger.queues[queue as usize].lanes;
                self.check_found(queue, lanes.after(destination, kind, last))
            }
            Stance::Open => self.check_found(queue, Some(slot)),
            // Its deadline begins with the claim, so it must not wait for a slot.
            Stance::Probing if ahead => Found::Nothing,
            Stance::Probing => {
                let probe = self.next_probe(queue, key, destination, kind);
                self.check_found(queue, probe)
            }
            Stance::Broken(until) if turns_away => {
                let found = self.check_found(queue, Some(slot));
                if let Found::Message(slot) = found {
                    let destination = self.ledger.destination(slot);
                    self.turn_away(id, slot, &destination, until);
                }
                Found::Again
            }
            Stance::Broken(_) | Stance::ClosedUntil(_) => {
                self.close_lane(queue, key, destination);
                Found::Again
            }
        }
    }

    pub(super) fn first_of(&self, queue: u32, kind: Kind) -> Option<u32> {
        let target = &self.ledger.queues[queue as usize];
        let set = match kind {
            Kind::Ordinary => &target.ready,
            Kind::Suspect => &target.suspects,
        };
        set.first_key_value().map(|(_, slot)| *slot)
    }

    pub(super) fn check_found(&mut self, queue: u32, slot: Option<u32>) -> Found {
        let Some(slot) = slot else {
            return Found::Nothing;
        };
        if self.ledger.messages[slot].deadline < self.now && !bug!("start-after-ttl") {
            self.expire(slot);
            self.ledger.touch(queue);
            return Found::Again;
        }
        Found::Message(slot)
    }

    /// Whether the rate of a worker lets it start something; if not, it is asked again later.
    pub(super) fn is_paced(&mut self, id: WorkerId) -> bool {
        let Some((queue, WorkerRate { rate, scope })) = self.rate_of(id) else {
            return true;
        };
        let desk = &mut self.desks[queue as usize];
        let pace = match scope {
            Scope::Queue => desk.paces.of(rate),
            Scope::Worker => self.workers[&id].pace,
        };
        let next = pace.next(rate);
        if next > self.now {
            desk.wait_for_rate(next);
        }
        next <= self.now
    }

    pub(super) fn rate_of(&self, id: WorkerId) -> Option<(u32, WorkerRate)> {
        let worker = self.workers.get(&id)?;
        Some((worker.queue, worker.rate?))
    }

    /// A worker has claimed a message: what that counts against.
    pub(super) fn pass(&mut self, id: WorkerId, token: Token, passing: Passing) {
        let Passing {
            queue,
            destination,
            rank,
            number,
            is_retry,
        } = passing;
        let now = self.now;
        if let Some((_, WorkerRate { rate, scope })) = self.rate_of(id) {
            match scope {
                Scope::Queue => self.desks[queue as usize].paces.take(rate, now),
                Scope::Worker => {
                    let worker = self.workers.get_mut(&id).expect("it has a rate");
                    worker.pace.take(rate, now);
                }
            }
        }
        let Some(key) = self.workers.get(&id).and_then(|worker| worker.control) else {
            return;
        };
        self.count_in_budget(queue, key, is_retry.then_some(number));
        let control = self.desks[queue as usize].controls.get_mut(&key);
        let control = control.expect("its worker is open");
        let (in_valve, step) = control.pass(destination, now);
        let sluice = control.policies.sluice;
        let circuit = control.circuit_mut(destination);
        let permit = circuit.and_then(|circuit| circuit.pass(rank.number(), now));
        let (probes_sluice, sluice_step) = self.pass_sluice(sluice, queue, rank);
        let passage = lease::Passage {
            control: key,
            destination,
            in_valve,
            is_retry,
            permit,
            step,
            sluice_step,
            probes_sluice,
            is_free: false,
        };
        let lease = self.leases.get_mut(token);
        lease.expect("it was claimed just now").passage = Some(passage);
        self.refresh_lane(queue, key, destination);
    }

    /// A delivery does not count any more: its slot is free.
    pub(super) fn leave_passage(&mut self, lease: &mut Lease) {
        let passage = lease.passage.take();
        let started = lease.delivered && !lease.is_unseen;
        if let (Recipient::Worker(id), false) = (lease.to, started) {
            self.undo_start(id, passage.is_some_and(|passage| passage.is_retry));
        }
        let Some(passage) = passage else {
            return;
        };
        let (queue, key, destination) = (lease.queue, passage.control, passage.destination);
        self.return_permit(queue, &passage);
        let Some(control) = self.desks[queue as usize].controls.get_mut(&key) else {
            return;
        };
        if passage.in_valve {
            control.leave(destination, started);
        }
        self.leave_sluice(queue, key, lease.delivered);
        self.refresh_lane(queue, key, destination);
    }

    /// Nobody waits for the handler of a delivery any more: it counts no more.
    pub(super) fn leave_running_passage(&mut self, token: Token) {
        let Some(lease) = self.leases.get_mut(token) else {
            return;
        };
        let queue = lease.queue;
        let Some(passage) = lease.passage.take() else {
            return;
        };
        self.return_permit(queue, &passage);
        let (key, destination) = (passage.control, passage.destination);
        if let Some(control) = self.desks[queue as usize].controls.get_mut(&key) {
            if passage.in_valve {
                control.leave(destination, true);
            }
            self.leave_sluice(queue, key, true);
            self.refresh_lane(queue, key, destination);
        }
    }

    /// What a worker had claimed did not start after all.
    fn undo_start(&mut self, id: WorkerId, is_retry: bool) {
        let Some(worker) = self.workers.get(&id) else {
            return;
        };
        let (queue, key) = (worker.queue, worker.control);
        if let Some((_, WorkerRate { rate, scope })) = self.rate_of(id) {
            match scope {
                Scope::Queue => self.desks[queue as usize].paces.refund(rate),
                Scope::Worker => {
                    let worker = self.workers.get_mut(&id).expect("looked up above");
                    worker.pace.refund(rate);
                }
            }
            self.ledger.touch(queue);
        }
        if let Some(key) = key {
            self.uncount_in_budget(queue, key, is_retry);
        }
    }

    /// Time may have opened valves of a queue. True if there are more.
    pub(super) fn pass_valves(&mut self, queue: u32) -> bool {
        let now = self.now;
        let desk = &mut self.desks[queue as usize];
        if desk.paced_until <= now {
            desk.paced_until = Timestamp(0);
        }
        let keys: Vec<u32> = desk.controls.keys().copied().collect();
        let mut left = super::SLICE;
        for key in keys {
            self.call_put_off(queue, key, &mut left);
            while left > 0
                && let Some(destination) = self.desks[queue as usize].controls[&key].due(now)
            {
                left -= 1;
                self.refresh_lane(queue, key, destination);
            }
        }
        left == 0
    }

    pub(super) fn stance(&mut self, queue: u32, key: u32, destination: u32) -> Stance {
        let controls = &mut self.desks[queue as usize].controls;
        let Some(control) = controls.get_mut(&key) else {
            return Stance::Open;
        };
        let stance = control.stance(destination, self.now);
        self.tell_circuit(queue, key, destination);
        stance
    }

    /// Opens or closes a lane as its valve stands.
    pub(super) fn refresh_lane(&mut self, queue: u32, key: u32, destination: u32) {
        let stance = self.stance(queue, key, destination);
        let Some(control) = self.desks[queue as usize].controls.get(&key) else {
            return;
        };
        let is_closed = match stance {
            Stance::Open | Stance::Probing => false,
            Stance::Broken(_) => control.policies.when_open == WhenOpen::Pause,
            Stance::ClosedUntil(_) => true,
        };
        if is_closed {
            return self.close_lane(queue, key, destination);
        }
        let lanes = &mut self.ledger.queues[queue as usize].lanes;
        if lanes.open(key, destination) && lanes.is_waiting(destination) {
            self.ledger.touch(queue);
        }
    }

    fn close_lane(&mut self, queue: u32, key: u32, destination: u32) {
        let is_shut = self.desks[queue as usize].controls[&key].is_shut(destination, self.now);
        let how = if is_shut {
            Closed::Indefinitely
        } else {
            Closed::Briefly
        };
        let lanes = &mut self.ledger.queues[queue as usize].lanes;
        lanes.close(key, destination, how);
    }

    /// Whether a worker may get a ready message before long: rates and handlers that run keep it waiting, but no open
    /// circuit, nor who asked for time or is not ready.
    pub(super) fn is_served(&self, worker: &Worker) -> bool {
        if worker.paused {
            return false;
        }
        let controls = &self.desks[worker.queue as usize].controls;
        let Some((key, control)) = worker.control.and_then(|key| controls.get_key_value(&key))
        else {
            return true;
        };
        let pauses = control.policies.when_open == WhenOpen::Pause;
        let is_shut = |number| {
            let sluice = self.sluices.get(&number);
            sluice.is_some_and(|sluice| sluice.is_shut(self.now))
        };
        if pauses && control.policies.sluice.is_some_and(is_shut) {
            return false;
        }
        let lanes = &self.ledger.queues[worker.queue as usize].lanes;
        !control.tells_apart || lanes.are_promising(*key)
    }

    /// Sees to it that a destination has a valve, which has to make room for those that others need more.
    pub(super) fn add_valve(&mut self, queue: u32, key: u32, destination: u32) {
        let controls = &mut self.desks[queue as usize].controls;
        let control = controls.get_mut(&key).expect("its worker is open");
        if control.has_valve(destination) {
            return;
        }
        let forgotten = control.forget_one(self.now);
        if let Some(forgotten) = forgotten {
            self.forget_circuit(queue, key, forgotten);
            let lanes = &mut self.ledger.queues[queue as usize].lanes;
            lanes.open(key, forgotten);
            self.ledger.release_destination(forgotten);
        }
        self.ledger.keep_destination(destination);
        let circuit = self.new_circuit(queue, key, destination, b"");
        let controls = &mut self.desks[queue as usize].controls;
        let control = controls.get_mut(&key).expect("looked up above");
        control.add_valve(destination, circuit);
    }

    /// What is to be known of a message that is to be claimed.
    pub(super) fn passing(&self, slot: u32) -> Passing {
        let message = &self.ledger.messages[slot];
        Passing {
            queue: message.queue,
            destination: message.destination,
            rank: message.rank(),
            number: message.number,
            is_retry: message.attempt > 0,
        }
    }
}
