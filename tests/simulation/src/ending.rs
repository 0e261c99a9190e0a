//! Closing a box, and the end of a world: the faults stop, and then everything must finish.

use ackbox_core::command::{DeadFilter, QueueId, Reason, Request};
use ackbox_core::effect::Object;

use crate::invariants::Violation;
use crate::model::meeting::How;
use crate::model::{Asked, End, Message};
use crate::must;
use crate::op::DESTINATIONS;
use crate::storage::Tear;
use crate::world::{Phase, Stop, World};

/// Rounds within which a closing box is closed.
const CLOSING_ROUNDS: usize = 500;
/// Rounds within which everything finishes: far more than there are messages and retries.
const ROUNDS: usize = 20_000;
/// Longer than any circuit stays open.
const COOLDOWN_MS: u64 = 60_000;
/// Redrives within which everything finishes.
const REDRIVES: usize = 12;

impl World {
    /// Closes the box, handlers and all, and opens it again.
    pub(crate) fn close(&mut self) -> Result<(), Stop> {
        if self.phase != Phase::Open {
            return Ok(());
        }
        let prompt = std::mem::replace(&mut self.prompt, true);
        let closed = self.close_box();
        self.prompt = prompt;
        closed?;
        if self.closed {
            // What found no room, and nobody waited for, is given up.
            return self.crash(Tear::Everything, !self.model.was_full);
        }
        must!(
            matches!(self.phase, Phase::Failed(_)),
            "liveness: the box does not close"
        );
        Ok(())
    }

    fn close_box(&mut self) -> Result<(), Stop> {
        self.decline_claims()?;
        let sequence = self.next_sequence() + 1;
        self.closing = Some(sequence);
        // Who closes a box takes back what was claimed by hand.
        let held = self.model.held.iter();
        for held in held.filter(|held| !held.handler && !held.settled) {
            let starts = &mut self.model.messages[held.message].starts;
            starts.0 = starts.0.saturating_sub(1);
        }
        self.request(Request::Close {}, Asked::Other)?;
        for _ in 0..CLOSING_ROUNDS {
            if self.closed || self.phase != Phase::Open {
                return Ok(());
            }
            match self.model.held.iter().position(|held| held.handler) {
                Some(place) => self.end_handler(place)?,
                None => self.run()?,
            }
        }
        Ok(())
    }

    /// The faults stop.
    pub fn finish(&mut self) -> Result<(), Violation> {
        self.storage.armed.clear();
        self.storage.room = None;
        self.fuse = None;
        self.prompt = true;
        let rested = self.run();
        self.survive(rested)?;
        if self.phase != Phase::Open {
            let reopened = self.crash(Tear::Nothing, false);
            self.survive(reopened)?;
        }
        let finished = self.finish_everything();
        self.survive(finished)?;
        self.check_nothing_vanished()?;
        let ended = self.crash(Tear::Nothing, false);
        self.survive(ended)?;
        let left = self
            .model
            .messages
            .iter()
            .find(|message| match message.end {
                End::Told => false,
                End::Maybe => !self.model.retires(message) && !message.provisional,
                End::No | End::Asked(_) => true,
            });
        match left {
            Some(message) => Err(Violation(format!("I1: never finished: {message:?}"))),
            None => self.model.check_letters(),
        }
    }

    /// Nothing is left, so everything has ended; a crash may have taken what was to be delivered at most once, but
    /// that was seen when the box was opened again.
    fn check_nothing_vanished(&self) -> Result<(), Violation> {
        let vanished = |message: &&Message| {
            message.end == End::No && !self.model.retires(message) && self.model.rotten == 0
        };
        let vanished = self.model.messages.iter().find(vanished);
        must!(vanished.is_none(), "I1: gone without an end: {vanished:?}");
        Ok(())
    }

    fn finish_everything(&mut self) -> Result<(), Stop> {
        for worker in self.workers.clone() {
            let worker = worker.id;
            self.at_once(Request::ResumeWorker { worker })?;
        }
        for queue in 0..self.model.queues.len() {
            let id = QueueId(queue as u32);
            self.request(Request::ResumeQueue { queue: id }, Asked::Other)?;
            self.open_worker(queue, 2)?;
        }
        self.close_circuits()?;
        self.move_everything()?;
        // What waits behind a dead letter waits for its redrive.
        let mut depth = (0, 0);
        for _ in 0..REDRIVES {
            self.work_off()?;
            if self.model.rotten > 0 {
                self.remove_damaged()?;
            }
            depth = self.depth()?;
            if depth == (0, 0) {
                return self.hear_everything();
            }
            // What met an open circuit may have died of it.
            self.sleep_until(self.clock.engine_now() + COOLDOWN_MS)?;
            for queue in 0..self.model.queues.len() {
                let how = How {
                    to: None,
                    forget_steps: false,
                };
                self.redrive(queue, DeadFilter::default(), how, None)?;
            }
        }
        must!(
            false,
            "liveness: {depth:?} messages and dead letters never finish"
        );
        Ok(())
    }

    /// Whoever waits for something is answered as soon as its time is over.
    fn hear_everything(&mut self) -> Result<(), Stop> {
        let is_heard = |world: &Self, sequence: &u64| !world.model.unheard.contains(sequence);
        for _ in 0..ROUNDS {
            let left = self.model.asked.keys().any(|asked| is_heard(self, asked));
            let Some((at, _)) = self.engine.poll_timeout().filter(|_| left) else {
                break;
            };
            self.clock.advance_to(at.0);
            self.run()?;
        }
        let mut asked = self.model.asked.iter();
        let left = asked.find(|(sequence, _)| is_heard(self, sequence));
        must!(left.is_none(), "liveness: never answered: {left:?}");
        Ok(())
    }

    /// What is damaged will never be delivered.
    fn remove_damaged(&mut self) -> Result<(), Stop> {
        for queue in 0..self.model.queues.len() {
            let filter = DeadFilter {
                reason: Some(Reason::Corrupt),
                ..DeadFilter::default()
            };
            self.remove_dead(queue, filter)?;
        }
        self.work_off()
    }

    /// Lets destinations be tried again; those of every third world recover by themselves, but for what somebody
    /// has isolated.
    fn close_circuits(&mut self) -> Result<(), Stop> {
        let is_left_alone = self.plan.seed.is_multiple_of(3);
        for pick in 0..self.workers.len() as u32 {
            for destination in 0..=DESTINATIONS {
                if !is_left_alone || self.is_isolated(pick, destination)? {
                    self.force_circuit(pick, destination, false)?;
                }
            }
        }
        Ok(())
    }

    /// Messages that wait or run, and dead letters.
    fn depth(&mut self) -> Result<(u64, u64), Stop> {
        let Some(Object::Queues(queues)) = self.at_once(Request::Queues {})? else {
            return Err(Violation("the box tells nothing of its queues".to_owned()).into());
        };
        let dead = queues.iter().map(|queue| queue.dead_letters).sum();
        Ok((
            queues.iter().map(|queue| queue.depth).sum::<u64>() - dead,
            dead,
        ))
    }

    /// Everybody succeeds until nothing waits.
    fn work_off(&mut self) -> Result<(), Stop> {
        for _ in 0..ROUNDS {
            if !self.model.held.is_empty() {
                let now = self.clock.engine_now();
                match self
                    .model
                    .held
                    .iter()
                    .position(|held| held.handler || !held.is_over(now))
                {
                    Some(place) => self.end_handler(place)?,
                    None => {
                        self.model.see_all(now);
                        self.model.held.clear();
                    }
                }
                continue;
            }
            if self.depth()?.0 == 0 {
                return Ok(());
            }
            let Some((at, _)) = self.engine.poll_timeout() else {
                return Ok(());
            };
            self.clock.advance_to(at.0);
            self.run()?;
        }
        Err(Violation(format!(
            "liveness: {:?} messages never finish",
            self.depth()?
        ))
        .into())
    }
}
