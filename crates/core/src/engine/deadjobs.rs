//! Work on many dead letters: listed, counted, removed, redriven, in slices, one job at a time.
//!
//! A redrive is one record that is carried out afterwards. Until that is done, nothing else may
//! touch the dead letters of its queue: the journal says already that they wait. A purge may have to wait for that,
//! or for those to become dead letters whose owner died.

use std::collections::VecDeque;

use super::Engine;
use super::deadpages::DeadPaging;
use super::editing::Editing;
use super::redriving::EachRedrive;
use crate::command::{DeadFilter, Ticket};
use crate::effect::{Answer, Object, Redriven};
use crate::error::{ErrorCode, Failure};
use crate::ledger::{DeadQuery, Redrive};

/// Jobs that may wait.
const JOBS_MAX: usize = 10_000;
/// Ids that one job may name: each is looked up when it begins.
const IDS_MAX: usize = 10_000;
/// Records that may wait for the storage before a job writes more of them.
const STAGED_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) enum Work {
    Edit(Editing),
    Page(DeadPaging),
    Count {
        query: DeadQuery,
        count: u64,
    },
    Remove {
        query: DeadQuery,
        count: u64,
    },
    /// Finds the last death that the limit of a redrive allows.
    Limit {
        query: DeadQuery,
        filter: DeadFilter,
        last_death: u64,
        forget_steps: bool,
    },
    Redrive(Redrive),
    RedriveEach(EachRedrive),
    Purge,
}

/// What became of a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    Done,
    /// Another turn brings it on.
    GoesOn,
    /// It waits for the storage, whose answer brings the next step.
    Waits,
}

#[derive(Debug)]
struct Job {
    ticket: Ticket,
    queue: u32,
    work: Work,
}

/// Jobs in order; only the first one is under way.
#[derive(Debug, Default)]
pub(super) struct DeadJobs {
    jobs: VecDeque<Job>,
    /// Bytes of edits that wait to be written.
    edit_bytes: usize,
}

impl DeadJobs {
    /// Whether dead letters of a queue are being redriven: nothing else may touch them.
    #[must_use]
    pub(super) fn is_redriving(&self, queue: u32) -> bool {
        self.is_redriving_any() && self.jobs[0].queue == queue
    }

    /// Whether one record has redriven more than was carried out yet.
    #[must_use]
    pub(super) fn is_redriving_any(&self) -> bool {
        let first = self.jobs.front();
        first.is_some_and(|job| matches!(job.work, Work::Redrive(_)))
    }

    /// Whether a purge is under way.
    #[must_use]
    pub(super) fn is_purging(&self) -> bool {
        let first = self.jobs.front();
        first.is_some_and(|job| matches!(job.work, Work::Purge))
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub(super) fn is_idle(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The edit that is under way, if it is its turn.
    pub(super) fn edit_under_way(&mut self) -> Option<&mut Editing> {
        match self.jobs.front_mut().map(|job| &mut job.work) {
            Some(Work::Edit(editing)) => Some(editing),
            _ => None,
        }
    }

    /// Bytes of edits that wait to be written.
    #[must_use]
    pub(super) fn edit_bytes(&self) -> usize {
        self.edit_bytes
    }

    /// The tickets of all jobs that will not be done.
    pub(super) fn abandon(&mut self) -> Vec<Ticket> {
        std::mem::take(self)
            .jobs
            .into_iter()
            .map(|job| job.ticket)
            .collect()
    }
}

impl Engine {
    pub(super) fn count_dead(
        &mut self,
        ticket: Ticket,
        queue: u32,
        filter: DeadFilter,
    ) -> Result<(), Failure> {
        check_filter(&filter)?;
        let query = DeadQuery::new(queue, filter);
        self.add_dead_job(ticket, queue, Work::Count { query, count: 0 })
    }

    pub(super) fn remove_dead(
        &mut self,
        ticket: Ticket,
        queue: u32,
        filter: DeadFilter,
    ) -> Result<(), Failure> {
        check_filter(&filter)?;
        let query = DeadQuery::new(queue, filter);
        self.add_dead_job(ticket, queue, Work::Remove { query, count: 0 })
    }

    /// Redrives by one record.
    pub(super) fn redrive_all(
        &mut self,
        ticket: Ticket,
        queue: u32,
        filter: DeadFilter,
        forget_steps: bool,
    ) -> Result<(), Failure> {
        let work = Work::Limit {
            query: DeadQuery::new(queue, filter.clone()),
            filter,
            last_death: 0,
            forget_steps,
        };
        self.add_dead_job(ticket, queue, work)
    }

    /// Purges a queue after the jobs that are waiting.
    pub(super) fn purge_later(&mut self, ticket: Ticket, queue: u32) -> Result<(), Failure> {
        self.add_dead_job(ticket, queue, Work::Purge)
    }

    pub(super) fn add_dead_job(
        &mut self,
        ticket: Ticket,
        queue: u32,
        work: Work,
    ) -> Result<(), Failure> {
        if self.dead_jobs.jobs.len() >= JOBS_MAX {
            let message = format!("{JOBS_MAX} jobs on dead letters wait, more must not");
            return Err(Failure::new(ErrorCode::QueueFull, message));
        }
        if let Work::Edit(editing) = &work {
            self.dead_jobs.edit_bytes += editing.bytes();
        }
        self.dead_jobs.jobs.push_back(Job {
            ticket,
            queue,
            work,
        });
        self.more = true;
        Ok(())
    }

    /// One slice of the first job, unless too many records wait for the storage: the end of an append
    /// brings the next step then.
    pub(super) fn work_on_dead_jobs(&mut self) {
        if self.is_choked() {
            return;
        }
        let Some(mut job) = self.dead_jobs.jobs.pop_front() else {
            return;
        };
        let turn = self.work_on(&mut job);
        if turn == Turn::Done {
            self.ledger.touch(job.queue);
            if let Work::Edit(editing) = &job.work {
                self.dead_jobs.edit_bytes -= editing.bytes();
            }
        } else {
            self.dead_jobs.jobs.push_front(job);
        }
        self.more |= turn != Turn::Waits && !self.dead_jobs.is_idle();
    }

    /// Whether so many records wait for the storage that no job writes more of them.
    pub(super) fn is_choked(&self) -> bool {
        self.commit.staged_bytes() >= STAGED_BYTES
    }

    /// One slice of a job.
    fn work_on(&mut self, job: &mut Job) -> Turn {
        let mut budget = super::SLICE;
        if matches!(job.work, Work::Limit { .. }) && !self.begin_redrive(job) {
            return Turn::GoesOn;
        }
        let answer = match &mut job.work {
            Work::Edit(editing) => return self.work_on_edit(job.ticket, job.queue, editing),
            Work::Page(paging) => {
                if !paging.gather(&self.ledger, budget) {
                    return Turn::GoesOn;
                }
                self.show_dead_page(job.ticket, job.queue, paging);
                return Turn::Done;
            }
            Work::Count { query, count } => {
                while query.next(&self.ledger, &mut budget).is_some() {
                    *count += 1;
                }
                query.is_done().then_some(Answer::Value(*count))
            }
            Work::Remove { query, count } => {
                while let Some(slot) = query.next(&self.ledger, &mut budget) {
                    self.ledger.remove_dead(slot, self.now, &mut self.commit);
                    *count += 1;
                }
                query.is_done().then_some(Answer::Value(*count))
            }
            Work::Limit { .. } => unreachable!("begun above"),
            Work::RedriveEach(work) => {
                let done = self.redrive_each(work, budget);
                done.then(|| work.redriven())
            }
            Work::Purge if self.dying.is_any_orphan_of(job.queue) => return Turn::Waits,
            Work::Purge => Some(Answer::Value(self.purge(job.queue))),
            Work::Redrive(redrive) => {
                let done = self.redrive_slice(redrive, budget);
                let redriven = Redriven {
                    moved: redrive.moved,
                    skipped: redrive.skipped(),
                };
                done.then(|| Answer::Object(Box::new(Object::Redriven(redriven))))
            }
        };
        match answer {
            Some(answer) => {
                self.reply(job.ticket, Ok(answer));
                Turn::Done
            }
            None => Turn::GoesOn,
        }
    }

    /// Looks for the end of a redrive; true once that is known and the redrive has begun.
    fn begin_redrive(&mut self, job: &mut Job) -> bool {
        let Work::Limit {
            query,
            filter,
            last_death,
            forget_steps,
        } = &mut job.work
        else {
            return true;
        };
        if filter.limit.is_none() {
            *last_death = query.begin(&self.ledger);
        } else {
            let mut budget = super::SLICE;
            while query.next(&self.ledger, &mut budget).is_some() {
                *last_death = query.after;
            }
            if !query.is_done() {
                return false;
            }
        }
        let filter = DeadFilter {
            limit: None,
            ..std::mem::take(filter)
        };
        let redrive = self.ledger.begin_redrive(
            job.queue,
            filter,
            *last_death,
            *forget_steps,
            &mut self.commit,
        );
        job.work = Work::Redrive(redrive);
        true
    }
}

/// A filter names a bounded number of ids.
pub(super) fn check_filter(filter: &DeadFilter) -> Result<(), Failure> {
    let named = filter.ids.as_ref().map_or(0, Vec::len);
    if named <= IDS_MAX {
        return Ok(());
    }
    let message = format!("ids: expected at most {IDS_MAX} of them, got {named}");
    Err(Failure::new(ErrorCode::InvalidOption, message))
}
