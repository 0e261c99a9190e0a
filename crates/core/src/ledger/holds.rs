//! What is held back for a while, as the journal keeps it: destinations that asked for time, and what
//! rates have given out.
//!
//! A hold ends by itself: one that is over is forgotten without a record, when another one is kept or
//! the segment of its record is cleaned.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::Ledger;
use super::kept::{Kept, ValveKey};
use super::recorder::{Note, Recorder};
use super::replay::Replayed;
use crate::journal::{Place, Record};
use crate::policy::hold::Hold;
use crate::time::Timestamp;

/// Holds that are over and forgotten with each one that is kept: more than come.
const FORGOTTEN_AT_ONCE: usize = 4;

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Holds {
    pub(super) kept: Kept<Hold>,
    by_end: BTreeSet<(Timestamp, u64)>,
}

impl Ledger {
    /// Keeps how long something is held back, unless that is known. The later ends of what was and what
    /// is count.
    pub fn keep_hold(&mut self, key: ValveKey, hold: Hold, out: &mut impl Recorder) {
        let known = self.hold(&key).seen_at(hold.since);
        let joined = hold.joined(known);
        if joined.ends() <= hold.since || (joined.until, joined.paced) == (known.until, known.paced)
        {
            return;
        }
        let number = self.put_hold(key, joined);
        self.write_hold(number, out);
    }

    /// What is held back has asked for time, and does not get the rest of it; its rate stays.
    pub fn end_hold(&mut self, key: ValveKey, now: Timestamp, out: &mut impl Recorder) {
        let known = self.hold(&key).seen_at(now);
        let ended = Hold {
            since: now,
            until: now,
            paced: known.paced,
        };
        let number = self.put_hold(key, ended);
        self.write_hold(number, out);
    }

    /// How long something is held back: nothing, if that is over.
    #[must_use]
    pub fn hold(&self, key: &ValveKey) -> Hold {
        let number = self.holds.kept.find(key);
        let known = number.and_then(|number| self.holds.kept.get(number));
        known.map_or(Hold::default(), |(_, hold)| *hold)
    }

    /// Whether a destination of workers of one name has asked for time that is not over.
    #[must_use]
    pub fn is_any_held(&self, queue: u32, worker: &str, now: Timestamp) -> bool {
        let mut kept = self.holds.kept.of(queue, worker);
        kept.any(|(_, hold)| hold.seen_at(now).until > now)
    }

    /// What is held back of workers of one name: destinations, and for how long.
    #[must_use]
    pub fn holds_of(&self, queue: u32, worker: &str) -> Vec<(Rc<str>, Hold)> {
        let kept = self.holds.kept.of(queue, worker);
        kept.map(|(destination, hold)| (Rc::clone(destination), *hold))
            .collect()
    }

    pub(super) fn replay_hold(&mut self, key: ValveKey, hold: Hold, place: Place) -> Replayed {
        self.queue_known(key.0)?;
        let number = self.put_hold(key, hold);
        self.place_hold(number, place);
        Ok(())
    }

    /// Writes a hold again, since the segment of its record is cleaned, or forgets one that is over;
    /// returns how many bytes that takes.
    pub fn rewrite_hold(&mut self, number: u64, now: Timestamp, out: &mut impl Recorder) -> usize {
        let (_, hold) = self.holds.kept.get(number).expect("it has a place");
        if hold.ends() <= now {
            self.forget_hold(number);
            return 0;
        }
        self.live_bytes -= self.holds.kept.unplace(number);
        self.write_hold(number, out);
        out.last_payload().len()
    }

    /// The record of a hold has its place.
    pub(super) fn place_hold(&mut self, number: u64, place: Place) {
        let (more, less) = self.holds.kept.place(number, place);
        self.live_bytes = self.live_bytes + more - less;
    }

    fn write_hold(&self, number: u64, out: &mut impl Recorder) {
        let (key, hold) = self.holds.kept.get(number).expect("it is kept");
        let record = Record::Held {
            queue: key.0,
            worker: &key.1,
            destination: &key.2,
            since: hold.since.0,
            until: hold.until.0,
            paced: hold.paced.0,
        };
        out.write(&record, Note::Hold { hold: number });
    }

    /// Takes a hold in place of an earlier one, and forgets some that were over by then.
    fn put_hold(&mut self, key: ValveKey, hold: Hold) -> u64 {
        for _ in 0..FORGOTTEN_AT_ONCE {
            match self.holds.by_end.first().copied() {
                Some((end, number)) if end <= hold.since => self.forget_hold(number),
                _ => break,
            }
        }
        if let Some(old) = self.holds.kept.find(&key) {
            self.forget_hold(old);
        }
        let number = self.holds.kept.insert(key, hold);
        self.holds.by_end.insert((hold.ends(), number));
        number
    }

    fn forget_hold(&mut self, number: u64) {
        if let Some((_, hold)) = self.holds.kept.get(number) {
            self.holds.by_end.remove(&(hold.ends(), number));
        }
        self.live_bytes -= self.holds.kept.remove(number);
    }
}
