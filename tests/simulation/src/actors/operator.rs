//! Those who look after queues: they pause, withdraw, redrive, remove, and open and close workers.

use ackbox_core::command::{DeadFilter, QueueId, Request};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::Object;

use crate::model::{Asked, End, Sure};
use crate::op::Care;
use crate::world::{Stop, World};

impl World {
    pub(crate) fn care(&mut self, queue: usize, care: &Care) -> Result<(), Stop> {
        let at = queue % self.model.queues.len();
        let queue = QueueId(at as u32);
        let request = match care {
            Care::Pause(true) => Request::PauseQueue { queue },
            Care::Pause(false) => Request::ResumeQueue { queue },
            Care::Cancel { pick } => return self.cancel(at, *pick),
            Care::RetryNow { pick } => {
                let Some((index, id)) = self.pick_live(at, *pick) else {
                    return Ok(());
                };
                self.model.messages[index].not_before = 0;
                Request::RetryNow { queue, id }
            }
            Care::Forget { id } => return self.forget(at, format!("id-{id}")),
            Care::Purge => {
                self.sweep(at, |message| message.dead != Sure::Yes);
                return self.request(Request::Purge { queue }, Asked::Sweep { queue: at });
            }
            Care::Redrive { limit } => return self.redrive(at, *limit),
            Care::RemoveDead { limit } => {
                self.sweep(at, crate::model::Message::may_be_dead);
                let filter = DeadFilter {
                    limit: Some(*limit),
                    ..DeadFilter::default()
                };
                return self.request(
                    Request::RemoveDead { queue, filter },
                    Asked::Sweep { queue: at },
                );
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
                Request::CloseWorker { worker }
            }
            Care::PauseWorker { pick, paused } => {
                if self.workers.is_empty() {
                    return Ok(());
                }
                let worker = self.workers[*pick as usize % self.workers.len()];
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

    /// Messages that may wait there may be gone.
    fn sweep(&mut self, queue: usize, may_be: fn(&crate::model::Message) -> bool) {
        let now = self.clock.engine_now();
        for index in self.model.swept(queue, now, may_be) {
            let message = &mut self.model.messages[index];
            if message.end == End::No {
                message.end = End::Maybe;
            }
        }
    }

    fn pick_live(&self, queue: usize, pick: u32) -> Option<(usize, String)> {
        let live = self
            .model
            .messages
            .iter()
            .enumerate()
            .filter(|(_, message)| message.sent.queue == queue && message.end == End::No);
        let live: Vec<_> = live.collect();
        let (index, message) = live.get(pick as usize % live.len().max(1))?;
        Some((*index, message.id.clone()?))
    }

    fn cancel(&mut self, at: usize, pick: u32) -> Result<(), Stop> {
        let Some((message, id)) = self.pick_live(at, pick) else {
            return Ok(());
        };
        // An older one may have had that id.
        let message = self.model.live(at, &id).unwrap_or(message);
        // Its lease is gone at once, whenever that is told.
        for held in self
            .model
            .held
            .iter_mut()
            .filter(|held| held.message == message)
        {
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

    pub(crate) fn redrive(&mut self, at: usize, limit: Option<u32>) -> Result<(), Stop> {
        let now = self.clock.engine_now();
        for index in self
            .model
            .swept(at, now, crate::model::Message::may_be_dead)
        {
            self.model.messages[index].redrive();
        }
        let request = Request::Redrive {
            queue: QueueId(at as u32),
            filter: DeadFilter {
                limit,
                ..DeadFilter::default()
            },
            to: None,
            forget_steps: false,
            per_second_milli: None,
        };
        self.request(request, Asked::Redrive { queue: at })
    }

    pub(crate) fn open_worker(&mut self, at: usize, concurrency: u32) -> Result<(), Stop> {
        let queue = QueueId(at as u32);
        if let Some(Object::Worker(opened)) = self.at_once(Request::OpenWorker {
            queue,
            concurrency,
            policies: Box::default(),
            limits: HandlerLimits::default(),
        })? {
            self.workers.push(opened.worker);
        }
        Ok(())
    }
}
