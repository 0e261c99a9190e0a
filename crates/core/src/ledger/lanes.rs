//! The claimable messages of one queue once more, a lane for each destination.
//!
//! A consumer that treats destinations differently looks through a view. In a view each lane is open or
//! closed; the open ones lie in the order in which their first messages go on, so that the next message
//! is found without a look at those of a closed lane, however many there are. All messages without a
//! destination share one lane.
//!
//! Lanes cost memory and time for every message, so a queue has none before its first view. Then the
//! messages that wait already are added slice by slice; those that come meanwhile are added if what is
//! in front of them was.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::rank::Rank;
use crate::meter::look;

/// Which of the claimable messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Those that run beside others.
    Ordinary = 0,
    /// Those that run alone.
    Suspect = 1,
}

/// Claimable messages by priority and order.
pub type Ranked = BTreeMap<Rank, u32>;

/// The first message of a lane, and the lane's turn among others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Front {
    rank: Rank,
    turn: u64,
}

#[derive(Debug)]
struct Lane {
    sets: [Ranked; 2],
    turn: u64,
}

impl Lane {
    fn fronts(&self) -> [Option<Front>; 2] {
        [Kind::Ordinary, Kind::Suspect].map(|kind| {
            let (rank, _) = self.sets[kind as usize].first_key_value()?;
            let turn = self.turn;
            Some(Front { rank: *rank, turn })
        })
    }
}

/// How long a lane is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// Its messages have their turn in a moment: the end of a delivery opens it, or a rate.
    Briefly,
    /// Nobody knows whether it will open.
    Indefinitely,
}

#[derive(Debug)]
struct View {
    /// Lanes take turns, message by message.
    turns: bool,
    closed: BTreeMap<u32, Closed>,
    /// Lanes that hold something and are closed briefly.
    brief: BTreeSet<u32>,
    /// Open lanes by what comes first.
    open: [BTreeMap<Rank, u32>; 2],
}

impl View {
    /// A lane was closed, was opened, was filled or was emptied.
    fn note(&mut self, lane: u32, is_waiting: bool) {
        if is_waiting && self.closed.get(&lane) == Some(&Closed::Briefly) {
            self.brief.insert(lane);
        } else {
            self.brief.remove(&lane);
        }
    }

    fn key(&self, kind: usize, front: Front) -> Rank {
        if self.turns && kind == Kind::Ordinary as usize {
            front.rank.in_turn(front.turn)
        } else {
            front.rank
        }
    }

    fn replace(&mut self, lane: u32, from: [Option<Front>; 2], to: [Option<Front>; 2]) {
        for kind in 0..2 {
            if from[kind] == to[kind] {
                continue;
            }
            if let Some(front) = from[kind] {
                let key = self.key(kind, front);
                self.open[kind].remove(&key);
            }
            if let Some(front) = to[kind] {
                let key = self.key(kind, front);
                self.open[kind].insert(key, lane);
            }
        }
    }
}

/// How many of the claimable messages are in lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Cover {
    #[default]
    None,
    UpTo(Rank),
    All,
}

impl Cover {
    fn holds(self, rank: Rank) -> bool {
        match self {
            Self::None => false,
            Self::UpTo(last) => rank <= last,
            Self::All => true,
        }
    }
}

/// All lanes of a queue.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: BTreeMap<u32, Lane>,
    /// By whoever looks through them.
    views: BTreeMap<u32, View>,
    last_turn: u64,
    cover: [Cover; 2],
}

/// What was in lanes that were emptied at once, to be dropped bit by bit.
#[derive(Debug, Default)]
pub struct Remains(BTreeMap<u32, Lane>);

impl Lanes {
    /// A new view for `viewer` in which all lanes are open. With `turns` each of them gives one message at a time; the
    /// priority of that message still goes first.
    pub fn add_view(&mut self, viewer: u32, turns: bool) {
        let mut view = View {
            turns,
            closed: BTreeMap::new(),
            brief: BTreeSet::new(),
            open: [BTreeMap::new(), BTreeMap::new()],
        };
        for (destination, lane) in &self.lanes {
            view.replace(*destination, [None, None], lane.fronts());
        }
        self.views.insert(viewer, view);
    }

    /// Nobody looks through a view any more.
    pub fn remove_view(&mut self, viewer: u32) {
        self.views.remove(&viewer);
    }

    /// Whether messages are missing that a view should show.
    #[must_use]
    pub fn lags(&self) -> bool {
        !self.views.is_empty() && self.cover != [Cover::All; 2]
    }

    /// Adds at most `limit` of the claimable messages that are in no lane yet; `destination_of` tells
    /// their destinations.
    pub fn catch_up(
        &mut self,
        kind: Kind,
        set: &Ranked,
        destination_of: impl Fn(u32) -> u32,
        limit: usize,
    ) {
        let after = match self.cover[kind as usize] {
            Cover::None => Bound::Unbounded,
            Cover::UpTo(last) => Bound::Excluded(last),
            Cover::All => return,
        };
        let mut missing = set.range((after, Bound::Unbounded));
        for (rank, slot) in missing.by_ref().take(limit) {
            self.cover[kind as usize] = Cover::UpTo(*rank);
            self.insert(kind, destination_of(*slot), *rank, *slot);
        }
        if missing.next().is_none() {
            self.cover[kind as usize] = Cover::All;
        }
    }

    /// A message can be claimed.
    pub fn insert(&mut self, kind: Kind, destination: u32, rank: Rank, slot: u32) {
        if self.cover[kind as usize].holds(rank) {
            self.change(destination, |lane| {
                lane.sets[kind as usize].insert(rank, slot);
            });
        }
    }

    /// A message cannot be claimed any more.
    pub fn remove(&mut self, kind: Kind, destination: u32, rank: Rank) {
        if self.cover[kind as usize].holds(rank) {
            self.change(destination, |lane| {
                lane.sets[kind as usize].remove(&rank);
            });
        }
    }

    /// A lane had its turn.
    pub fn end_turn(&mut self, destination: u32) {
        if self.lanes.contains_key(&destination) {
            self.last_turn += 1;
            let turn = self.last_turn;
            self.change(destination, |lane| lane.turn = turn);
        }
    }

    /// The open lane whose turn it is in a view, and its first message.
    #[must_use]
    pub fn first(&self, viewer: u32, kind: Kind) -> Option<(u32, u32)> {
        look();
        let view = self.views.get(&viewer)?;
        let (_, destination) = view.open[kind as usize].first_key_value()?;
        let (_, slot) = self.lanes[destination].sets[kind as usize].first_key_value()?;
        Some((*destination, *slot))
    }

    /// The message of a lane that comes after this rank, or else the first one.
    #[must_use]
    pub fn after(&self, destination: u32, kind: Kind, rank: Option<Rank>) -> Option<u32> {
        let set = &self.lanes.get(&destination)?.sets[kind as usize];
        next_after(set, rank)
    }

    /// Whether a lane holds anything.
    #[must_use]
    pub fn is_waiting(&self, destination: u32) -> bool {
        self.lanes.contains_key(&destination)
    }

    /// Whether a view will show something before long: an open lane has it, or one that is closed briefly.
    #[must_use]
    pub fn are_promising(&self, viewer: u32) -> bool {
        let view = self.views.get(&viewer);
        self.lags()
            || view.is_some_and(|view| {
                !view.brief.is_empty() || view.open.iter().any(|lanes| !lanes.is_empty())
            })
    }

    /// Passes a lane over in a view until it is opened.
    pub fn close(&mut self, viewer: u32, destination: u32, how: Closed) {
        let fronts = self.fronts(destination);
        if let Some(view) = self.views.get_mut(&viewer) {
            if view.closed.insert(destination, how).is_none() {
                view.replace(destination, fronts, [None, None]);
            }
            view.note(destination, fronts != [None, None]);
        }
    }

    /// Whether a lane is passed over in a view and nobody knows until when.
    #[must_use]
    pub fn is_shut(&self, viewer: u32, destination: u32) -> bool {
        let view = self.views.get(&viewer);
        view.is_some_and(|view| view.closed.get(&destination) == Some(&Closed::Indefinitely))
    }

    /// Shows a lane in a view again; true if it was closed.
    pub fn open(&mut self, viewer: u32, destination: u32) -> bool {
        let fronts = self.fronts(destination);
        let Some(view) = self.views.get_mut(&viewer) else {
            return false;
        };
        let was_closed = view.closed.remove(&destination).is_some();
        if was_closed {
            view.replace(destination, [None, None], fronts);
            view.note(destination, fronts != [None, None]);
        }
        was_closed
    }

    /// Takes everything out at once. Closed lanes stay closed.
    pub fn take(&mut self) -> Remains {
        for view in self.views.values_mut() {
            view.open = [BTreeMap::new(), BTreeMap::new()];
            view.brief = BTreeSet::new();
        }
        Remains(std::mem::take(&mut self.lanes))
    }

    fn fronts(&self, destination: u32) -> [Option<Front>; 2] {
        self.lanes
            .get(&destination)
            .map_or([None, None], Lane::fronts)
    }

    /// Changes a lane, which is there only while it holds something.
    fn change(&mut self, destination: u32, change: impl FnOnce(&mut Lane)) {
        look();
        let turn = self.last_turn + 1;
        let lane = self.lanes.entry(destination).or_insert_with(|| Lane {
            sets: [Ranked::new(), Ranked::new()],
            turn,
        });
        if lane.turn == turn {
            self.last_turn = turn;
        }
        let before = lane.fronts();
        change(lane);
        let after = lane.fronts();
        if after == [None, None] {
            self.lanes.remove(&destination);
        }
        if before == after {
            return;
        }
        for view in self.views.values_mut() {
            if view.closed.contains_key(&destination) {
                view.note(destination, after != [None, None]);
            } else {
                view.replace(destination, before, after);
            }
        }
    }
}

/// The message that comes after this rank, or else the first one.
#[must_use]
pub fn next_after(set: &Ranked, rank: Option<Rank>) -> Option<u32> {
    let after = rank.map_or(Bound::Unbounded, Bound::Excluded);
    let next = set.range((after, Bound::Unbounded)).next();
    next.or_else(|| set.first_key_value())
        .map(|(_, slot)| *slot)
}

impl Remains {
    /// Drops one message; false if there is none left.
    pub fn drop_one(&mut self) -> bool {
        let Some(mut entry) = self.0.first_entry() else {
            return false;
        };
        let [ordinary, suspects] = &mut entry.get_mut().sets;
        if ordinary.pop_first().is_none() && suspects.pop_first().is_none() {
            entry.remove();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered() -> Lanes {
        Lanes {
            cover: [Cover::All; 2],
            ..Lanes::default()
        }
    }

    fn add(lanes: &mut Lanes, destination: u32, order: u64) {
        lanes.insert(
            Kind::Ordinary,
            destination,
            Rank::new(0, order),
            order as u32,
        );
    }

    /// Claims through a view until nothing is left, and tells in which order.
    fn claim_all(lanes: &mut Lanes) -> Vec<u32> {
        let mut claimed = Vec::new();
        while let Some((destination, slot)) = lanes.first(0, Kind::Ordinary) {
            lanes.remove(Kind::Ordinary, destination, Rank::new(0, slot.into()));
            lanes.end_turn(destination);
            claimed.push(slot);
        }
        claimed
    }

    #[test]
    fn a_view_without_turns_shows_all_lanes_in_order() {
        let mut lanes = covered();
        lanes.add_view(0, false);
        for order in 1..=6 {
            add(&mut lanes, order as u32 / 4, order);
        }
        assert_eq!(claim_all(&mut lanes), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn lanes_take_turns_in_a_view_with_turns() {
        let mut lanes = covered();
        lanes.add_view(0, true);
        for order in 1..=6 {
            add(&mut lanes, order as u32 / 4, order);
        }
        assert_eq!(claim_all(&mut lanes), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn a_closed_lane_is_passed_over_in_its_view_alone() {
        let mut lanes = covered();
        let (one, other) = (0, 1);
        lanes.add_view(one, false);
        lanes.add_view(other, false);
        add(&mut lanes, 7, 1);
        lanes.close(one, 7, Closed::Briefly);
        add(&mut lanes, 7, 2);
        add(&mut lanes, 8, 3);
        assert_eq!(lanes.first(one, Kind::Ordinary), Some((8, 3)));
        assert_eq!(lanes.first(other, Kind::Ordinary), Some((7, 1)));
        assert!(lanes.open(one, 7), "it was closed");
        assert_eq!(lanes.first(one, Kind::Ordinary), Some((7, 1)));
    }

    #[test]
    fn a_closed_lane_stays_closed_when_it_empties_and_fills() {
        let mut lanes = covered();
        lanes.add_view(0, true);
        add(&mut lanes, 7, 1);
        lanes.close(0, 7, Closed::Briefly);
        lanes.remove(Kind::Ordinary, 7, Rank::new(0, 1));
        assert!(!lanes.is_waiting(7));
        add(&mut lanes, 7, 2);
        assert_eq!(lanes.first(0, Kind::Ordinary), None);
        drop(lanes.take());
        add(&mut lanes, 7, 3);
        assert_eq!(lanes.first(0, Kind::Ordinary), None);
    }

    #[test]
    fn a_view_promises_what_is_not_closed_for_good() {
        let mut lanes = covered();
        lanes.add_view(0, false);
        assert!(!lanes.are_promising(0), "there is nothing");
        lanes.close(0, 7, Closed::Briefly);
        lanes.close(0, 8, Closed::Indefinitely);
        add(&mut lanes, 8, 1);
        assert!(!lanes.are_promising(0));
        add(&mut lanes, 7, 2);
        assert!(lanes.are_promising(0));
        lanes.remove(Kind::Ordinary, 7, Rank::new(0, 2));
        assert!(!lanes.are_promising(0));
        lanes.close(0, 8, Closed::Briefly);
        assert!(lanes.are_promising(0));
        lanes.close(0, 8, Closed::Indefinitely);
        assert!(!lanes.are_promising(0));
        lanes.open(0, 8);
        assert!(lanes.are_promising(0));
        drop(lanes.take());
        assert!(!lanes.are_promising(0));
    }

    #[test]
    fn what_waited_before_the_first_view_is_added_in_slices() {
        let mut lanes = Lanes::default();
        let mut set: Ranked = (1..=5).map(|n| (Rank::new(0, n), n as u32)).collect();
        add(&mut lanes, 0, 1);
        assert!(!lanes.is_waiting(0), "a queue without a view has no lanes");
        lanes.add_view(0, false);
        lanes.catch_up(Kind::Ordinary, &set, |_| 0, 3);
        assert!(lanes.lags());
        set.insert(Rank::new(9, 6), 6);
        lanes.insert(Kind::Ordinary, 0, Rank::new(9, 6), 6);
        set.insert(Rank::new(0, 7), 7);
        add(&mut lanes, 0, 7);
        lanes.catch_up(Kind::Ordinary, &set, |_| 0, 3);
        lanes.catch_up(Kind::Suspect, &Ranked::new(), |_| 0, 3);
        lanes.catch_up(Kind::Ordinary, &set, |_| 0, 3);
        assert!(!lanes.lags());
        let first = lanes.first(0, Kind::Ordinary);
        assert_eq!(first, Some((0, 6)), "the highest priority comes first");
        lanes.remove(Kind::Ordinary, 0, Rank::new(9, 6));
        assert_eq!(claim_all(&mut lanes), [1, 2, 3, 4, 5, 7]);
    }

    #[test]
    fn messages_of_a_lane_come_round() {
        let mut lanes = covered();
        for order in 1..=3 {
            add(&mut lanes, 0, order);
        }
        let after = |rank| lanes.after(0, Kind::Ordinary, rank);
        assert_eq!(after(None), Some(1));
        assert_eq!(after(Some(Rank::new(0, 1))), Some(2));
        assert_eq!(after(Some(Rank::new(0, 3))), Some(1));
        assert_eq!(lanes.after(1, Kind::Ordinary, None), None);
    }
}
