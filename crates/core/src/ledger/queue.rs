//! One queue: its settings, the sets in which its messages stand, and its counters.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::histogram::Recorder as HistogramRecorder;
use crate::ledger::groups::Groups;
use crate::ledger::lanes::Lanes;
use crate::ledger::rank::Rank;
use crate::ledger::roster::Roster;
use crate::ledger::settings::Settings;
use crate::time::Timestamp;

/// Counters since the box was opened, and distributions of times.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "named as in the public contract")]
pub struct Counters {
    pub enqueued: u64,
    pub duplicates: u64,
    pub delivered: u64,
    pub acked: u64,
    pub rejected: u64,
    pub retried: u64,
    pub dead: u64,
    pub expired: u64,
    pub leases_lost: u64,
    pub wait: HistogramRecorder,
    pub handle: HistogramRecorder,
}

/// A queue. Every unfinished or dead message is in the one set that its standing names.
#[derive(Debug)]
pub struct Queue {
    /// Its name.
    pub name: Rc<str>,
    /// Its options.
    pub settings: Settings,
    /// Nobody has defined it: another queue tells it of dead letters.
    pub implied: bool,
    /// It was full when it was to be told of a dead letter last.
    pub missed_letter: bool,
    /// Delivers nothing.
    pub paused: bool,
    /// Bit set of event kinds that someone listens to.
    pub listens: u32,
    /// Claimable messages by priority and order.
    pub ready: BTreeMap<Rank, u32>,
    /// Claimable messages that run alone.
    pub suspects: BTreeMap<Rank, u32>,
    /// All claimable messages by destination, for those who treat destinations differently.
    pub lanes: Lanes,
    /// Due messages whose group holds them, by priority and order.
    pub parked: BTreeMap<Rank, u32>,
    /// Messages that wait for their time, by time and number.
    pub scheduled: BTreeMap<(Timestamp, u64), u32>,
    /// Claimed messages.
    pub leased: Roster,
    /// Dead letters by the sequence of their deaths.
    pub dead: BTreeMap<u64, u32>,
    /// Waiting messages with a time to live, by deadline and number.
    pub expiries: BTreeMap<(Timestamp, u64), u32>,
    /// Finished messages whose histories are shown, by end and number: see the module `past`.
    pub histories: BTreeSet<(Timestamp, u64)>,
    /// Ordering groups.
    pub groups: Groups,
    /// Messages that are unfinished or dead.
    pub depth: u64,
    /// Their bytes (ids, headers, bodies), and those of purged messages still in memory.
    pub bytes: u64,
    /// Messages in memory, purged ones included, whose ids were generated.
    pub generated: u64,
    /// How often it was purged.
    pub purges: u32,
    /// Counters.
    pub counters: Counters,
    /// Where ids were forgotten before their window ended, because the index was full: all that finished since then are known.
    pub remembered_from: Option<Timestamp>,
    /// Something changed since the engine last looked.
    pub dirty: bool,
    /// What is seen of its messages changed since that was told; noted only if someone listens.
    pub changed: bool,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(name: &str, settings: Settings) -> Self {
        Self {
            name: Rc::from(name),
            settings,
            implied: false,
            missed_letter: false,
            paused: false,
            listens: 0,
            ready: BTreeMap::new(),
            suspects: BTreeMap::new(),
            lanes: Lanes::default(),
            parked: BTreeMap::new(),
            scheduled: BTreeMap::new(),
            leased: Roster::default(),
            dead: BTreeMap::new(),
            expiries: BTreeMap::new(),
            histories: BTreeSet::new(),
            groups: Groups::default(),
            depth: 0,
            bytes: 0,
            generated: 0,
            purges: 0,
            counters: Counters::default(),
            remembered_from: None,
            dirty: false,
            changed: false,
        }
    }

    /// Messages that could be delivered now, but for groups and suspects.
    #[must_use]
    pub fn ready_count(&self) -> u64 {
        (self.ready.len() + self.suspects.len() + self.parked.len()) as u64
    }

    /// The earliest instant at which time alone changes something for its messages.
    #[must_use]
    pub fn next_change(&self) -> Timestamp {
        let due = self.scheduled.first_key_value().map(|((due, _), _)| *due);
        let expiry = self
            .expiries
            .first_key_value()
            .map(|((deadline, _), _)| deadline.plus(1));
        due.into_iter()
            .chain(expiry)
            .min()
            .unwrap_or(Timestamp::NEVER)
    }

    /// Notes that ids are forgotten although younger than the window: the oldest one that is still
    /// remembered finished at `oldest`.
    pub fn shorten_window(&mut self, oldest: Timestamp) {
        self.remembered_from = Some(oldest);
    }

    /// For how long ids are known, if that is shorter than configured. It grows back as time passes.
    #[must_use]
    pub fn shortened_window_ms(&self, now: Timestamp) -> Option<u64> {
        let known_for = now.since(self.remembered_from?);
        (known_for < self.settings.dedup_window_ms).then_some(known_for)
    }
}
