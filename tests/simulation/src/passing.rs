//! What workers promise about destinations. I10: behind an open circuit nothing runs but probes, few at
//! a time, and those cost no attempt.

use ackbox_core::command::Request;
use ackbox_core::consumer::policies::{Policies, Scope, WhenOpen};
use ackbox_core::effect::{CircuitInfo, Delivery, Object, Recipient};
use ackbox_core::policy::breaker::State;

use crate::circuits::breaker_of;
use crate::model::{Held, Sure};
use crate::must;
use crate::world::{Stop, World};

/// What is known of a delivery to a worker.
#[derive(Clone, Debug)]
pub struct Passage {
    /// The worker's number in this run.
    pub worker: u32,
    /// Where the message goes.
    pub destination: String,
    /// It probes a circuit that is not closed.
    pub probe: Sure,
    /// How often that circuit has opened in a row.
    pub openings: u32,
}

impl Passage {
    /// To this worker, and to this destination.
    #[must_use]
    pub fn of(worker: u32, destination: String) -> Self {
        Self {
            worker,
            destination,
            probe: Sure::No,
            openings: 0,
        }
    }
}

impl World {
    /// Whether a message may be given to this worker now.
    pub(crate) fn check_passage(&mut self, delivery: &Delivery) -> Result<Option<Passage>, Stop> {
        let Recipient::Worker(id) = delivery.to else {
            return Ok(None);
        };
        let queue = delivery.queue.0 as usize;
        let destination = delivery.destination.to_string();
        self.check_slots(id.0, &destination, delivery)?;
        self.check_pace(id.0, delivery)?;
        let mut passage = Passage::of(id.0, destination);
        let policies = &self.plan.policies[queue];
        if breaker_of(policies, &passage.destination).is_some() {
            self.check_circuit(&mut passage, delivery)?;
        }
        Ok(Some(passage))
    }

    /// Handlers at once, in all and of one destination.
    fn check_slots(&self, id: u32, destination: &str, delivery: &Delivery) -> Result<(), Stop> {
        let queue = delivery.queue.0 as usize;
        let known = self.workers.iter().find(|worker| worker.id.0 == id);
        let running = |of: &dyn Fn(&Passage) -> bool| {
            let runs = |held: &&Held| held.handler && held.abandoned.is_none();
            let held = self.model.held.iter().filter(runs);
            let held = held.filter(|held| held.queue == queue);
            held.filter(|held| held.passage.as_ref().is_some_and(of))
                .count()
        };
        let beside = running(&|passage| passage.worker == id);
        must!(
            known.is_none_or(|worker| beside < worker.concurrency as usize),
            "{beside} handlers run in a worker of {known:?}, and one more: {}",
            brief(delivery)
        );
        let limits = self.plan.policies[queue].per_destination.as_ref();
        if let Some(most) = limits.and_then(|limits| limits.concurrency)
            && !destination.is_empty()
        {
            let beside = running(&|passage| passage.destination == destination);
            must!(
                beside < most as usize,
                "{beside} handlers run for {destination:?}, at most {most}, and one more: {}",
                brief(delivery)
            );
        }
        Ok(())
    }

    /// Not more starts than a rate allows since the run began.
    fn check_pace(&mut self, id: u32, delivery: &Delivery) -> Result<(), Stop> {
        let queue = delivery.queue.0 as usize;
        let now = self.clock.engine_now();
        let elapsed_ms = now - self.began_at;
        let policies = &self.plan.policies[queue];
        let mut paces = Vec::new();
        if let Some(limits) = &policies.per_destination
            && let Some(rate) = limits.rate
            && !delivery.destination.is_empty()
        {
            paces.push(((queue, None, Some(delivery.destination.to_string())), rate));
        }
        if let Some(rate) = policies.rate {
            let worker = (rate.scope == Scope::Worker).then_some(id);
            paces.push(((queue, worker, None), rate.rate));
        }
        for (key, rate) in paces {
            let started = self.starts.entry(key).or_default();
            *started += 1;
            let most = u64::from(rate.limit) + elapsed_ms * u64::from(rate.limit) / rate.per_ms;
            must!(
                *started <= most,
                "{started} starts in {elapsed_ms} ms at {rate:?}: {}",
                brief(delivery)
            );
        }
        Ok(())
    }

    /// What was declined has not started.
    pub(crate) fn unpace(&mut self, held: &Held) {
        let Some(passage) = &held.passage else { return };
        let (queue, worker) = (held.queue, Some(passage.worker));
        let keys = [
            (queue, None, Some(passage.destination.clone())),
            (queue, worker, None),
            (queue, None, None),
        ];
        for key in keys {
            if let Some(started) = self.starts.get_mut(&key) {
                *started -= 1;
            }
        }
    }

    fn check_circuit(&mut self, passage: &mut Passage, delivery: &Delivery) -> Result<(), Stop> {
        let queue = delivery.queue.0 as usize;
        let Some(circuit) = self.circuit_of(passage)? else {
            // Its worker has just ended.
            passage.probe = Sure::Maybe;
            return Ok(());
        };
        if self.plan.echoes {
            println!("    {circuit:?}");
        }
        must!(
            matches!(circuit.state, State::Closed | State::HalfOpen),
            "I10: delivered through a circuit that is open: {circuit:?}, {}",
            brief(delivery)
        );
        self.see_circuit(queue, &circuit)?;
        passage.openings = circuit.openings;
        if circuit.state == State::Closed {
            // One that was claimed as a probe before another one closed the circuit is one still.
            passage.probe = Sure::Maybe;
            return Ok(());
        }
        self.figures.probes += 1;
        passage.probe = Sure::Yes;
        let now = self.clock.engine_now();
        let beside = self.model.held.iter().filter(|held| {
            let is_probe = |other: &Passage| {
                other.destination == passage.destination
                    && other.probe == Sure::Yes
                    && other.openings == passage.openings
            };
            held.queue == queue && held.is_open(now) && held.passage.as_ref().is_some_and(is_probe)
        });
        let policies = &self.plan.policies[queue];
        let breaker = breaker_of(policies, &passage.destination);
        let most = breaker.and_then(|breaker| breaker.probes).unwrap_or(1);
        let beside = beside.count();
        must!(
            beside < most as usize,
            "I10: {beside} probes run, at most {most}, and one more: {circuit:?}, {}",
            brief(delivery)
        );
        Ok(())
    }

    pub(crate) fn circuit_of(&mut self, passage: &Passage) -> Result<Option<CircuitInfo>, Stop> {
        let mut workers = self.workers.iter().map(|worker| worker.id);
        let Some(worker) = workers.find(|worker| worker.0 == passage.worker) else {
            return Ok(None);
        };
        let request = Request::Circuits {
            worker,
            destination: Some(passage.destination.clone()),
        };
        match self.setting_up(request)? {
            Some(Object::Circuits(circuits)) => Ok(circuits.into_iter().next()),
            _ => Ok(None),
        }
    }
}

/// A delivery, as it is told of.
fn brief(delivery: &Delivery) -> String {
    let Delivery {
        id, number, token, ..
    } = delivery;
    format!("{id} as number {number}, token {}", token.0)
}

/// Whether a failed delivery costs its message nothing, because it was a probe.
#[must_use]
pub fn is_free(policies: &Policies, passage: Option<&Passage>) -> Sure {
    match passage {
        Some(passage) if policies.when_open == WhenOpen::Pause => passage.probe,
        _ => Sure::No,
    }
}
