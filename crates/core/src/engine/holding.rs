//! What is held back outlives workers and processes: a destination that asked for time, when it asks;
//! what rates have given out, when a worker or the box is closed.
//!
//! No message costs a record for its rate, so a crash forgets it, and one burst too many may follow.

use std::rc::Rc;

use super::Engine;
use crate::command::{Token, WorkerId};
use crate::consumer::control::NONE;
use crate::consumer::policies::Scope;
use crate::consumer::worker::Worker;
use crate::effect::Recipient;
use crate::ledger::ValveKey;
use crate::policy::hold::Hold;
use crate::policy::rate::Pace;
use crate::time::Timestamp;

impl Engine {
    /// A delivery has told that its destination wants nothing before this instant: all workers of its worker's name
    /// leave that alone until then, whatever they want of their destinations.
    pub(super) fn hold_destination(&mut self, token: Token, until: Timestamp) {
        if until <= self.now {
            return;
        }
        let Some((queue, name)) = self.tell_apart_for(token) else {
            return;
        };
        let text = self.destination_of(token);
        let destination = self.ledger.acquire_destination(&text);
        let controls = self.desks[queue as usize].controls.iter();
        let named = controls.filter(|(_, control)| control.name == name);
        for key in named.map(|(key, _)| *key).collect::<Vec<u32>>() {
            self.add_valve(queue, key, destination);
            let controls = &mut self.desks[queue as usize].controls;
            let control = controls.get_mut(&key).expect("listed just now");
            if control.hold(destination, until) {
                self.keep_hold(queue, key, destination);
            }
            self.refresh_lane(queue, key, destination);
            self.take_back_from_destination(queue, key, destination);
        }
        self.ledger.release_destination(destination);
    }

    /// A destination that asked for time is left alone no longer, by all workers of a worker's name. True if it was.
    pub(super) fn let_destination_go(&mut self, id: WorkerId, queue: u32, number: u32) -> bool {
        let name = Rc::clone(&self.workers[&id].name);
        let text = self.ledger.destination_text(number);
        let kept = (queue, Rc::clone(&name), text);
        let now = self.now;
        if self.ledger.hold(&kept).seen_at(now).until <= now {
            return false;
        }
        self.ledger.end_hold(kept, now, &mut self.commit);
        let controls = self.desks[queue as usize].controls.iter();
        let named = controls.filter(|(_, control)| control.name == name);
        for key in named.map(|(key, _)| *key).collect::<Vec<u32>>() {
            let controls = &mut self.desks[queue as usize].controls;
            let control = controls.get_mut(&key).expect("listed just now");
            control.let_go(number);
            self.refresh_lane(queue, key, number);
        }
        true
    }

    /// All workers of the name of a delivery's worker tell destinations apart from now on. Queue and name.
    fn tell_apart_for(&mut self, token: Token) -> Option<(u32, Rc<str>)> {
        let Recipient::Worker(of_delivery) = self.recipient_of(token)? else {
            return None;
        };
        let worker = self.workers.get(&of_delivery)?;
        let (queue, name) = (worker.queue, Rc::clone(&worker.name));
        // One that is being closed is at no desk any more.
        let desk = self.desks[queue as usize].workers.iter().copied();
        let workers = desk.filter(|id| *id != of_delivery).chain([of_delivery]);
        let wants_nothing = |id: &WorkerId| {
            let worker = self.workers.get(id);
            worker.is_some_and(|worker| worker.name == name && worker.control.is_none())
        };
        for id in workers.filter(wants_nothing).collect::<Vec<WorkerId>>() {
            let slots = self.workers[&id].concurrency;
            let key = self.join_bare_control(queue, slots, &name);
            self.workers.get_mut(&id).expect("listed just now").control = Some(key);
        }
        let controls = self.desks[queue as usize].controls.iter();
        let blind = controls.filter(|(_, it)| it.name == name && !it.tells_apart);
        for key in blind.map(|(key, _)| *key).collect::<Vec<u32>>() {
            self.tell_apart(queue, key);
        }
        Some((queue, name))
    }

    /// The destination of a delivery's message, empty for none.
    pub(super) fn destination_of(&self, token: Token) -> Rc<str> {
        let none = || self.ledger.destination_text(NONE);
        let Some(lease) = self.leases.get(token) else {
            return none();
        };
        if lease.handed_over {
            // Its message is gone, and the number of its destination may be another one's.
            let handed_over = self.ledger.handed_over(lease.number);
            return handed_over.map_or_else(none, |it| Rc::clone(&it.destination));
        }
        match (lease.passage, lease.slot) {
            (Some(passage), _) => self.ledger.destination_text(passage.destination),
            (None, Some(slot)) => self.ledger.destination(slot),
            (None, None) => none(),
        }
    }

    /// A destination asked for time.
    fn keep_hold(&mut self, queue: u32, key: u32, destination: u32) {
        let kept = self.desks[queue as usize].controls[&key].kept(destination, self.now);
        let key = self.valve_key(queue, key, destination);
        self.ledger.keep_hold(key, kept, &mut self.commit);
    }

    /// Valves go on with what was kept for workers of their name.
    pub(super) fn resume_holds(&mut self, queue: u32, key: u32) {
        let now = self.now;
        let name = Rc::clone(&self.desks[queue as usize].controls[&key].name);
        for (text, kept) in self.ledger.holds_of(queue, &name) {
            let kept = kept.seen_at(now);
            if kept.ends() <= now {
                continue;
            }
            let destination = self.ledger.acquire_destination(&text);
            self.add_valve(queue, key, destination);
            let controls = &mut self.desks[queue as usize].controls;
            let control = controls.get_mut(&key).expect("it was made just now");
            control.resume(destination, kept, now);
            self.refresh_lane(queue, key, destination);
            self.ledger.release_destination(destination);
        }
    }

    /// A new worker goes on at the rate of those before it.
    pub(super) fn resume_paces(&mut self, id: WorkerId) {
        let Some((queue, rated)) = self.rate_of(id) else {
            return;
        };
        let name = match rated.scope {
            Scope::Queue => Rc::from(""),
            Scope::Worker => Rc::clone(&self.workers[&id].name),
        };
        let kept = self.ledger.hold(&(queue, name, Rc::from("")));
        let kept = Pace::resume(kept.seen_at(self.now).paced, rated.rate, self.now);
        match rated.scope {
            Scope::Queue => self.desks[queue as usize].paces.join(rated.rate, kept),
            Scope::Worker => {
                let worker = self.workers.get_mut(&id).expect("it has a rate");
                worker.pace = worker.pace.slower(kept);
            }
        }
    }

    /// What holds the destinations of workers of one name back, as they go.
    pub(super) fn keep_holds_of(&mut self, queue: u32, key: u32) {
        let control = &self.desks[queue as usize].controls[&key];
        let destinations: Vec<u32> = control.destinations().collect();
        for destination in destinations {
            self.keep_hold(queue, key, destination);
        }
    }

    /// What the rate of a worker has given out, as it goes.
    pub(super) fn keep_pace_of_worker(&mut self, worker: &Worker) {
        if let Some(key) = own_rate_of(worker) {
            return self.keep_pace(key, worker.pace);
        }
        if let Some(rated) = worker.rate {
            let paces = &mut self.desks[worker.queue as usize].paces;
            if let Some(pace) = paces.part(rated.rate) {
                self.keep_pace(rate_of_queue(worker.queue), pace);
            }
        }
    }

    /// Once no handler is waited for, a box that is being closed keeps what its rates have given out.
    pub(super) fn keep_paces_at_close(&mut self) {
        let is_over = self.closing.as_ref().is_some_and(|it| !it.paces_kept);
        if !is_over || !self.leases.all_detached() {
            return;
        }
        if let Some(closing) = &mut self.closing {
            closing.paces_kept = true;
        }
        // Who has started nothing has nothing to add.
        if !self.commit.has_begun() {
            return;
        }
        for queue in 0..self.desks.len() as u32 {
            let desk = &self.desks[queue as usize];
            let (pace, keys) = (desk.paces.slowest(), desk.controls.keys().copied());
            for key in keys.collect::<Vec<u32>>() {
                self.keep_holds_of(queue, key);
            }
            self.keep_pace(rate_of_queue(queue), pace);
        }
        let paces = self.workers.values().filter_map(|worker| {
            let key = own_rate_of(worker)?;
            Some((key, worker.pace))
        });
        for (key, pace) in paces.collect::<Vec<_>>() {
            self.keep_pace(key, pace);
        }
    }

    fn keep_pace(&mut self, key: ValveKey, pace: Pace) {
        let hold = Hold {
            since: self.now,
            paced: pace.due(),
            ..Hold::default()
        };
        self.ledger.keep_hold(key, hold, &mut self.commit);
    }
}

/// Under which the rates over the workers of a queue are kept.
fn rate_of_queue(queue: u32) -> ValveKey {
    (queue, Rc::from(""), Rc::from(""))
}

/// Under which the rate of a worker is kept, if it has one of its own.
fn own_rate_of(worker: &Worker) -> Option<ValveKey> {
    let is_own = worker.rate?.scope == Scope::Worker;
    is_own.then(|| (worker.queue, Rc::clone(&worker.name), Rc::from("")))
}
