//! The engine: ledger, journal and consumers put together.
//!
//! # Contract
//!
//! The engine performs nothing. Inputs are commands, cold requests, completions of effects, and the
//! passing of time; outputs are effects. Every input names the instant at which it happens.
//!
//! **After a batch of inputs at one instant, call [`Engine::handle_timeout`], then drain
//! [`Engine::poll_effect`]; while [`Engine::has_more`], do both again. Only then may a later
//! instant be passed in.**
//!
//! What is told (receipts, deliveries, replies, events) is durable: it waits inside the engine for
//! the append that holds its record. One append is in flight at a time; what happens meanwhile is
//! gathered and goes into the next one.
//!
//! A batch that comes in parts is one input: while [`Engine::is_in_batch`], only its next part may come.
//!
//! # Panics
//!
//! On a broken invariant or an impossible completion (an append confirmed that was never asked
//! for). A panicked engine must be dropped: its memory is no longer to be trusted, its journal is.

mod agenda;
mod batching;
mod budgets;
mod circuits;
mod cleaning;
mod closing;
mod commit;
mod compensating;
mod contents;
mod deadjobs;
mod deadpages;
mod definitions;
mod deliveries;
mod dispatch;
mod editing;
mod ending;
mod enqueueing;
mod failing;
mod handing_out;
mod handing_over;
mod handlers;
mod holding;
mod inspecting;
mod limits;
mod looking;
mod moving_in;
mod no_room;
mod opening;
mod outcomes;
mod overrunning;
mod own_errors;
mod passing;
mod producing;
mod redriving;
mod remote;
mod requests;
mod resting;
mod retracting;
mod selecting;
mod sluices;
mod staging;
mod stepping;
mod taking_back;
mod telling;
mod totals;
mod transacting;
mod turning_away;
mod unproducing;
mod waits;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::command::{Command, Completion, Request, Ticket, Token, WorkerId};
use crate::config::Config;
use crate::consumer::desk::Desk;
use crate::consumer::lease::Leases;
use crate::consumer::sluice::Sluice;
use crate::consumer::suspects::Suspects;
use crate::consumer::turns::Turns;
use crate::consumer::waiters::Waiters;
use crate::consumer::worker::Worker;
use crate::effect::{Effect, Object};
use crate::error::{ErrorCode, Failure};
use crate::ledger::Ledger;
use crate::time::Timestamp;
use batching::Batch;
use cleaning::Cleaning;
use closing::Closing;
use commit::Commit;
use compensating::Dying;
use contents::Reads;
use deadjobs::DeadJobs;
use inspecting::Inspections;
use no_room::Room;
use opening::Opening;
use redriving::PacedRedrives;
use resting::IdleWaits;
use waits::Waits;

/// Messages that one step moves, frees or walks over before it lets others in.
const SLICE: usize = 1000;

/// Why the engine wants to be called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wakeup {
    /// Outputs or work of the last input are still to come.
    More,
    /// A message becomes due or expires, a lease or a wait ends, an id or a dead letter is forgotten.
    Queue(u32),
    /// A suspect has held other work back long enough.
    Suspect,
    /// A paced redrive goes on.
    Redrive,
    /// The storage may have room again.
    Room,
}

#[derive(Debug)]
enum Phase {
    New,
    Opening(Box<Opening>),
    Open,
    Failed(Failure),
    Closed,
}

/// The engine. See the module's documentation for how to drive it.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    entropy: [u8; 32],
    now: Timestamp,
    phase: Phase,
    ledger: Ledger,
    commit: Commit,
    /// A batch of which more is to come.
    batch: Option<Batch>,
    reads: Reads,
    leases: Leases,
    last_token: u64,
    workers: BTreeMap<WorkerId, Worker>,
    last_worker: u32,
    /// Workers that drain or are being closed.
    leaving: BTreeSet<WorkerId>,
    desks: Vec<Desk>,
    /// Gates of the host, by number.
    sluices: BTreeMap<u32, Sluice>,
    waiters: Waiters,
    suspects: Suspects,
    suspect_queues: BTreeSet<u32>,
    /// Queues that could not claim because of a suspect.
    held_back: BTreeSet<u32>,
    /// The suspect that held them back may be the last one.
    released: bool,
    /// Queues that could not claim because too much waits or runs.
    stalled: Turns,
    /// Workers that the end of the next append means something to.
    returned: Vec<WorkerId>,
    agenda: BTreeSet<(Timestamp, u32)>,
    wakes: Vec<Timestamp>,
    inspections: Inspections,
    waits: Waits,
    dying: Dying,
    dead_jobs: DeadJobs,
    paced_redrives: PacedRedrives,
    idle_waits: IdleWaits,
    cleaning: Cleaning,
    room: Room,
    closing: Option<Closing>,
    output: VecDeque<Effect>,
    more: bool,
}

impl Engine {
    /// An engine that knows of no storage yet: its first request is [`Request::Open`]. `entropy` is
    /// drawn by the host anew for every engine: it numbers the run, and makes the keys of a new box.
    pub fn new(config: Config, entropy: [u8; 32], now: Timestamp) -> Result<Self, Failure> {
        opening::check(&config)?;
        let (ledger, commit) = opening::blank(&config, &entropy);
        Ok(Self {
            config,
            entropy,
            now,
            phase: Phase::New,
            ledger,
            commit,
            batch: None,
            reads: Reads::default(),
            leases: Leases::default(),
            last_token: 0,
            workers: BTreeMap::new(),
            last_worker: 0,
            leaving: BTreeSet::new(),
            desks: Vec::new(),
            sluices: BTreeMap::new(),
            waiters: Waiters::default(),
            suspects: Suspects::default(),
            suspect_queues: BTreeSet::new(),
            held_back: BTreeSet::new(),
            released: false,
            stalled: Turns::default(),
            returned: Vec::new(),
            agenda: BTreeSet::new(),
            wakes: Vec::new(),
            inspections: Inspections::default(),
            waits: Waits::default(),
            dying: Dying::default(),
            dead_jobs: DeadJobs::default(),
            paced_redrives: PacedRedrives::default(),
            idle_waits: IdleWaits::default(),
            cleaning: Cleaning::default(),
            room: Room::default(),
            closing: None,
            output: VecDeque::new(),
            more: false,
        })
    }

    /// A hot command.
    pub fn handle_command(&mut self, now: Timestamp, ticket: Ticket, command: Command<'_>) {
        self.advance_to(now);
        let taken = self.accepting().and_then(|()| self.owned());
        if let Err(failure) = taken.and_then(|()| self.takes(&command)) {
            if matches!(command, Command::StopWaiting) {
                // Whoever waited was answered when that happened.
                return;
            }
            if matches!(&command, Command::EnqueuePart(part) if !part.is_last) {
                // The last part is refused.
                return;
            }
            return self.refuse_command(ticket, &command, failure);
        }
        match command {
            Command::Enqueue(enqueue) => self.enqueue(ticket, &enqueue),
            Command::EnqueueMany(items) => self.enqueue_many(ticket, &items),
            Command::EnqueuePart(part) => self.enqueue_part(ticket, &part.items, part.is_last),
            Command::Settle(settle) => match self.room_to_settle(ticket) {
                Ok(()) => self.settle(ticket, &settle),
                Err(failure) => self.refuse(ticket, failure),
            },
            Command::Transaction(unit) => self.transact(ticket, &unit),
            Command::Produce(produce) => self.produce(ticket, &produce),
            Command::Move(unit) => self.move_in(ticket, &unit),
            Command::Returned { token } => self.handler_returned(token),
            Command::Abandoned { token } => self.abandon(token),
            Command::Declined { token } => self.decline(token),
            Command::Began { token } => self.begin(token),
            Command::Excused {
                token,
                blameless,
                free,
                unasked,
            } => self.excuse(token, blameless, free, unasked),
            Command::Extend { token, ms } => self.extend(ticket, token, ms),
            Command::Dequeue {
                queue,
                max,
                lease_ms,
                wait_ms,
            } => {
                self.dequeue(ticket, queue, max, lease_ms, wait_ms);
            }
            Command::EditDead(edit) => self.edit_dead(ticket, &edit),
            Command::RecordStep(step) => self.record_step(ticket, &step),
            Command::RecallStep { token, name } => self.recall_step(ticket, token, name),
            Command::Finished { queue, id } => match self.known_to_show(queue) {
                Ok(queue) => self.finished(ticket, queue, id),
                Err(failure) => self.refuse(ticket, failure),
            },
            Command::TakeIn(claimed) => self.take_in(&claimed),
            Command::ClaimDone { queue, dry } => self.claim_done(queue, dry),
            Command::LoseClaim { token } => self.lose_claim(token),
            Command::Idle { queue } => self.wait_for_idle(ticket, queue),
            Command::StopWaiting => self.stop_waiting(ticket),
        }
    }

    /// A cold request; `Some` answers it at once, `None` means that a reply comes later.
    pub fn handle_request(
        &mut self,
        now: Timestamp,
        ticket: Ticket,
        request: Request,
    ) -> Result<Option<Object>, Failure> {
        self.advance_to(now);
        self.request(ticket, request)
    }

    /// How an effect went.
    pub fn handle_completion(&mut self, now: Timestamp, completion: Completion<'_>) {
        self.advance_to(now);
        if matches!(self.phase, Phase::Failed(_) | Phase::Closed) {
            // It belongs to what was given up.
            return;
        }
        match completion {
            Completion::Appended if self.config.remote => self.transited(),
            Completion::Appended => self.appended(),
            Completion::Refused(token) => {
                if let Some(remote) = &mut self.commit.remote {
                    remote.refuse(token);
                }
            }
            Completion::AppendFailed { clean } => self.append_failed(clean),
            Completion::Chunk { read, bytes } => self.chunk(read, bytes),
            Completion::ReadFailed { .. } => self.fail_storage("a read of the journal failed"),
            Completion::Truncated => self.truncated(),
            Completion::Removed { segment } => self.removed(segment),
            Completion::MaintenanceFailed => {
                self.fail_storage("a segment could not be cut or removed")
            }
        }
    }

    /// Time has passed, or a batch of inputs is complete: claims, cleans and seals what there is.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        assert!(!self.is_in_batch(), "more of a batch is to come");
        self.advance_to(now);
        self.more = false;
        if self.config.read_only {
            return self.show();
        }
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        self.look_for_room();
        self.run_agenda();
        self.tell_purged();
        self.more |= self.ledger.carry_out_purges(self.now, SLICE);
        self.work_on_dead_jobs();
        self.work_on_paced_redrives();
        self.dispatch();
        if !self.config.remote {
            self.clean();
        }
        self.check_rest();
        self.read_for_deaths();
        self.reads.begin(&mut self.output);
        self.keep_paces_at_close();
        self.seal();
        self.tell_changes();
        self.check_closing();
    }

    /// Whether the last inputs still have work to come; call [`Engine::handle_timeout`] again.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// The next thing to do or to tell.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.output.pop_front()
    }

    /// When to call [`Engine::handle_timeout`] next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Timestamp, Wakeup)> {
        if !matches!(self.phase, Phase::Open) {
            return None;
        }
        if self.more {
            return Some((self.now, Wakeup::More));
        }
        let queue = self
            .agenda
            .first()
            .filter(|_| !self.is_stage_full() && !bug!("no-queue-timer"))
            .map(|(at, queue)| (*at, Wakeup::Queue(*queue)));
        let suspect = Some((self.suspects.next_change(), Wakeup::Suspect));
        let redrive = Some((self.paced_redrives.next_change(), Wakeup::Redrive));
        let room = Some((self.room.next_try(), Wakeup::Room));
        queue
            .into_iter()
            .chain(suspect.filter(|_| !bug!("no-suspect-timer")))
            .chain(redrive.filter(|_| !bug!("no-redrive-timer")))
            .chain(room.filter(|_| !bug!("no-room-timer")))
            .filter(|(at, _)| *at != Timestamp::NEVER)
            .min()
    }

    /// Time never runs backwards within a run.
    fn advance_to(&mut self, now: Timestamp) {
        self.now = if bug!("believe-clock") {
            now
        } else {
            self.now.max(now)
        };
    }

    /// Whether new work is taken.
    fn accepting(&self) -> Result<(), Failure> {
        match &self.phase {
            Phase::Open => Ok(()),
            Phase::Failed(failure) => Err(failure.clone()),
            Phase::New | Phase::Opening(_) => {
                Err(Failure::new(ErrorCode::Closed, "the box is not open yet"))
            }
            Phase::Closed => Err(Failure::new(ErrorCode::Closed, "the box is closed")),
        }
    }

    fn next_token(&mut self) -> Token {
        self.last_token += 1;
        if bug!("differ-between-runs") {
            use std::sync::atomic::{AtomicU64, Ordering};
            static N: AtomicU64 = AtomicU64::new(0);
            self.last_token += N.fetch_add(1, Ordering::Relaxed) % 7;
        }
        Token(self.last_token)
    }

    fn seal(&mut self) {
        if let Some(remote) = &mut self.commit.remote {
            return remote.seal(&mut self.output);
        }
        let sealed = self
            .commit
            .seal(self.now, |front| self.ledger.write_definitions(front));
        self.output.extend(sealed);
    }
}
