//! Whether a state that a crash left is legal: what the next owner finds, does and finishes.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use ackbox_core::effect::OpenReport;
use ackbox_simulation::invariants::Violation;
use ackbox_simulation::op::{Item, Op};
use ackbox_simulation::plan::Plan;
use ackbox_simulation::probe::{Finding, Seen, probe};
use ackbox_simulation::storage::{Disk, is_strange};
use ackbox_simulation::world::World;

/// How a segment's header ends.
const HEADER_BYTES: usize = 128;
/// Serials that no script uses.
const FRESH_SERIAL: u32 = 1_000_000;

/// What the next owner may be held to.
#[derive(Clone, Copy)]
pub enum Promise<'a> {
    /// Everything that was told in this world.
    Told(&'a World),
    /// Some prefix of what was written.
    Prefix(&'a Plan, u64),
}

/// One moment of a script, and what may be left of it.
pub struct Judge<'a> {
    promise: Promise<'a>,
    /// What recovery may make of it, before anything new is written.
    legal: BTreeSet<Disk>,
    /// What was found in each of those.
    known: BTreeMap<Disk, Found>,
    /// Bytes of the very first append may be noise, and then pass for somebody else's file.
    may_be_strange: bool,
}

/// What was found behind a crash.
struct Found {
    queues: Vec<Vec<Seen>>,
    report: OpenReport,
}

/// What became of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was recovered.
    Recovered,
    /// It holds nothing but noise that nobody was told of, and is left alone.
    Refused,
}

impl<'a> Judge<'a> {
    /// `legal`: what there may be after a recovery.
    #[must_use]
    pub fn new(promise: Promise<'a>, legal: BTreeSet<Disk>, may_be_strange: bool) -> Self {
        Self {
            promise,
            legal,
            known: BTreeMap::new(),
            may_be_strange,
        }
    }

    /// In how many different journals these states ended.
    #[must_use]
    pub fn outcomes(&self) -> u64 {
        self.known.len() as u64
    }

    /// Opens it, twice, and uses it.
    pub fn judge(&mut self, disk: &Disk) -> Result<Verdict, Violation> {
        let judged = catch_unwind(AssertUnwindSafe(|| self.judge_calmly(disk)));
        judged.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(Violation(format!("a panic: {}", text.unwrap_or_default())))
        })
    }

    fn judge_calmly(&mut self, disk: &Disk) -> Result<Verdict, Violation> {
        let found = match self.open(disk) {
            Ok(found) => found,
            Err(_) if self.may_be_strange && is_strange(disk) => return Ok(Verdict::Refused),
            Err(violation) => return Err(violation),
        };
        let repaired = found.repaired.clone();
        if !self.legal.contains(&repaired) {
            return Err(Violation(format!(
                "recovery left {}, which is no prefix of what was written",
                sizes(&repaired)
            )));
        }
        if !self.known.contains_key(&repaired) {
            self.use_it(disk, &found)?;
            let again = self.open(&repaired)?;
            if again.repaired != repaired {
                return Err(Violation(
                    "a second recovery changed what the first one had left".to_owned(),
                ));
            }
            if again.report.cut.is_some() {
                return Err(Violation("a second recovery cut something".to_owned()));
            }
            let first = Found {
                queues: again.queues,
                report: again.report,
            };
            self.known.insert(repaired.clone(), first);
        }
        let known = &self.known[&repaired];
        let report = OpenReport {
            cut: None,
            ..found.report
        };
        if found.queues != known.queues || report != known.report {
            return Err(Violation(
                "a second recovery finds something else than the first one".to_owned(),
            ));
        }
        Ok(Verdict::Recovered)
    }

    fn open(&self, disk: &Disk) -> Result<Finding, Violation> {
        let (plan, now) = match self.promise {
            Promise::Told(world) => (world.plan(), world.next_owners_time()),
            Promise::Prefix(plan, now) => (plan, now),
        };
        probe(disk, now, &plan.config, plan.seed)
            .map_err(|failure| Violation(format!("cannot be opened: {failure:?}")))
    }

    /// The next owner takes one message more into each queue, and everything finishes.
    fn use_it(&self, disk: &Disk, found: &Finding) -> Result<(), Violation> {
        let mut world = match self.promise {
            Promise::Told(world) => world.after_crash(disk.clone())?,
            Promise::Prefix(plan, _) => World::of_stranger(plan, found.repaired.clone(), found)?,
        };
        for queue in 0..world.plan().queues.len() {
            world.step(&Op::Enqueue(fresh(queue)))?;
        }
        world.finish()
    }
}

fn fresh(queue: usize) -> Item {
    Item {
        queue,
        id: None,
        conflicts: false,
        serial: FRESH_SERIAL + queue as u32,
        bytes: 10,
        group: None,
        priority: 0,
        destination: None,
        delay_ms: 0,
        ttl_ms: None,
    }
}

fn sizes(disk: &Disk) -> String {
    let segments: Vec<String> = disk
        .iter()
        .map(|(segment, bytes)| format!("{} bytes in segment {segment}", bytes.len()))
        .collect();
    if segments.is_empty() {
        "nothing".to_owned()
    } else {
        segments.join(", ")
    }
}

/// What recovery may leave of bytes that were appended to `base` in frames that end at `ends`: the first of
/// them, or of a segment that they begin nothing but its header.
#[must_use]
pub fn prefixes(base: &Disk, segment: u32, bytes: &[u8], ends: &[usize]) -> BTreeSet<Disk> {
    let mut legal = BTreeSet::from([base.clone()]);
    if base.get(&segment).is_some_and(Vec::is_empty) {
        // Recovery removes an empty file.
        let mut without = base.clone();
        without.remove(&segment);
        legal.insert(without);
    }
    let begins_segment = base.get(&segment).is_none_or(Vec::is_empty);
    let header = begins_segment.then_some(HEADER_BYTES);
    for end in header.into_iter().chain(ends.iter().copied()) {
        let mut disk = base.clone();
        disk.entry(segment)
            .or_default()
            .extend(&bytes[..end.min(bytes.len())]);
        legal.insert(disk);
    }
    legal
}
