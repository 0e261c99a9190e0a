//! A storage that answers when it is told to, and loses what it never called durable.
//!
//! What an append wrote is durable once it was answered, and so is a cut or a removal. Until then a crash
//! leaves any of it: nothing, everything, a part, or some of its sectors with zeros or noise between them.

#![expect(missing_docs, reason = "named as in the effects that they come from")]

use std::collections::BTreeMap;
use std::rc::Rc;

use ackbox_core::command::{ReadId, SegmentInfo};
use ackbox_core::config::Durability;
use fastrand::Rng;

/// How a segment begins.
const MAGIC: [u8; 8] = *b"\x89ACKBOX\n";

/// Bytes by segment.
pub type Disk = BTreeMap<u32, Vec<u8>>;

/// Something that the engine asked for.
#[derive(Clone, Debug)]
pub enum Job {
    /// Write behind a segment's end.
    Append { segment: u32, bytes: Rc<Vec<u8>> },
    /// Read back.
    Read {
        read: ReadId,
        segment: u32,
        offset: u64,
        length: u32,
    },
    /// Cut.
    Truncate { segment: u32, bytes: u64 },
    /// Remove.
    Remove { segment: u32 },
}

/// What becomes of an append that a crash interrupts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tear {
    /// It never reached the disk.
    Nothing,
    /// All of it did.
    Everything,
    /// Its first bytes did, so many thousandths of them.
    Prefix(u16),
    /// The file has the new length; each sector is written or not.
    Sectors { size: u16, noise: bool, seed: u64 },
}

/// What a crash left of what was under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// All of it, or there was nothing.
    Everything,
    /// None of it.
    Nothing,
    /// A part of an append.
    Part,
}

impl Left {
    /// What a crash left of two writes, which counts once: as what is worst to find.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Part, _) | (_, Self::Part) => Self::Part,
            (Self::Nothing, _) | (_, Self::Nothing) => Self::Nothing,
            (Self::Everything, Self::Everything) => Self::Everything,
        }
    }
}

/// What goes wrong next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An append fails, and may have written something.
    Append,
    /// An append finds no room and writes nothing.
    Full,
    /// A read fails.
    Read,
    /// A read of a box that is open gives one bit otherwise.
    Rot { place: u32, bit: u8 },
    /// A cut or a removal fails.
    Maintenance,
    /// Where appends are not flushed by themselves: what was written to a segment cannot be flushed before the
    /// next one begins.
    Flush,
}

/// The storage.
#[derive(Debug, Default)]
pub struct Storage {
    /// What survives whatever happens.
    pub disk: Disk,
    /// What was asked for and not answered.
    pub jobs: Vec<Job>,
    /// What goes wrong when it is next possible.
    pub armed: Vec<Fault>,
    /// How much a resolved append promises.
    pub durability: Durability,
    /// How far the journal was durable when the last append was sealed, as far as this run knows.
    pub stable_to: Option<(u32, usize)>,
    /// The longest append that finds room, once others do not.
    pub room: Option<u32>,
    /// Something survives whatever happens.
    was_durable: bool,
    /// An append was answered, and survives as far as that is flushed.
    was_written: bool,
}

impl Storage {
    /// One without anything in it.
    #[must_use]
    pub fn new(durability: Durability) -> Self {
        Self {
            durability,
            ..Self::default()
        }
    }

    /// What a new owner finds.
    #[must_use]
    pub fn segments(disk: &Disk) -> Vec<SegmentInfo> {
        let info = |(segment, bytes): (&u32, &Vec<u8>)| SegmentInfo {
            segment: *segment,
            bytes: bytes.len() as u64,
        };
        disk.iter().map(info).collect()
    }

    /// Bytes of a segment.
    #[must_use]
    pub fn read(disk: &Disk, segment: u32, offset: u64, length: u32) -> &[u8] {
        &disk[&segment][offset as usize..][..length as usize]
    }

    /// Carries a job out, for good.
    pub fn apply(disk: &mut Disk, job: &Job) {
        match job {
            Job::Append { segment, bytes } => disk.entry(*segment).or_default().extend(&**bytes),
            Job::Read { .. } => {}
            Job::Truncate { segment, bytes } => {
                let file = disk.get_mut(segment).expect("only what is there is cut");
                file.truncate(*bytes as usize);
            }
            Job::Remove { segment } => {
                disk.remove(segment).expect("only what is there is removed");
            }
        }
    }

    /// Carries a job out, for good.
    pub fn commit(&mut self, job: &Job) {
        if let Job::Append { segment, .. } = job {
            let begin = self.disk.get(segment).map_or(0, Vec::len);
            if self.durability == Durability::PowerLoss {
                self.stable_to = Some((*segment, begin));
                self.was_durable = true;
            } else if begin > 0 {
                // The segments before it were flushed when it began.
                self.stable_to = Some((*segment, 0));
            } else {
                self.was_durable |= !self.disk.is_empty();
                self.was_written = true;
            }
        }
        Self::apply(&mut self.disk, job);
    }

    /// Whether a job goes wrong: for lack of room as long as that lasts, otherwise once.
    pub fn takes_fault(&mut self, job: &Job, is_open: bool) -> Option<Fault> {
        if let (Job::Append { bytes, .. }, Some(room)) = (job, self.room)
            && bytes.len() > room as usize
        {
            return Some(Fault::Full);
        }
        let hits = |fault: &Fault| match job {
            Job::Append { segment, .. } => match fault {
                Fault::Append | Fault::Full => true,
                Fault::Flush => self.leaves_a_segment(*segment),
                _ => false,
            },
            Job::Read { .. } => match fault {
                Fault::Read => true,
                Fault::Rot { .. } => is_open,
                _ => false,
            },
            Job::Truncate { .. } | Job::Remove { .. } => *fault == Fault::Maintenance,
        };
        let at = self.armed.iter().position(hits)?;
        Some(self.armed.remove(at))
    }

    /// Whether somebody who writes to a segment has to flush another one first.
    fn leaves_a_segment(&self, segment: u32) -> bool {
        let is_weak = self.durability != Durability::PowerLoss;
        is_weak && !self.disk.is_empty() && !self.disk.contains_key(&segment)
    }

    /// A storage of the next owner, after a crash that left this.
    #[must_use]
    pub fn left_behind(&self, disk: Disk) -> Self {
        Self {
            disk,
            durability: self.durability,
            was_durable: self.was_durable,
            ..Self::default()
        }
    }

    /// A crash: what was not answered is carried out in part.
    pub fn crash(&mut self, tear: Tear) -> Left {
        self.stable_to = None;
        let mut left = Left::Everything;
        for job in std::mem::take(&mut self.jobs) {
            match &job {
                Job::Append { segment, bytes } => {
                    let is_torn = self.tear(*segment, bytes, tear);
                    left = match tear {
                        _ if is_torn => Left::Part,
                        Tear::Everything => Left::Everything,
                        _ => Left::Nothing,
                    };
                }
                _ if tear == Tear::Nothing => {}
                _ => Self::apply(&mut self.disk, &job),
            }
        }
        left
    }

    /// A journal whose very first bytes are noise passes for somebody else's file, and is refused. Nothing
    /// was ever told of it, so somebody may remove it.
    fn is_strange(&self) -> bool {
        !self.was_durable && is_strange(&self.disk)
    }

    /// Whether an append was ever confirmed.
    #[must_use]
    pub fn was_durable(&self) -> bool {
        self.was_durable
    }

    /// Shows a new owner what is there, all of it durable from now on. A strange file is removed first.
    pub fn show(&mut self) {
        if self.is_strange() {
            self.disk.clear();
        } else {
            self.was_durable |= self.was_written;
        }
    }

    /// The first append that was answered is gone after all.
    pub fn forget_first(&mut self) {
        self.was_written = false;
    }

    /// Leaves a part of an append behind; true if that is neither nothing nor all of it.
    pub fn tear(&mut self, segment: u32, bytes: &[u8], tear: Tear) -> bool {
        let written = match tear {
            Tear::Nothing => return false,
            Tear::Everything => bytes.to_vec(),
            Tear::Prefix(milli) => bytes[..bytes.len() * usize::from(milli) / 1000].to_vec(),
            Tear::Sectors { size, noise, seed } => {
                let begin = self.disk.get(&segment).map_or(0, Vec::len);
                sectors(begin, bytes, usize::from(size), noise, seed)
            }
        };
        let is_torn = !written.is_empty() && written != bytes;
        self.disk.entry(segment).or_default().extend(written);
        is_torn
    }
}

/// Whether the journal does not begin as one does, whole or torn. Noise in place of a later segment is what a
/// crash left of its first append: the segments before it were flushed, and nobody may remove them.
#[must_use]
pub fn is_strange(disk: &Disk) -> bool {
    let begins_well = |bytes: &Vec<u8>| {
        let magic = bytes.len().min(MAGIC.len());
        bytes[..magic] == MAGIC[..magic] || bytes.iter().take(128).all(|byte| *byte == 0)
    };
    !disk.values().next().is_none_or(begins_well)
}

/// The new length, with each sector of the file written or not.
fn sectors(begin: usize, bytes: &[u8], size: usize, noise: bool, seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut torn = bytes.to_vec();
    let mut at = 0;
    while at < torn.len() {
        let end = torn.len().min(at + size - (begin + at) % size);
        if rng.bool() {
            for byte in &mut torn[at..end] {
                *byte = if noise { rng.u8(..) } else { 0 };
            }
        }
        at = end;
    }
    torn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_beginning_of_a_journal_passes_for_somebody_elses_file() {
        let noise = vec![0xa5; 512];
        let sound = [&MAGIC[..], &noise].concat();
        assert!(is_strange(&Disk::from([(1, noise.clone())])));
        assert!(!is_strange(&Disk::from([(1, sound), (2, noise)])));
        assert!(!is_strange(&Disk::from([(1, vec![0; 512])])));
    }
}
