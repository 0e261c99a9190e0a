//! The lives of a box: one process after the other opens what the last one left behind.

use ackbox_core::command::{QueueId, Request, Ticket};
use ackbox_core::effect::{Answer, EventKind, Object};
use ackbox_core::engine::Engine;
use ackbox_core::error::{ErrorCode, Failure};

use crate::invariants::Violation;
use crate::must;
use crate::probe::{Name, entropy, probe_for};
use crate::recovery::Ended;
use crate::storage::{Left, Storage, Tear};
use crate::world::{Phase, Stop, Working, World};

impl World {
    /// The process is gone, and somebody opens the box again.
    pub(crate) fn crash(&mut self, tear: Tear, clean: bool) -> Result<(), Stop> {
        let unflushed = self.lose_unflushed(tear);
        let left = self.storage.crash(tear).and(unflushed);
        self.figures.power_cuts += u64::from(left == Left::Nothing);
        self.figures.torn_writes += u64::from(left == Left::Part);
        self.storage.show();
        self.succeed(clean)
    }

    /// Somebody opens what the last owner left behind.
    pub(crate) fn succeed(&mut self, clean: bool) -> Result<(), Stop> {
        self.figures.crashes += u64::from(!clean);
        self.figures.closings += u64::from(clean);
        let last = self.clock.engine_now();
        self.clock.restart();
        let now = self.clock.engine_now();
        let names: Vec<Name> = self.model.entries.keys().cloned().collect();
        let (disk, config) = (&self.storage.disk, &self.plan.config);
        let found = probe_for(&names, disk, now, config, self.plan.seed);
        let found = found.map_err(|failure| {
            Violation(format!("I6: cannot be opened after a crash: {failure:?}"))
        })?;
        let free_deaths = self.plan.config.free_owner_deaths > 0;
        self.model.recover(
            &found,
            Ended {
                clean,
                last,
                now,
                free_deaths,
            },
        )?;
        self.open()
    }

    pub(crate) fn open(&mut self) -> Result<(), Stop> {
        self.run += 1;
        self.workers.clear();
        self.starts.clear();
        self.circuits.clear();
        self.cooldowns.clear();
        (self.closing, self.closed) = (None, false);
        let now = self.now();
        self.began_at = now.0;
        let entropy = entropy(self.plan.seed, self.run);
        let engine = Engine::new(self.plan.config.clone(), entropy, now);
        self.engine = engine.expect("the plan's options are sound");
        let sequence = self.next_sequence();
        (self.phase, self.opening) = (Phase::Opening, sequence);
        let segments = Storage::segments(&self.storage.disk);
        let opening = Request::Open { segments };
        let taken = self.engine.handle_request(now, Ticket(sequence), opening);
        taken.map_err(|failure| Violation(format!("I6: cannot be opened: {failure:?}")))?;
        self.run()
    }

    pub(crate) fn opened(&mut self, result: Result<Answer, Failure>) -> Result<(), Stop> {
        let answer = match result {
            Ok(answer) => answer,
            Err(failure) => {
                let failed = failure.code == ErrorCode::StorageFailed;
                must!(failed, "I6: cannot be opened: {failure:?}");
                self.phase = Phase::Failed(0);
                return Ok(());
            }
        };
        if let Answer::Object(object) = answer
            && let Object::Opened(report) = *object
        {
            self.model.check_moved(report.moved)?;
        }
        self.phase = Phase::Open;
        for queue in 0..self.plan.queues.len() {
            let options = self.plan.queues[queue].clone();
            let name = format!("queue-{queue}");
            self.setting_up(Request::DefineQueue { name, options })?;
            let id = QueueId(queue as u32);
            self.setting_up(Request::Listen {
                queue: id,
                events: 1 << EventKind::Dead as u32,
            })?;
        }
        for queue in 0..self.plan.queues.len() {
            let id = QueueId(queue as u32);
            for concurrency in self.plan.workers[queue].clone() {
                let opened = self.setting_up(Request::OpenWorker {
                    queue: id,
                    concurrency,
                    policies: Box::new(self.plan.policies[queue].clone()),
                    limits: self.plan.limits[queue],
                })?;
                if let Some(Object::Worker(opened)) = opened {
                    self.workers.push(Working {
                        id: opened.worker,
                        queue,
                        concurrency,
                    });
                }
            }
        }
        Ok(())
    }

    /// A request of the moment in which the box is open.
    pub(crate) fn setting_up(&mut self, request: Request) -> Result<Option<Object>, Stop> {
        let sequence = self.next_sequence();
        let now = self.now();
        self.has_said = true;
        let answer = self.engine.handle_request(now, Ticket(sequence), request);
        answer.map_err(|failure| Violation(format!("refused while opening: {failure:?}")).into())
    }
}
