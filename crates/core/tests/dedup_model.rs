//! The deduplication index against a naive list that does the same by looking at everything. [S10]

use ackbox_core::command::MessageState;
use ackbox_core::journal::Place;
use ackbox_core::ledger::dedup::{Dedup, End};
use ackbox_core::time::Timestamp;
use proptest::prelude::*;

const QUEUES: u32 = 3;

/// One step. `pick` chooses among the entries that it can be done to.
#[derive(Clone, Copy, Debug)]
enum Step {
    Insert { queue: u32, id: u8 },
    Finish { pick: usize, elapsed: i8 },
    Place { pick: usize },
    Relive { pick: usize },
    Remove { pick: usize },
    RemoveOldest { queue: u32 },
    Cut { set_back: u8 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let pick = any::<usize>();
    prop_oneof![
        6 => (0..QUEUES, any::<u8>()).prop_map(|(queue, id)| Step::Insert { queue, id }),
        5 => (pick, -5..20_i8).prop_map(|(pick, elapsed)| Step::Finish { pick, elapsed }),
        5 => any::<usize>().prop_map(|pick| Step::Place { pick }),
        1 => any::<usize>().prop_map(|pick| Step::Relive { pick }),
        2 => any::<usize>().prop_map(|pick| Step::Remove { pick }),
        2 => (0..QUEUES).prop_map(|queue| Step::RemoveOldest { queue }),
        1 => any::<u8>().prop_map(|set_back| Step::Cut { set_back }),
    ]
}

/// What the list knows of a taken id.
#[derive(Clone, Copy, Debug)]
struct Known {
    entry: u32,
    queue: u32,
    hash: u128,
    /// The message's slot while it is live, its number once it has ended.
    subject: u64,
    finished: Option<Timestamp>,
    place: Option<Place>,
}

#[derive(Default)]
struct World {
    dedup: Dedup,
    known: Vec<Known>,
    now: u64,
    counter: u64,
}

impl World {
    fn apply(&mut self, step: Step) {
        self.counter += 1;
        match step {
            Step::Insert { queue, id } => self.insert(queue, id),
            Step::Finish { pick, elapsed } => self.finish(pick, elapsed),
            Step::Place { pick } => self.place(pick),
            Step::Relive { pick } => self.relive(pick),
            Step::Remove { pick } => {
                if let Some(at) = self.pick(pick, |_| true) {
                    let known = self.known.remove(at);
                    assert_eq!(self.dedup.remove(known.entry).hash(), known.hash);
                }
            }
            Step::RemoveOldest { queue } => {
                if let Some((entry, _)) = self.dedup.oldest_finished(queue) {
                    self.dedup.remove(entry);
                    self.known.retain(|known| known.entry != entry);
                }
            }
            Step::Cut { set_back } => self.cut(set_back),
        }
    }

    fn insert(&mut self, queue: u32, id: u8) {
        // Ids that share the half of the hash by which they are filed, and ids that share the rest.
        let hash = u128::from(id % 8) << 64 | u128::from(id / 8);
        if self
            .known
            .iter()
            .any(|known| (known.queue, known.hash) == (queue, hash))
        {
            return;
        }
        assert_eq!(self.dedup.find(queue, hash), None);
        let slot = self.counter as u32;
        let entry = self.dedup.insert_live(queue, hash, self.counter, slot);
        let subject = self.counter;
        self.known.push(Known {
            entry,
            queue,
            hash,
            subject,
            finished: None,
            place: None,
        });
    }

    fn finish(&mut self, pick: usize, elapsed: i8) {
        self.now = self.now.saturating_add_signed(elapsed.into());
        if let Some(at) = self.pick(pick, |known| known.finished.is_none()) {
            let mut known = self.known.remove(at);
            known.finished = Some(Timestamp(self.now));
            known.subject = self.counter;
            self.dedup.finish(
                known.entry,
                End {
                    at: Timestamp(self.now),
                    state: MessageState::Completed,
                    number: self.counter,
                    attempt: 1,
                    tells: false,
                },
            );
            self.known.push(known);
        }
    }

    fn place(&mut self, pick: usize) {
        if let Some(at) = self.pick(pick, |known| known.finished.is_some()) {
            let place = Place {
                segment: (self.counter / 10) as u32,
                offset: self.counter as u32 * 8,
                length: 40,
            };
            self.dedup.set_place(self.known[at].entry, place);
            self.known[at].place = Some(place);
        }
    }

    fn relive(&mut self, pick: usize) {
        if let Some(at) = self.pick(pick, |known| known.finished.is_some()) {
            let mut known = self.known.remove(at);
            self.dedup.relive(known.entry, self.counter as u32);
            (known.finished, known.place, known.subject) = (None, None, self.counter);
            self.known.push(known);
        }
    }

    fn cut(&mut self, set_back: u8) {
        self.now = self.now.saturating_sub(set_back.into());
        self.dedup.cut_ends(Timestamp(self.now));
        for known in &mut self.known {
            known.finished = known.finished.map(|at| at.min(Timestamp(self.now)));
        }
    }

    fn pick(&self, pick: usize, fits: impl Fn(&Known) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.known.len())
            .filter(|&at| fits(&self.known[at]))
            .collect();
        (!fitting.is_empty()).then(|| fitting[pick % fitting.len()])
    }

    fn check(&self) {
        assert_eq!(self.dedup.len(), self.known.len());
        for known in &self.known {
            assert_eq!(self.dedup.find(known.queue, known.hash), Some(known.entry));
            assert_eq!(self.dedup.finished_at(known.entry), known.finished);
            let number = known.finished.map(|_| known.subject);
            assert_eq!(self.dedup.finished_number(known.entry), number);
            let slot = known.finished.is_none().then_some(known.subject as u32);
            assert_eq!(self.dedup.live(known.entry), slot);
            assert_eq!(
                self.dedup.place(known.entry),
                known.place.unwrap_or_default()
            );
        }
        for queue in 0..QUEUES {
            let of_queue = || self.known.iter().filter(|known| known.queue == queue);
            let ends =
                of_queue().filter_map(|known| Some((known.finished?, known.subject, known.entry)));
            let oldest = ends.min().map(|(at, _, entry)| (entry, at));
            assert_eq!(self.dedup.oldest_finished(queue), oldest);
            assert_eq!(self.dedup.count(queue), of_queue().count() as u64);
        }
        let placed = self
            .known
            .iter()
            .filter_map(|known| Some((known.entry, known.place?)));
        let first = placed.min_by_key(|(_, place)| (place.segment, place.offset));
        assert_eq!(self.dedup.oldest_place(), first);
    }
}

proptest! {
    #[test]
    fn index_and_list_agree(steps in prop::collection::vec(any_step(), 1..120)) {
        let mut world = World::default();
        for step in steps {
            world.apply(step);
            world.check();
        }
    }
}

/// A number that looks drawn (the finaliser of `MurmurHash3`).
fn scrambled(number: u64) -> u64 {
    let hash = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ hash >> 33
}

#[test]
fn thousands_of_ends_in_any_order_are_kept_by_their_times_and_places() {
    let mut dedup = Dedup::new();
    let mut ends = std::collections::BTreeSet::new();
    let mut places = std::collections::BTreeSet::new();
    for id in 1..=20_000_u64 {
        let entry = dedup.insert_live(0, u128::from(scrambled(id)), 0, 0);
        // Few different times, so that many are equal; places that go back and forth.
        let at = Timestamp(scrambled(id) % 700);
        let end = End {
            at,
            state: MessageState::Completed,
            number: id,
            attempt: 1,
            tells: false,
        };
        dedup.finish(entry, end);
        let place = Place {
            segment: 1 + (scrambled(id) % 5) as u32,
            offset: id as u32 * 8,
            length: 40,
        };
        dedup.set_place(entry, place);
        ends.insert((at, id, entry));
        places.insert((place.segment, place.offset, entry));
        // A third goes again, from wherever it stands.
        if id % 3 == 0 {
            let gone = *ends
                .range((Timestamp(scrambled(id / 3) % 700), 0, 0)..)
                .next()
                .unwrap_or(ends.first().expect("some are left"));
            ends.remove(&gone);
            let gone_place = dedup.place(gone.2);
            places.remove(&(gone_place.segment, gone_place.offset, gone.2));
            dedup.remove(gone.2);
        }
    }
    assert_eq!(dedup.finished_count(0), ends.len() as u64);
    // Half are moved to the end of the journal, the others forgotten in their order.
    for at in 0..ends.len() as u32 / 2 {
        let first = *places.first().expect("as many as ends");
        assert_eq!(dedup.oldest_place().map(|(entry, _)| entry), Some(first.2));
        places.remove(&first);
        let place = Place {
            segment: 9,
            offset: at * 8,
            length: 40,
        };
        dedup.set_place(first.2, place);
        places.insert((place.segment, place.offset, first.2));
    }
    for (at, _, entry) in ends {
        assert_eq!(dedup.oldest_finished(0), Some((entry, at)));
        assert_eq!(dedup.find(0, dedup.hash(entry)), Some(entry));
        dedup.remove(entry);
    }
    assert_eq!(
        (dedup.oldest_finished(0), dedup.oldest_place(), dedup.len()),
        (None, None, 0)
    );
}
