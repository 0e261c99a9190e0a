//! Work on many dead letters: counted, removed, redriven in slices, one job at a time.

use std::collections::VecDeque;

use super::Engine;
use crate::command::{DeadFilter, Ticket};
use crate::effect::{Answer, Object, Redriven};
use crate::ledger::{DeadQuery, Redrive};

#[derive(Debug)]
enum Work {
    Count {
        filter: DeadFilter,
    },
    Remove {
        filter: DeadFilter,
    },
    Redrive {
        filter: DeadFilter,
    },
    Purge,
    Counting {
        query: DeadQuery,
        count: u64,
    },
    Removing {
        query: DeadQuery,
        count: u64,
    },
    /// Finds the last death that the limit of a redrive allows.
    Limiting {
        query: DeadQuery,
        filter: DeadFilter,
        last_death: u64,
    },
    Redriving(Redrive),
}

#[derive(Debug)]
struct Job {
    ticket: Ticket,
    queue: u32,
    work: Work,
}

/// Jobs in order; only the first one is under way.
#[derive(Debug, Default)]
pub(super) struct DeadJobs(VecDeque<Job>);

impl DeadJobs {
    /// Whether dead letters of a queue are being redriven: nothing else may touch them.
    #[must_use]
    pub(super) fn is_redriving(&self, queue: u32) -> bool {
        let first = self.0.front();
        first.is_some_and(|job| job.queue == queue && matches!(job.work, Work::Redriving(_)))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_empty()
    }

    /// The tickets of all jobs that will not be done.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|job| job.ticket)
            .collect()
    }
}

impl Engine {
    pub(super) fn count_dead(&mut self, ticket: Ticket, queue: u32, filter: DeadFilter) {
        self.add_dead_job(ticket, queue, Work::Count { filter });
    }

    pub(super) fn remove_dead(&mut self, ticket: Ticket, queue: u32, filter: DeadFilter) {
        self.add_dead_job(ticket, queue, Work::Remove { filter });
    }

    pub(super) fn redrive_dead(&mut self, ticket: Ticket, queue: u32, filter: DeadFilter) {
        self.add_dead_job(ticket, queue, Work::Redrive { filter });
    }

    /// Purges a queue after the jobs that are waiting.
    pub(super) fn purge_later(&mut self, ticket: Ticket, queue: u32) {
        self.add_dead_job(ticket, queue, Work::Purge);
    }

    fn add_dead_job(&mut self, ticket: Ticket, queue: u32, work: Work) {
        self.dead_jobs.0.push_back(Job {
            ticket,
            queue,
            work,
        });
        self.more = true;
    }

    /// One slice of the first job.
    pub(super) fn work_on_dead_jobs(&mut self) {
        let Some(mut job) = self.dead_jobs.0.pop_front() else {
            return;
        };
        self.begin_dead_job(&mut job);
        let done = match &mut job.work {
            Work::Counting { query, count } => {
                let mut budget = super::SLICE;
                while query.next(&self.ledger, &mut budget).is_some() {
                    *count += 1;
                }
                query.is_done().then_some(Answer::Value(*count))
            }
            Work::Removing { query, count } => {
                let mut budget = super::SLICE;
                while let Some(slot) = query.next(&self.ledger, &mut budget) {
                    self.ledger.remove_dead(slot, self.now, &mut self.commit);
                    *count += 1;
                }
                query.is_done().then_some(Answer::Value(*count))
            }
            Work::Limiting {
                query,
                filter,
                last_death,
            } => {
                let mut budget = super::SLICE;
                while query.next(&self.ledger, &mut budget).is_some() {
                    *last_death = query.after;
                }
                if query.is_done() {
                    let filter = DeadFilter {
                        limit: None,
                        ..std::mem::take(filter)
                    };
                    let redrive =
                        self.ledger
                            .begin_redrive(job.queue, filter, *last_death, &mut self.commit);
                    job.work = Work::Redriving(redrive);
                }
                None
            }
            Work::Purge => Some(Answer::Value(self.purge(job.queue))),
            Work::Redriving(redrive) => {
                let done = self.ledger.redrive_some(redrive, self.now, super::SLICE);
                let moved = redrive.moved;
                let redriven = Redriven {
                    moved,
                    skipped: redrive.skipped(),
                };
                done.then_some(Answer::Object(Box::new(Object::Redriven(redriven))))
            }
            Work::Count { .. } | Work::Remove { .. } | Work::Redrive { .. } => {
                unreachable!("begun above")
            }
        };
        match done {
            Some(answer) => {
                self.reply(job.ticket, Ok(answer));
                self.ledger.touch(job.queue);
            }
            None => self.dead_jobs.0.push_front(job),
        }
        self.more |= !self.dead_jobs.is_idle();
    }

    fn begin_dead_job(&mut self, job: &mut Job) {
        let queue = job.queue;
        let begun = match &mut job.work {
            Work::Count { filter } => {
                let query = DeadQuery::new(&self.ledger, queue, std::mem::take(filter), 0);
                Work::Counting { query, count: 0 }
            }
            Work::Remove { filter } => {
                let query = DeadQuery::new(&self.ledger, queue, std::mem::take(filter), 0);
                Work::Removing { query, count: 0 }
            }
            Work::Redrive { filter } => {
                let filter = std::mem::take(filter);
                if filter.limit.is_some() {
                    let query = DeadQuery::new(&self.ledger, queue, filter.clone(), 0);
                    Work::Limiting {
                        query,
                        filter,
                        last_death: 0,
                    }
                } else {
                    let last_death = self.ledger.last_death;
                    Work::Redriving(self.ledger.begin_redrive(
                        queue,
                        filter,
                        last_death,
                        &mut self.commit,
                    ))
                }
            }
            _ => return,
        };
        job.work = begun;
    }
}
