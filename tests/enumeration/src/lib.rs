//! Crash-state enumeration at the storage: short scripts on the real engine, and at each of their moments
//! everything that a crash may leave of what the storage has not confirmed (after ALICE: Pillai et al.,
//! *All File Systems Are Not Created Equal*, OSDI 2014).
//!
//! Each state is opened, looked at, opened again, used, and brought to its end:
//!
//! - it can be opened, and what is there is a prefix of what was written;
//! - everything that was told is there, nothing that was never accepted is, what was given away at most
//!   once does not come back;
//! - a second recovery finds what the first one found, and changes nothing;
//! - the box takes messages, and everything in it finishes.

#![forbid(unsafe_code)]

pub mod drawn;
pub mod judge;
pub mod scripts;
pub mod states;

use std::collections::BTreeSet;
use std::hash::Hasher;

use ackbox_core::config::Durability;
use ackbox_simulation::invariants::Violation;
use ackbox_simulation::op::Op;
use ackbox_simulation::storage::{Disk, Job};
use ackbox_simulation::world::{Stop, World};
use siphasher::sip128::{Hasher128, SipHasher13};

use judge::{Judge, Promise, Verdict, prefixes};
use scripts::{Act, Script};
use states::{Append, Left, Volatile};

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effort {
    /// Lengths of a file that are tried byte by byte, for each append.
    pub lengths: usize,
}

/// What was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sum {
    /// Moments at which the script crashed.
    pub moments: u64,
    /// States, each counted once in each moment.
    pub states: u64,
    /// Those of a power cut in the weaker mode, among them.
    pub weak: u64,
    /// Those in which an append is there in part, among the others.
    pub torn: u64,
    /// Those of nothing but noise, among them.
    pub refused: u64,
    /// Different journals that recovery left.
    pub outcomes: u64,
}

impl Sum {
    /// States of what is promised to all that is reported, in which each write is there or is not.
    #[must_use]
    pub fn whole(&self) -> u64 {
        self.states - self.weak - self.torn
    }

    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.moments += other.moments;
        self.states += other.states;
        self.weak += other.weak;
        self.torn += other.torn;
        self.refused += other.refused;
        self.outcomes += other.outcomes;
    }
}

/// A script under way.
struct Run<'a> {
    script: &'a Script,
    effort: Effort,
    world: World,
    weak: Weak,
    /// What recovery may leave of the last moment at which the box was open and its storage sound.
    legal: BTreeSet<Disk>,
    sum: Sum,
    /// What happened so far, for a person.
    path: Vec<String>,
}

/// What a storage that flushes each segment when the next one begins has not flushed.
#[derive(Debug, Default)]
struct Weak {
    segment: u32,
    /// Bytes of that segment that are on the disk.
    flushed: usize,
    /// Where its frames end.
    ends: Vec<usize>,
}

/// Crashes a script at each of its moments, in every way.
pub fn enumerate(script: &Script, effort: Effort) -> Result<Sum, Violation> {
    let world = match World::new(script.plan.clone()) {
        Ok(world) => world,
        Err(Stop::Broken(violation)) => return Err(violation),
        Err(Stop::Crash(_)) => unreachable!("no crash was asked for"),
    };
    let mut run = Run {
        script,
        effort,
        world,
        weak: Weak::default(),
        legal: BTreeSet::from([Disk::new()]),
        sum: Sum::default(),
        path: Vec::new(),
    };
    let outcome = run.perform();
    outcome.map_err(|violation| {
        Violation(format!(
            "{violation}\n    after {}",
            run.path.join("\n          ")
        ))
    })?;
    Ok(run.sum)
}

impl Run<'_> {
    fn perform(&mut self) -> Result<(), Violation> {
        self.crash_everywhere()?;
        for act in &self.script.acts {
            let (op, is_answered) = match act {
                Act::Do(op) => (op, true),
                Act::Leave(op) => (op, false),
            };
            self.step(op)?;
            while is_answered && !self.world.storage().jobs.is_empty() {
                self.step(&Op::Serve { pick: 0 })?;
            }
        }
        Ok(())
    }

    fn step(&mut self, op: &Op) -> Result<(), Violation> {
        self.path.push(format!("{op:?}"));
        let before = self.world.storage().disk.clone();
        self.world.step(op)?;
        let after = &self.world.storage().disk;
        match op {
            // Whoever opens a box flushes what a dead owner wrote last.
            Op::Crash { .. } | Op::Close => self.weak = Weak::flushed(after),
            _ => self.weak.note(&before, after),
        }
        if matches!(op, Op::Close) {
            self.legal = BTreeSet::from([after.clone()]);
        }
        self.crash_everywhere()
    }

    /// The process dies at this moment, or the power is cut.
    fn crash_everywhere(&mut self) -> Result<(), Violation> {
        self.sum.moments += 1;
        self.crash_where_appends_are_durable()?;
        if self.script.plan.config.durability == Durability::ProcessCrash {
            self.cut_power_in_the_weaker_mode()?;
        }
        Ok(())
    }

    fn crash_where_appends_are_durable(&mut self) -> Result<(), Violation> {
        let volatile = Volatile::unanswered(self.world.storage());
        let whole = volatile
            .append
            .as_ref()
            .map_or(0, |append| append.bytes.len());
        // Whoever opens a box or sees an append fail finds what the last owner may have left.
        if self.world.is_open() {
            self.legal = legal(&volatile, &[whole]);
        }
        let legal = self.legal.clone();
        // What a failed append left of the very first bytes may be noise as well.
        let may_be_strange = !self.world.storage().was_durable();
        let judge = Judge::new(Promise::Told(&self.world), legal, may_be_strange);
        let sum = judge_all(judge, &volatile, self.effort)?;
        self.sum.add(&sum);
        Ok(())
    }

    fn cut_power_in_the_weaker_mode(&mut self) -> Result<(), Violation> {
        let storage = self.world.storage();
        let mut base = storage.disk.clone();
        let mut bytes = Vec::new();
        let mut ends = self.weak.ends.clone();
        if let Some(last) = base.get_mut(&self.weak.segment) {
            bytes = last.split_off(self.weak.flushed.min(last.len()));
        }
        let mut segment = self.weak.segment;
        for job in &storage.jobs {
            match job {
                Job::Append {
                    segment: to,
                    bytes: more,
                } if *to == segment => {
                    bytes.extend(&**more);
                    ends.push(self.weak.flushed + bytes.len());
                }
                // The one before is flushed before this one is begun.
                Job::Append {
                    segment: to,
                    bytes: more,
                } => {
                    base = storage.disk.clone();
                    bytes = more.to_vec();
                    (segment, ends) = (*to, vec![bytes.len()]);
                }
                // And so it is before something is removed or cut.
                Job::Remove { .. } | Job::Truncate { .. } => return Ok(()),
                Job::Read { .. } => {}
            }
        }
        let begin = base.get(&segment).map_or(0, Vec::len);
        let ends: Vec<usize> = ends
            .into_iter()
            .filter(|end| *end > begin)
            .map(|end| end - begin)
            .collect();
        let append = Some(Append { segment, bytes });
        let volatile = Volatile {
            base,
            append,
            others: Vec::new(),
        };
        let legal = legal(&volatile, &ends);
        let promise = Promise::Prefix(&self.script.plan, self.world.next_owners_time());
        let is_first = volatile.base.values().all(Vec::is_empty);
        let judge = Judge::new(promise, legal, is_first);
        let mut sum = judge_all(judge, &volatile, self.effort)?;
        (sum.weak, sum.torn) = (sum.states, 0);
        self.sum.add(&sum);
        Ok(())
    }
}

impl Weak {
    /// All of it is on the disk.
    fn flushed(disk: &Disk) -> Self {
        let last = disk.last_key_value();
        let (segment, flushed) = last.map_or((0, 0), |(segment, bytes)| (*segment, bytes.len()));
        Self {
            segment,
            flushed,
            ends: Vec::new(),
        }
    }

    /// Something was written, cut or removed.
    fn note(&mut self, before: &Disk, after: &Disk) {
        let Some((segment, bytes)) = after.last_key_value() else {
            return *self = Self::default();
        };
        let is_new = *segment != self.segment;
        let known = before.get(segment).map_or(0, Vec::len);
        if is_new {
            (self.segment, self.flushed) = (*segment, 0);
            self.ends.clear();
        }
        let shrank = bytes.len() < known;
        let lost_another = before.keys().any(|other| !after.contains_key(other));
        if shrank || lost_another {
            self.flushed = bytes.len();
            self.ends.clear();
        } else if bytes.len() > known || is_new {
            self.ends.push(bytes.len());
        }
    }
}

/// What recovery may leave.
fn legal(volatile: &Volatile, ends: &[usize]) -> BTreeSet<Disk> {
    let mut all = BTreeSet::new();
    for done in 0..1_u32 << volatile.others.len() {
        let mut base = volatile.base.clone();
        for (index, job) in volatile.others.iter().enumerate() {
            if done & 1 << index != 0 {
                ackbox_simulation::storage::Storage::apply(&mut base, job);
            }
        }
        // A cut or a removal that was not done is done again.
        all.insert(base.clone());
        if let Some(append) = &volatile.append {
            all.extend(prefixes(&base, append.segment, &append.bytes, ends));
        }
    }
    all
}

fn judge_all(mut judge: Judge<'_>, volatile: &Volatile, effort: Effort) -> Result<Sum, Violation> {
    let mut seen = BTreeSet::new();
    let mut sum = Sum::default();
    let mut broken = None;
    volatile.each(effort.lengths, &mut |left: &Left, disk| {
        if broken.is_some() || !seen.insert(digest(&disk)) {
            return;
        }
        sum.states += 1;
        sum.torn += u64::from(left.is_torn);
        match judge.judge(&disk) {
            Ok(Verdict::Recovered) => {}
            Ok(Verdict::Refused) => sum.refused += 1,
            Err(violation) => broken = Some(Violation(format!("{violation}\n    left: {left}"))),
        }
    });
    sum.outcomes = judge.outcomes();
    broken.map_or(Ok(sum), Err)
}

/// Tells states apart: 128 bits, so that none is taken for another.
fn digest(disk: &Disk) -> u128 {
    let mut hasher = SipHasher13::new();
    for (segment, bytes) in disk {
        hasher.write_u32(*segment);
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    }
    hasher.finish128().as_u128()
}
