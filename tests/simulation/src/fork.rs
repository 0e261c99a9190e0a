//! Worlds that go on from another state of the storage than their own: what else a crash could have left.

use std::collections::BTreeMap;

use ackbox_core::engine::Engine;
use ackbox_core::time::Timestamp;

use crate::actors::producer::is_given;
use crate::digest::Digest;
use crate::figures::Figures;
use crate::invariants::Violation;
use crate::model::{Model, Sent, Sure};
use crate::plan::Plan;
use crate::probe::{Finding, entropy};
use crate::storage::{Disk, Storage, Tear};
use crate::world::{Phase, Stop, World};

impl World {
    /// The storage, with what was asked of it and not answered.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// How it was set up.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether a box is open and its storage sound.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// The first instant of the next owner.
    #[must_use]
    pub fn next_owners_time(&self) -> u64 {
        let mut clock = self.clock.clone();
        clock.restart();
        clock.engine_now()
    }

    /// The world of the next owner if the process dies now and leaves this behind. Everything that was
    /// told and asked for goes with it, and is held against what that owner finds.
    pub fn after_crash(&self, disk: Disk) -> Result<Self, Violation> {
        let mut world = Self {
            engine: blank(&self.plan),
            storage: self.storage.left_behind(disk),
            clock: self.clock.clone(),
            model: self.model.clone(),
            unflushed: Vec::new(),
            workers: Vec::new(),
            cooldowns: Vec::new(),
            starts: BTreeMap::new(),
            circuits: BTreeMap::new(),
            phase: Phase::Opening,
            prompt: true,
            closing: self.closing,
            closed: self.closed,
            fuse: None,
            tear: Tear::Nothing,
            digest: Digest::new(self.plan.echoes),
            figures: Figures::default(),
            bodies: BTreeMap::new(),
            plan: self.plan.clone(),
            ..*self
        };
        let recovered = world.succeed(false);
        world.survive(recovered)?;
        Ok(world)
    }

    /// The world of somebody who takes a journal over and knows nothing but what is found in it.
    pub fn of_stranger(plan: &Plan, disk: Disk, found: &Finding) -> Result<Self, Violation> {
        let mut world = match Self::new(plan.clone()) {
            Ok(world) => world,
            Err(Stop::Broken(violation)) => return Err(violation),
            Err(Stop::Crash(_)) => unreachable!("no crash was asked for"),
        };
        world.prompt = true;
        world.storage = Storage::new(plan.config.durability).left_behind(disk);
        world.model.adopt(found);
        let opened = world.open();
        world.survive(opened)?;
        Ok(world)
    }
}

fn blank(plan: &Plan) -> Engine {
    let engine = Engine::new(plan.config.clone(), entropy(plan.seed, 0), Timestamp(0));
    engine.expect("the plan's options are sound")
}

impl Model {
    /// Takes what was found for what was sent.
    fn adopt(&mut self, found: &Finding) {
        self.resume_inbox(found.report.moved);
        self.inbox.last = self.inbox.moved;
        for (queue, messages) in found.queues.iter().enumerate() {
            for one in messages {
                let info = &one.info;
                let headers = String::from_utf8_lossy(&one.headers).into_owned();
                // A generated id is nobody's to send again: it is not remembered.
                let is_given = is_given(&info.id);
                let sent = Sent {
                    queue,
                    id: is_given.then(|| info.id.clone()),
                    headers,
                    body: one.body.clone(),
                    group: info.group.clone(),
                    priority: info.priority.unwrap_or(0),
                    destination: info.destination.clone(),
                    not_before: 0,
                    deadline: None,
                    at: 0,
                    known: true,
                };
                let index = self.accept(sent, info.id.clone(), None, 0);
                let message = &mut self.messages[index];
                let attempt = info.attempt.unwrap_or(0);
                message.starts = (attempt, attempt);
                // Their order and what killed them are not told.
                (message.displaced, message.may_die) = (true, true);
                message.dead = Sure::Maybe;
            }
        }
    }
}
