//! One engine, its storage, its clock, and everything that happens to them.

use std::collections::BTreeMap;

use ackbox_core::command::{Command, QueueId, Request, Ticket, WorkerId};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::{Answer, EventKind, Object};
use ackbox_core::engine::Engine;
use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::time::Timestamp;

use crate::clock::Clock;
use crate::digest::Digest;
use crate::figures::Figures;
use crate::invariants::Violation;
use crate::model::{Asked, Model};
use crate::must;
use crate::op::Op;
use crate::plan::Plan;
use crate::probe::{entropy, probe};
use crate::recovery::Ended;
use crate::storage::{Left, Storage, Tear};

/// Steps without rest that are no rest any more.
const STEPS_MAX: u32 = 100_000;
/// Operations that a failed box gets before somebody opens it again.
const OPS_WHILE_FAILED: u32 = 3;

/// Why an operation was broken off.
#[derive(Debug)]
pub enum Stop {
    /// The process is gone.
    Crash(Tear),
    /// A promise is broken.
    Broken(Violation),
}

impl From<Violation> for Stop {
    fn from(violation: Violation) -> Self {
        Self::Broken(violation)
    }
}

/// How far the box is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// It reads what there is.
    Opening,
    /// It works.
    Open,
    /// Its storage failed, and so many operations came since.
    Failed(u32),
}

/// A worker that is open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Working {
    /// Its number in this run.
    pub(crate) id: WorkerId,
    /// Of which queue.
    pub(crate) queue: usize,
    /// Handlers at once.
    pub(crate) concurrency: u32,
}

/// The world.
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) engine: Engine,
    pub(crate) storage: Storage,
    pub(crate) clock: Clock,
    pub(crate) model: Model,
    pub(crate) workers: Vec<Working>,
    /// Starts of this run that a rate counts: of a queue, and of one worker or destination of it.
    pub(crate) starts: BTreeMap<(usize, Option<u32>, Option<String>), u64>,
    /// When this run began.
    pub(crate) began_at: u64,
    pub(crate) phase: Phase,
    pub(crate) prompt: bool,
    /// The request to open it.
    pub(crate) opening: u64,
    /// The request to close it.
    pub(crate) closing: Option<u64>,
    pub(crate) closed: bool,
    /// So many effects until a crash.
    pub(crate) fuse: Option<(u32, Tear)>,
    /// What is left of an append that fails.
    pub(crate) tear: Tear,
    pub(crate) digest: Digest,
    pub(crate) figures: Figures,
    /// What was shown of steps, by the question.
    pub(crate) bodies: BTreeMap<u64, Vec<u8>>,
    pub(crate) sequence: u64,
    pub(crate) run: u64,
}

impl World {
    /// A world without a box.
    pub fn new(plan: Plan) -> Result<Self, Stop> {
        let mut clock = Clock::new(plan.drift_milli);
        let now = Timestamp(clock.read());
        let engine = Engine::new(plan.config.clone(), entropy(plan.seed, 0), now);
        let mut world = Self {
            engine: engine.expect("the plan's options are sound"),
            storage: Storage::default(),
            model: Model {
                queues: plan.queues.clone(),
                policies: plan.policies.clone(),
                ..Model::default()
            },
            workers: Vec::new(),
            starts: BTreeMap::new(),
            began_at: now.0,
            phase: Phase::Opening,
            prompt: plan.prompt,
            opening: 0,
            closing: None,
            closed: false,
            fuse: None,
            tear: Tear::Nothing,
            digest: Digest::new(plan.echoes),
            figures: Figures::default(),
            bodies: BTreeMap::new(),
            sequence: 0,
            run: 0,
            clock,
            plan,
        };
        world.open()?;
        Ok(world)
    }

    /// Something happens.
    pub fn step(&mut self, op: &Op) -> Result<(), Violation> {
        self.digest.note(format_args!("{op:?}"));
        let done = match self.phase {
            Phase::Failed(OPS_WHILE_FAILED) => Err(Stop::Crash(Tear::Nothing)),
            Phase::Failed(ops) => {
                self.phase = Phase::Failed(ops + 1);
                self.perform_op(op)
            }
            _ => self.perform_op(op),
        };
        self.survive(done)
    }

    /// Crashes until it does not.
    pub(crate) fn survive(&mut self, mut done: Result<(), Stop>) -> Result<(), Violation> {
        loop {
            match done {
                Ok(()) => return Ok(()),
                Err(Stop::Broken(violation)) => return Err(violation),
                Err(Stop::Crash(tear)) => done = self.crash(tear, false),
            }
        }
    }

    fn perform_op(&mut self, op: &Op) -> Result<(), Stop> {
        let is_opening = self.phase == Phase::Opening;
        match op {
            Op::Serve { pick } => return self.serve(*pick),
            Op::Advance { ms } => {
                self.clock.advance(*ms);
                return self.run();
            }
            Op::Jump { ms } => {
                self.figures.clock_jumps += u64::from(*ms != 0);
                self.clock.jump(*ms);
                return self.run();
            }
            Op::Wake => {
                if let Some((at, _)) = self.engine.poll_timeout() {
                    self.clock.advance_to(at.0);
                }
                return self.run();
            }
            Op::Arm { fault, tear } => {
                self.storage.armed.push(*fault);
                self.tear = *tear;
                return Ok(());
            }
            Op::Crash { after: 0, tear } => return Err(Stop::Crash(*tear)),
            Op::Crash { after, tear } => {
                self.fuse = Some((*after, *tear));
                return Ok(());
            }
            // Nobody gets a box that is not open.
            _ if is_opening => return Ok(()),
            _ => {}
        }
        match op {
            Op::Enqueue(item) => self.send(std::slice::from_ref(item), false),
            Op::EnqueueMany(items) => self.send(items, true),
            Op::Dequeue {
                queue,
                max,
                wait_ms,
                lease_ms,
            } => self.dequeue(*queue, *max, *wait_ms, *lease_ms),
            Op::Settle {
                pick,
                say,
                answered,
                returned,
            } => self.settle_one(*pick, *say, *answered, *returned),
            Op::Stale { pick, say } => self.settle_stale(*pick, *say),
            Op::Returned { pick } => self.handler_returns(*pick),
            Op::Abandon { pick } => self.abandon(*pick),
            Op::Extend { pick, ms } => self.extend(*pick, *ms),
            Op::Transaction { ends, items } => self.transact(ends, items),
            Op::Step { pick, effort } => self.come_to_step(*pick, *effort),
            Op::StaleStep { pick, name } => self.record_stale_step(*pick, *name),
            Op::OpenProducer { producer } => self.open_producer(*producer),
            Op::Produce {
                producer,
                which,
                item,
            } => self.produce(*producer, *which, item),
            Op::Care { queue, care } => self.care(*queue, care),
            Op::Flip { place, bit } => self.flip(*place, *bit),
            Op::Close => self.close(),
            _ => unreachable!("done above"),
        }
    }

    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn now(&mut self) -> Timestamp {
        let now = self.clock.read();
        self.model.latest = self.model.latest.max(now);
        Timestamp(now)
    }

    /// A command, and what follows from it.
    pub(crate) fn command(&mut self, ticket: u64, command: Command<'_>) -> Result<(), Stop> {
        let now = self.now();
        self.engine.handle_command(now, Ticket(ticket), command);
        self.run()
    }

    /// A request that is answered later.
    pub(crate) fn request(&mut self, request: Request, asked: Asked) -> Result<(), Stop> {
        let sequence = self.next_sequence();
        let now = self.now();
        self.model.asked.insert(sequence, asked);
        match self.engine.handle_request(now, Ticket(sequence), request) {
            Ok(_) => self.run(),
            Err(failure) => {
                self.model.asked.remove(&sequence);
                self.check_refusal(&failure)?;
                self.run()
            }
        }
    }

    /// A request that is answered at once.
    pub(crate) fn at_once(&mut self, request: Request) -> Result<Option<Object>, Stop> {
        let sequence = self.next_sequence();
        let now = self.now();
        let answer = self.engine.handle_request(now, Ticket(sequence), request);
        let object = match answer {
            Ok(object) => object,
            Err(failure) => {
                self.check_refusal(&failure)?;
                None
            }
        };
        self.run()?;
        Ok(object)
    }

    /// Lets the engine work until it rests, and the storage answer if it is prompt.
    pub(crate) fn run(&mut self) -> Result<(), Stop> {
        loop {
            self.drain()?;
            if !self.prompt || self.storage.jobs.is_empty() {
                return Ok(());
            }
            self.answer(0)?;
        }
    }

    fn drain(&mut self) -> Result<(), Stop> {
        for _ in 0..STEPS_MAX {
            let mut idle = self.poll()?;
            let now = self.now();
            self.engine.handle_timeout(now);
            idle &= self.poll()?;
            if idle && !self.engine.has_more() {
                return Ok(());
            }
        }
        Err(Violation("liveness: the engine never comes to rest".to_owned()).into())
    }

    /// Performs what the engine asks for and tells; true if that is nothing.
    fn poll(&mut self) -> Result<bool, Stop> {
        let mut idle = true;
        while let Some(effect) = self.engine.poll_effect() {
            idle = false;
            self.burn()?;
            self.digest.effect(&effect);
            self.perform(effect)?;
        }
        Ok(idle)
    }

    /// A crash comes nearer.
    pub(crate) fn burn(&mut self) -> Result<(), Stop> {
        match &mut self.fuse {
            Some((0, tear)) => {
                let tear = *tear;
                self.fuse = None;
                Err(Stop::Crash(tear))
            }
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The process is gone, and somebody opens the box again.
    pub(crate) fn crash(&mut self, tear: Tear, clean: bool) -> Result<(), Stop> {
        let left = self.storage.crash(tear);
        self.figures.power_cuts += u64::from(left != Left::Everything);
        self.figures.torn_writes += u64::from(left == Left::Part);
        self.storage.remove_strange_file();
        self.succeed(clean)
    }

    /// Somebody opens what the last owner left behind.
    pub(crate) fn succeed(&mut self, clean: bool) -> Result<(), Stop> {
        self.figures.crashes += u64::from(!clean);
        self.figures.closings += u64::from(clean);
        let last = self.clock.engine_now();
        self.clock.restart();
        let now = self.clock.engine_now();
        let found = probe(&self.storage.disk, now, &self.plan.config, self.plan.seed).map_err(
            |failure| Violation(format!("I6: cannot be opened after a crash: {failure:?}")),
        )?;
        let free_deaths = self.plan.config.free_owner_deaths > 0;
        self.model.recover(
            &found.queues,
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
        if let Err(failure) = result {
            let failed = failure.code == ErrorCode::StorageFailed;
            must!(failed, "I6: cannot be opened: {failure:?}");
            self.phase = Phase::Failed(0);
            return Ok(());
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
                    limits: HandlerLimits::default(),
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
        let answer = self.engine.handle_request(now, Ticket(sequence), request);
        answer.map_err(|failure| Violation(format!("refused while opening: {failure:?}")).into())
    }
}
