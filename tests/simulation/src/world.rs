//! One engine, its storage, its clock, and everything that happens to them.

use std::collections::BTreeMap;

use ackbox_core::command::WorkerId;
use ackbox_core::engine::Engine;
use ackbox_core::time::Timestamp;

use crate::circuits::Circuit;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::figures::Figures;
use crate::invariants::Violation;
use crate::model::Model;
use crate::op::Op;
use crate::plan::Plan;
use crate::power::Written;
use crate::probe::entropy;
use crate::storage::{Storage, Tear};

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
    /// Appends that a power cut may take back.
    pub(crate) unflushed: Vec<Written>,
    pub(crate) workers: Vec<Working>,
    /// Questions for how long a circuit stays open, which are not answered.
    pub(crate) cooldowns: Vec<(WorkerId, String)>,
    /// Starts of this run that a rate counts: of a queue, and of one worker or destination of it.
    pub(crate) starts: BTreeMap<(usize, Option<u32>, Option<String>), u64>,
    /// What is known of circuits in this run, by queue and destination.
    pub(crate) circuits: BTreeMap<(usize, String), Circuit>,
    /// When this run began.
    pub(crate) began_at: u64,
    pub(crate) phase: Phase,
    /// Something was said to the engine since it was called last.
    pub(crate) has_said: bool,
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
            storage: Storage::new(plan.config.durability),
            unflushed: Vec::new(),
            model: Model {
                queues: plan.queues.clone(),
                policies: plan.policies.clone(),
                limits: plan.limits.clone(),
                late: plan.late,
                ..Model::default()
            },
            workers: Vec::new(),
            cooldowns: Vec::new(),
            starts: BTreeMap::new(),
            circuits: BTreeMap::new(),
            began_at: now.0,
            phase: Phase::Opening,
            has_said: false,
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
                return self.pass_time();
            }
            Op::Jump { ms } => {
                self.figures.clock_jumps += u64::from(*ms != 0);
                self.clock.jump(*ms);
                return self.pass_time();
            }
            Op::Wake => {
                if let Some((at, _)) = self.engine.poll_timeout() {
                    self.clock.advance_to(at.0);
                }
                return self.pass_time();
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
            Op::Begin { pick } => self.begin(*pick),
            Op::Decline { pick } => self.decline(*pick),
            Op::Leave { items } => {
                self.model.inbox.leave(items);
                Ok(())
            }
            Op::MoveIn { rows, buries } => self.move_in(*rows, *buries),
            Op::MoveAgain { pick, leaps } => self.move_again(*pick, *leaps),
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
            Op::Room { bytes } => {
                self.storage.room = *bytes;
                Ok(())
            }
            Op::Flip { place, bit } => self.flip(*place, *bit),
            Op::Close => self.close(),
            _ => unreachable!("done above"),
        }
    }
}
