//! Power cuts where the storage promises less: what it was given survives the process, but the power only
//! as far as it was flushed.
//!
//! Such a storage flushes a segment before it begins the next one, before it removes or cuts one, and
//! before it shows them to a new owner. Everything behind that is torn as one append would be. What is left
//! is what a crash at an earlier instant would have left, just before the first append that is gone: so the
//! model as it was then is what the next owner is held against, and nothing is allowed beyond that.

use ackbox_core::config::Durability;

use crate::model::Model;
use crate::storage::{Job, Left, Storage, Tear};
use crate::world::World;

/// An append that was answered and not flushed.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    segment: u32,
    /// Where it begins and ends there.
    begin: usize,
    end: usize,
    /// What was known when it was written.
    model: Box<Model>,
}

impl Tear {
    /// Whether only a cut of the power leaves this behind, and no end of a process.
    fn cuts_power(self) -> bool {
        matches!(self, Self::Prefix(_) | Self::Sectors { .. })
    }

    /// Whether a job beside the appends is done that was under way.
    fn finishes_others(self) -> bool {
        match self {
            Self::Prefix(milli) => milli % 2 == 0,
            Self::Sectors { seed, .. } => seed % 2 == 0,
            Self::Nothing | Self::Everything => false,
        }
    }
}

impl World {
    fn is_weak(&self) -> bool {
        self.plan.config.durability != Durability::PowerLoss
    }

    /// A job was carried out: it flushes what was written before it, or waits to be flushed.
    pub(crate) fn note_written(&mut self, job: &Job) {
        match job {
            Job::Append { segment, bytes } if self.is_weak() => {
                let end = self.storage.disk[segment].len();
                self.leave_head(*segment);
                self.unflushed.push(Written {
                    segment: *segment,
                    begin: end - bytes.len(),
                    end,
                    model: Box::new(self.model.clone()),
                });
            }
            Job::Append { .. } | Job::Read { .. } => {}
            Job::Truncate { .. } | Job::Remove { .. } => self.unflushed.clear(),
        }
    }

    /// Something is about to be written to a segment: any other one is flushed.
    pub(crate) fn leave_head(&mut self, segment: u32) {
        self.unflushed.retain(|written| written.segment == segment);
    }

    /// Cuts the power, if that is what a crash is and anything was not flushed. What is in flight is a part
    /// of what is torn then, or is left alone. Gives what is left of what was not flushed.
    pub(crate) fn lose_unflushed(&mut self, tear: Tear) -> Left {
        let unflushed = std::mem::take(&mut self.unflushed);
        let (Some(first), true) = (unflushed.first(), tear.cuts_power()) else {
            return Left::Everything;
        };
        let segment = first.segment;
        let is_elsewhere = |job: &Job| match job {
            Job::Append { segment: other, .. } => *other != segment,
            Job::Truncate { .. } | Job::Remove { .. } => true,
            Job::Read { .. } => false,
        };
        if tear.finishes_others() && self.storage.jobs.iter().any(is_elsewhere) {
            // It flushed the segment first.
            return Left::Everything;
        }
        let jobs = std::mem::take(&mut self.storage.jobs);
        for job in jobs.iter().filter(|job| !is_elsewhere(job)) {
            Storage::apply(&mut self.storage.disk, job);
        }
        let file = self.storage.disk.get_mut(&segment);
        let written = file.expect("it was appended to").split_off(first.begin);
        let torn = self.storage.tear(segment, &written, tear);
        let left = &self.storage.disk[&segment][first.begin..];
        let same = left.iter().zip(&written);
        let intact = first.begin + same.take_while(|(left, written)| left == written).count();
        let kept = match torn {
            true => Left::Part,
            false if left == written => Left::Everything,
            false => Left::Nothing,
        };
        if first.begin == 0 && intact < first.end {
            self.storage.forget_first();
        }
        let mut unflushed = unflushed.into_iter();
        if let Some(gone) = unflushed.find(|written| written.end > intact) {
            self.figures.taken_back += 1;
            self.go_back(*gone.model);
        }
        kept
    }

    /// Everything since is as if it had never been, but for what the outside saw.
    fn go_back(&mut self, mut model: Model) {
        model.service = std::mem::take(&mut self.model.service);
        self.model = model;
    }
}
