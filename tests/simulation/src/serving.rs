//! How the storage of a world answers: in time or late, well or badly.

use ackbox_core::command::Completion;
use ackbox_core::effect::Effect;

use crate::must;
use crate::storage::{Fault, Job, Storage, Tear};
use crate::world::{Phase, Stop, World};

impl World {
    /// The engine asks something of the storage. Anything else is given back.
    pub(crate) fn take_effect(&mut self, effect: Effect) -> Result<Option<Effect>, Stop> {
        let job = match effect {
            Effect::Append { segment, bytes } => Job::Append { segment, bytes },
            Effect::Read {
                read,
                segment,
                offset,
                length,
            } => Job::Read {
                read,
                segment,
                offset,
                length,
            },
            Effect::Truncate { segment, bytes } => Job::Truncate { segment, bytes },
            Effect::Remove { segment } => Job::Remove { segment },
            other => return Ok(Some(other)),
        };
        let appends = |job: &Job| matches!(job, Job::Append { .. });
        let second = appends(&job) && self.storage.jobs.iter().any(appends);
        must!(!second, "two appends in flight");
        self.storage.jobs.push(job);
        Ok(None)
    }

    /// The storage answers one thing.
    pub(crate) fn serve(&mut self, pick: u32) -> Result<(), Stop> {
        if self.storage.jobs.is_empty() {
            return self.run();
        }
        self.answer(pick as usize % self.storage.jobs.len())?;
        self.run()
    }

    pub(crate) fn answer(&mut self, at: usize) -> Result<(), Stop> {
        self.burn()?;
        let job = self.storage.jobs.remove(at);
        let is_open = self.phase == Phase::Open;
        let fault = self.storage.takes_fault(&job, is_open);
        self.digest.note(format_args!("{fault:?}"));
        let now = self.now();
        match fault {
            Some(Fault::Rot { place, bit }) => self.answer_rotten(&job, (place, bit)),
            Some(fault) => {
                let completion = self.go_wrong(&job, fault);
                self.engine.handle_completion(now, completion);
            }
            None => {
                self.storage.commit(&job);
                self.note_written(&job);
                let completion = match &job {
                    Job::Append { .. } => Completion::Appended,
                    Job::Truncate { .. } => Completion::Truncated,
                    Job::Remove { segment } => Completion::Removed { segment: *segment },
                    Job::Read {
                        read,
                        segment,
                        offset,
                        length,
                    } => Completion::Chunk {
                        read: *read,
                        bytes: Storage::read(&self.storage.disk, *segment, *offset, *length),
                    },
                };
                self.engine.handle_completion(now, completion);
            }
        }
        Ok(())
    }

    /// A read of a box at work, with one bit that is another one.
    fn answer_rotten(&mut self, job: &Job, (place, bit): (u32, u8)) {
        let Job::Read {
            read,
            segment,
            offset,
            length,
        } = job
        else {
            unreachable!("only a read is rotten")
        };
        let mut bytes = Storage::read(&self.storage.disk, *segment, *offset, *length).to_vec();
        let at = place as usize % bytes.len().max(1);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
            self.figures.rotten_reads += 1;
            self.model.rot(self.sequence);
        }
        let now = self.now();
        let chunk = Completion::Chunk {
            read: *read,
            bytes: &bytes,
        };
        self.engine.handle_completion(now, chunk);
    }

    fn go_wrong(&mut self, job: &Job, fault: Fault) -> Completion<'static> {
        match job {
            Job::Append { .. } if fault == Fault::Full => {
                self.figures.full_disks += 1;
                self.model.was_full = true;
                Completion::AppendFailed { clean: true }
            }
            Job::Append { .. } if fault == Fault::Flush => {
                // What was written to the last segment is where it was, and nothing is written to the next one.
                self.figures.failed_flushes += 1;
                self.figures.failed_leaves += 1;
                Completion::AppendFailed { clean: false }
            }
            Job::Append { segment, bytes } => {
                self.figures.failed_flushes += 1;
                self.leave_head(*segment);
                let torn = self.storage.tear(*segment, bytes, self.tear);
                self.figures.torn_failures += u64::from(torn);
                Completion::AppendFailed { clean: false }
            }
            Job::Read { read, .. } => {
                self.figures.failed_reads += 1;
                Completion::ReadFailed { read: *read }
            }
            Job::Truncate { .. } | Job::Remove { .. } => {
                self.figures.failed_removals += 1;
                if self.tear != Tear::Nothing {
                    Storage::apply(&mut self.storage.disk, job);
                    self.note_written(job);
                }
                Completion::MaintenanceFailed
            }
        }
    }
}
