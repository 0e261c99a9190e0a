//! Those who look after queues: they pause, withdraw, redrive, remove, and open and close workers.

use ackbox_core::command::{Command, DeadFilter, EditDead, QueueId, Request};
use ackbox_core::effect::Object;
use ackbox_core::policy::breaker::State;

use crate::circuits::breaker_of;
use crate::model::meeting::{How, Swept};
use crate::model::{Asked, Body, End, Message};
use crate::op::Care;
use crate::passing::Passage;
use crate::world::{Stop, Working, World};

impl World {
    pub(crate) fn care(&mut self, queue: usize, care: &Care) -> Result<(), Stop> {
        let at = queue % self.model.queues.len();
        let queue = QueueId(at as u32);
        let request = match care {
            Care::Pause(true) => Request::PauseQueue { queue },
            Care::Pause(false) => Request::ResumeQueue { queue },
            Care::Cancel { pick } => return self.cancel(at, *pick),
            Care::RetryNow { pick } => {
                let Some((_, id)) = self.pick_live(at, *pick) else {
                    return Ok(());
                };
                self.model.hurry(at, &id);
                Request::RetryNow { queue, id }
            }
            Care::Forget { id } => return self.forget(at, format!("id-{id}")),
            Care::Purge => {
                return self.sweep(Request::Purge { queue }, at, Swept::Waiting);
            }
            Care::Redrive {
                limit,
                per_second_milli,
                to,
                forget_steps,
            } => {
                let to = to.map(|to| to % self.model.queues.len());
                let how = How {
                    to: to.filter(|to| *to != at),
                    forget_steps: *forget_steps,
                };
                let filter = DeadFilter {
                    limit: *limit,
                    ..DeadFilter::default()
                };
                return self.redrive(at, filter, how, *per_second_milli);
            }
            Care::Edit { pick, bytes } => return self.edit(at, *pick, *bytes),
            Care::RemoveDead { limit } => {
                let filter = DeadFilter {
                    limit: Some(*limit),
                    ..DeadFilter::default()
                };
                return self.remove_dead(at, filter);
            }
            Care::Peek => Request::Peek {
                queue,
                state: None,
                limit: 100,
            },
            Care::OpenWorker { concurrency } => return self.open_worker(at, *concurrency),
            Care::CloseWorker { pick } => {
                if self.workers.is_empty() {
                    return Ok(());
                }
                let worker = self.workers.remove(*pick as usize % self.workers.len());
                self.blur_circuits(worker.queue);
                let worker = worker.id;
                let request = Request::CloseWorker { worker };
                return self.request(request, Asked::Leave { worker });
            }
            Care::DrainWorker { pick } => {
                if self.workers.is_empty() {
                    return Ok(());
                }
                let working = self.workers.remove(*pick as usize % self.workers.len());
                self.blur_circuits(working.queue);
                let worker = working.id;
                let asked = Asked::Drain {
                    queue: working.queue,
                };
                return self.request(Request::DrainWorker { worker }, asked);
            }
            Care::Circuit {
                pick,
                destination,
                isolate,
            } => return self.force_circuit(*pick, *destination, *isolate),
            Care::CoolDown { pick, ms } => return self.answer_cooldown(*pick, *ms),
            Care::PauseWorker { pick, paused } => {
                if self.workers.is_empty() {
                    return Ok(());
                }
                let worker = self.workers[*pick as usize % self.workers.len()].id;
                let request = if *paused {
                    Request::PauseWorker { worker }
                } else {
                    Request::ResumeWorker { worker }
                };
                return self.at_once(request).map(drop);
            }
        };
        self.request(request, Asked::Other)
    }

    pub(crate) fn remove_dead(&mut self, at: usize, filter: DeadFilter) -> Result<(), Stop> {
        let queue = QueueId(at as u32);
        self.sweep(Request::RemoveDead { queue, filter }, at, Swept::Dead)
    }

    /// Messages that may be there may be gone.
    fn sweep(&mut self, request: Request, queue: usize, what: Swept) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        self.model.sweep(queue, what, now);
        self.request(request, Asked::Sweep { queue, what })
    }

    fn pick_live(&self, queue: usize, pick: u32) -> Option<(usize, String)> {
        let live = self
            .model
            .messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.may_be_in(queue) && message.end == End::No);
        let live: Vec<_> = live.collect();
        let (index, message) = live.get(pick as usize % live.len().max(1))?;
        Some((*index, message.id.clone()?))
    }

    fn cancel(&mut self, at: usize, pick: u32) -> Result<(), Stop> {
        let Some((message, id)) = self.pick_live(at, pick) else {
            return Ok(());
        };
        if self.model.is_ambiguous(at, &id) {
            return Ok(());
        }
        // Its lease is gone at once, whenever that is told.
        let is_final = self.model.at_most_once(at);
        let held = self.model.held.iter_mut();
        let held = held.filter(|held| held.message == message);
        // At most once, nothing is withdrawn that somebody was given.
        for held in held.filter(|held| held.seen || !is_final) {
            held.lost = true;
        }
        let request = Request::Cancel {
            queue: QueueId(at as u32),
            id,
        };
        self.request(request, Asked::Cancel { message })
    }

    /// Only ids of messages that are over: two messages under one id could not be told apart.
    fn forget(&mut self, at: usize, id: String) -> Result<(), Stop> {
        let known = self.model.entries.remove(&(at, id.clone()));
        let now = self.clock.engine_now();
        let free = !self.model.may_be_known(at, &id, now);
        if let Some(mut entry) = known {
            entry.sure &= !free;
            self.model.entries.insert((at, id.clone()), entry);
        }
        if !free {
            return Ok(());
        }
        let request = Request::Forget {
            queue: QueueId(at as u32),
            id: id.clone(),
        };
        self.request(request, Asked::Forget { queue: at, id })
    }

    pub(crate) fn redrive(
        &mut self,
        at: usize,
        filter: DeadFilter,
        how: How,
        per_second_milli: Option<u64>,
    ) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        self.model.redrive(at, how, now);
        let request = Request::Redrive {
            queue: QueueId(at as u32),
            filter,
            to: how.to.map(|to| format!("queue-{to}")),
            forget_steps: how.forget_steps,
            per_second_milli,
        };
        let asked = Asked::Redrive {
            queue: at,
            how,
            is_paced: per_second_milli.is_some(),
        };
        self.request(request, asked)
    }

    /// Gives a dead letter another body, of which nobody can say whose it is.
    fn edit(&mut self, at: usize, pick: u32, bytes: u16) -> Result<(), Stop> {
        let may_be_it = |message: &Message| {
            message.may_be_in(at) && message.end == End::No && message.may_be_dead()
        };
        let messages = self.model.messages.iter().enumerate();
        let found: Vec<usize> = messages
            .filter(|(_, message)| may_be_it(message))
            .map(|(index, _)| index)
            .collect();
        let Some(message) = found.get(pick as usize % found.len().max(1)).copied() else {
            return Ok(());
        };
        let Some(id) = self.model.messages[message].id.clone() else {
            return Ok(());
        };
        if self.model.is_ambiguous(at, &id) {
            return Ok(());
        }
        let sequence = self.next_sequence();
        let body = format!("edited {sequence} ").repeat(1 + usize::from(bytes) / 10);
        let bodies = &mut self.model.messages[message].bodies;
        bodies.push((sequence, Body(body.clone().into_bytes())));
        self.model.asked.insert(sequence, Asked::Edit { message });
        let edit = EditDead {
            queue: QueueId(at as u32),
            id: &id,
            headers: None,
            body: Some(body.as_bytes()),
        };
        self.command(sequence, Command::EditDead(edit))
    }

    pub(crate) fn force_circuit(
        &mut self,
        pick: u32,
        destination: u8,
        isolate: bool,
    ) -> Result<(), Stop> {
        let Some((worker, name)) = self.guarded(pick, destination) else {
            return Ok(());
        };
        let request = Request::ForceCircuit {
            worker: worker.id,
            destination: name.clone(),
            isolate,
        };
        let is_done = self.answer_to(request)?.is_some();
        if is_done {
            self.forget_results(worker.queue, &name)?;
        }
        if is_done && !isolate {
            // It gets no more of the time that it asked for.
            self.model.holds.remove(&(worker.queue, name));
        }
        self.run()
    }

    /// One of the workers that have a circuit of a destination, and its name.
    fn guarded(&self, pick: u32, destination: u8) -> Option<(Working, String)> {
        let policies = &self.plan.policies;
        let name = match destination {
            0 => String::new(),
            number => format!("place-{}", number - 1),
        };
        let guarded = |worker: &&Working| breaker_of(&policies[worker.queue], &name).is_some();
        let workers: Vec<Working> = self.workers.iter().filter(guarded).copied().collect();
        let worker = workers.get(pick as usize % workers.len().max(1))?;
        Some((*worker, name))
    }

    /// Whether somebody has isolated the circuit of a destination.
    pub(crate) fn is_isolated(&mut self, pick: u32, destination: u8) -> Result<bool, Stop> {
        let Some((worker, name)) = self.guarded(pick, destination) else {
            return Ok(false);
        };
        let circuit = self.circuit_of(&Passage::of(worker.id.0, name))?;
        Ok(circuit.is_some_and(|circuit| circuit.state == State::Isolated))
    }

    /// Somebody is told how long the circuit stays open of which it asked that, perhaps too late.
    fn answer_cooldown(&mut self, pick: u32, ms: u64) -> Result<(), Stop> {
        if self.cooldowns.is_empty() {
            return Ok(());
        }
        let at = pick as usize % self.cooldowns.len();
        let (worker, destination) = self.cooldowns.remove(at);
        if self.workers.iter().all(|working| working.id != worker) {
            return Ok(());
        }
        self.figures.cooldowns += 1;
        let request = Request::CoolDown {
            worker,
            destination,
            ms,
        };
        self.at_once(request).map(drop)
    }

    pub(crate) fn open_worker(&mut self, at: usize, concurrency: u32) -> Result<(), Stop> {
        let queue = QueueId(at as u32);
        if let Some(Object::Worker(opened)) = self.at_once(Request::OpenWorker {
            queue,
            concurrency,
            policies: Box::new(self.plan.policies[at].clone()),
            limits: self.plan.limits[at],
        })? {
            self.workers.push(Working {
                id: opened.worker,
                queue: at,
                concurrency,
            });
        }
        Ok(())
    }
}
