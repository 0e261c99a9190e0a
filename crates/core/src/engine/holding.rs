//! What is held back outlives workers and processes: a destination that asked for time, when it asks;
//! what rates have given out, when a worker or the box is closed.
//!
//! No message costs a record for its rate, so a crash forgets it, and one burst too many may follow.

use std::rc::Rc;

use super::Engine;
use crate::command::WorkerId;
use crate::consumer::policies::Scope;
use crate::consumer::worker::Worker;
use crate::ledger::ValveKey;
use crate::policy::hold::Hold;
use crate::policy::rate::Pace;

impl Engine {
    /// A destination asked for time.
    pub(super) fn keep_hold(&mut self, queue: u32, key: u32, destination: u32) {
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
        let pace = match rated.scope {
            Scope::Queue => &mut self.desks[queue as usize].pace,
            Scope::Worker => &mut self.workers.get_mut(&id).expect("it has a rate").pace,
        };
        *pace = pace.slower(kept);
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
            self.keep_pace(key, worker.pace);
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
            let (pace, keys) = (desk.pace, desk.controls.keys().copied());
            for key in keys.collect::<Vec<u32>>() {
                self.keep_holds_of(queue, key);
            }
            self.keep_pace((queue, Rc::from(""), Rc::from("")), pace);
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

/// Under which the rate of a worker is kept, if it has one of its own.
fn own_rate_of(worker: &Worker) -> Option<ValveKey> {
    let is_own = worker.rate?.scope == Scope::Worker;
    is_own.then(|| (worker.queue, Rc::clone(&worker.name), Rc::from("")))
}
