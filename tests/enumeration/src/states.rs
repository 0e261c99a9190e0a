//! What a crash may leave of writes that nobody has confirmed: any subset of their sectors, with zeros or
//! noise between them, in a file of any length on the way; any subset of cuts and removals beside them.

use std::fmt;

use ackbox_simulation::storage::{Disk, Job, Storage};
use fastrand::Rng;

/// The sizes of what a disk writes as a whole.
const SECTORS: [usize; 2] = [512, 4096];
/// Of so many sectors, every subset is tried. Of more, those that lack or have at most two.
const SUBSETS_MAX: usize = 12;

/// Writes that may be lost, behind bytes that may not.
#[derive(Clone, Debug)]
pub struct Volatile {
    /// Without any of them.
    pub base: Disk,
    /// What was appended, as one run of bytes.
    pub append: Option<Append>,
    /// Cuts and removals.
    pub others: Vec<Job>,
}

/// Bytes behind the end of a segment.
#[derive(Clone, Debug)]
pub struct Append {
    /// Of which segment.
    pub segment: u32,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// What became of the sectors that were not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fill {
    /// The file system shows zeros.
    Zeros,
    /// It shows what was there before, of whatever file.
    Noise,
}

/// One thing that may be left, in words.
#[derive(Clone, Debug)]
pub struct Left {
    /// So many bytes of the append are in the file; none: it is as it was.
    pub length: Option<usize>,
    /// A disk writes so many bytes at once.
    pub sector: usize,
    /// Which sectors of the append were written, from the first on.
    pub written: u64,
    /// What is in the others.
    pub fill: Fill,
    /// Which of the cuts and removals were done.
    pub done: u32,
    /// The append is there in part: cut short, or without some of its sectors.
    pub is_torn: bool,
}

impl fmt::Display for Left {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            length,
            sector,
            written,
            fill,
            done,
            is_torn: _,
        } = self;
        match length {
            None => formatter.write_str("nothing of the append")?,
            Some(length) => write!(
                formatter,
                "{length} bytes of the append, sectors of {sector} bytes {written:#b} and {fill:?}"
            )?,
        }
        write!(formatter, ", cuts and removals {done:#b}")
    }
}

impl Volatile {
    /// What was asked of a storage whose appends are durable once they are answered.
    #[must_use]
    pub fn unanswered(storage: &Storage) -> Self {
        let append = storage.jobs.iter().find_map(|job| match job {
            Job::Append { segment, bytes } => Some(Append {
                segment: *segment,
                bytes: bytes.to_vec(),
            }),
            _ => None,
        });
        Self {
            base: storage.disk.clone(),
            append,
            others: maintenance(storage),
        }
    }

    /// Calls `each` with everything that may be left, some of it more than once.
    pub fn each(&self, bytewise_max: usize, each: &mut impl FnMut(&Left, Disk)) {
        for done in 0..1_u32 << self.others.len() {
            let mut base = self.base.clone();
            for (index, job) in self.others.iter().enumerate() {
                if done & 1 << index != 0 {
                    Storage::apply(&mut base, job);
                }
            }
            let left = Left {
                length: None,
                sector: 1,
                written: 0,
                fill: Fill::Zeros,
                done,
                is_torn: false,
            };
            each(&left, base.clone());
            if let Some(append) = &self.append {
                append.each_length(&base, bytewise_max, &left, each);
                for sector in SECTORS {
                    append.each_subset(&base, sector, &left, each);
                }
            }
        }
    }
}

/// Cuts and removals that nobody has confirmed.
fn maintenance(storage: &Storage) -> Vec<Job> {
    let jobs = storage.jobs.iter();
    let jobs = jobs.filter(|job| matches!(job, Job::Truncate { .. } | Job::Remove { .. }));
    jobs.cloned().collect()
}

impl Append {
    /// All bytes up to some place were written: as many places as may be tried, from both ends.
    fn each_length(
        &self,
        base: &Disk,
        bytewise_max: usize,
        none: &Left,
        each: &mut impl FnMut(&Left, Disk),
    ) {
        let whole = self.bytes.len();
        let lengths = 0..=whole;
        for length in lengths.filter(|length| {
            *length <= bytewise_max / 2 || whole - *length < bytewise_max.div_ceil(2).max(1)
        }) {
            let left = Left {
                length: Some(length),
                is_torn: length > 0 && length < whole,
                ..none.clone()
            };
            each(&left, self.left_in(base, self.bytes[..length].to_vec()));
        }
    }

    fn each_subset(
        &self,
        base: &Disk,
        sector: usize,
        none: &Left,
        each: &mut impl FnMut(&Left, Disk),
    ) {
        let begin = base.get(&self.segment).map_or(0, Vec::len);
        let ends = ends_of_sectors(begin, self.bytes.len(), sector);
        let all = (1_u64 << ends.len()) - 1;
        for count in 1..=ends.len() {
            for written in subsets(count) {
                for fill in [Fill::Zeros, Fill::Noise] {
                    let left = Left {
                        length: Some(ends[count - 1]),
                        sector,
                        written,
                        fill,
                        done: none.done,
                        is_torn: written != all,
                    };
                    let bytes = self.torn(&ends[..count], written, fill);
                    each(&left, self.left_in(base, bytes));
                }
            }
        }
    }

    /// The append up to the last of these ends, with the sectors that were written.
    fn torn(&self, ends: &[usize], written: u64, fill: Fill) -> Vec<u8> {
        let mut bytes = self.bytes[..ends[ends.len() - 1]].to_vec();
        let mut rng = Rng::with_seed(written ^ bytes.len() as u64);
        let mut begin = 0;
        for (index, end) in ends.iter().enumerate() {
            if written & 1 << index == 0 {
                for byte in &mut bytes[begin..*end] {
                    *byte = if fill == Fill::Noise { rng.u8(..) } else { 0 };
                }
            }
            begin = *end;
        }
        bytes
    }

    fn left_in(&self, base: &Disk, bytes: Vec<u8>) -> Disk {
        let mut disk = base.clone();
        disk.entry(self.segment).or_default().extend(bytes);
        disk
    }
}

/// Where the sectors end that an append at `begin` writes to, counted from its first byte.
fn ends_of_sectors(begin: usize, length: usize, sector: usize) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while at < length {
        at = length.min(at + sector - (begin + at) % sector);
        ends.push(at);
    }
    ends
}

/// Subsets of so many things, as bits.
fn subsets(count: usize) -> Vec<u64> {
    assert!(count < 64, "an append of {count} sectors is not short");
    if count <= SUBSETS_MAX {
        return (0..1 << count).collect();
    }
    let all = (1_u64 << count) - 1;
    let mut subsets = vec![0, all];
    for first in 0..count {
        for second in first..count {
            let few = 1 << first | 1 << second;
            subsets.extend([few, all & !few]);
        }
    }
    subsets.sort_unstable();
    subsets.dedup();
    subsets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_are_those_of_the_file() {
        assert_eq!(ends_of_sectors(500, 1000, 512), [12, 524, 1000]);
        assert_eq!(ends_of_sectors(512, 512, 512), [512]);
        assert_eq!(ends_of_sectors(0, 0, 512), [0; 0]);
    }

    #[test]
    fn every_subset_of_few_and_the_extreme_ones_of_many() {
        assert_eq!(subsets(3), [0, 1, 2, 3, 4, 5, 6, 7]);
        let many = subsets(20);
        assert_eq!(many.len(), 2 + 2 * (20 + 20 * 19 / 2));
        assert!(many.iter().all(|bits| *bits < 1 << 20));
    }

    #[test]
    fn an_append_of_two_sectors_leaves_all_of_these() {
        let append = Append {
            segment: 1,
            bytes: vec![7; 600],
        };
        let volatile = Volatile {
            base: Disk::new(),
            append: Some(append),
            others: Vec::new(),
        };
        let mut seen = std::collections::BTreeSet::new();
        let mut torn = 0;
        volatile.each(0, &mut |left, disk| {
            if seen.insert(disk) && left.is_torn {
                torn += 1;
            }
        });
        // No file; an empty one; one sector, written or not, with two fills; two sectors: all of them
        // written, or three other subsets with two fills.
        assert_eq!(seen.len(), 1 + 1 + 3 + 7);
        // All but no file, an empty one, and all of it.
        assert_eq!(torn, seen.len() - 3);
    }
}
