//! Waits and results under whatever happens to messages, against a model that looks everything up.

use std::collections::BTreeMap;

use ackbox_core::command::*;
use ackbox_core::config::{Config, DedupOptions, HistoryOptions, QueueOptions};
use ackbox_core::effect::Answer;
use ackbox_core::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::{World, message};

const WINDOW: u64 = 1000;
const IDS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// What happens; ids and the like are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Enqueue(usize),
    Claim,
    Ack(usize),
    Kill(usize),
    Cancel(usize),
    Purge,
    Redrive,
    RemoveDead,
    Forget(usize),
    Wait(usize),
    StopWaiting(usize),
    Advance(u64),
    Churn,
    Hold,
    Release,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..IDS.len();
    prop_oneof![
        6 => id.clone().prop_map(Step::Enqueue),
        6 => Just(Step::Claim),
        5 => id.clone().prop_map(Step::Ack),
        2 => id.clone().prop_map(Step::Kill),
        2 => id.clone().prop_map(Step::Cancel),
        1 => Just(Step::Purge),
        2 => Just(Step::Redrive),
        1 => Just(Step::RemoveDead),
        1 => id.clone().prop_map(Step::Forget),
        8 => id.clone().prop_map(Step::Wait),
        1 => id.prop_map(Step::StopWaiting),
        2 => (1..WINDOW).prop_map(Step::Advance),
        2 => Just(Step::Churn),
        2 => Just(Step::Hold),
        2 => Just(Step::Release),
        1 => Just(Step::Crash),
    ]
}

#[derive(Clone, PartialEq, Debug)]
enum Known {
    Waiting,
    Leased(Token),
    Dead,
    Done {
        result: String,
        at: u64,
    },
    /// Withdrawn in this run: its id is free.
    Withdrawn,
}

/// How a message ended, and with what result.
type End = (MessageState, Option<String>);

struct Test {
    world: World,
    orders: QueueId,
    churned: QueueId,
    known: BTreeMap<usize, Known>,
    waits: Vec<(u64, usize)>,
    /// Answers that must have come as soon as nothing is held back.
    owed: Vec<(u64, End)>,
    results: u32,
}

impl Test {
    fn new() -> Self {
        let mut world = World::with_config(Config {
            segment_bytes: 8 << 10,
            ..Config::default()
        });
        let orders = world.define(
            "orders",
            QueueOptions {
                max_attempts: Some(u32::MAX),
                lease_ms: Some(1 << 40),
                dedup: Some(DedupOptions {
                    window_ms: Some(WINDOW),
                    ..DedupOptions::default()
                }),
                history: Some(HistoryOptions {
                    window_ms: Some(WINDOW / 2),
                    max_entries: Some(2),
                }),
                ..QueueOptions::default()
            },
        );
        let churned = world.define("churned", QueueOptions::default());
        Self {
            world,
            orders,
            churned,
            known: BTreeMap::new(),
            waits: Vec::new(),
            owed: Vec::new(),
            results: 0,
        }
    }

    fn known(&self, id: usize) -> Option<&Known> {
        let known = self.known.get(&id)?;
        match known {
            Known::Done { at, .. } if at + WINDOW <= self.world.now => None,
            known => Some(known),
        }
    }

    fn ids_that(&self, is: impl Fn(&Known) -> bool) -> Vec<usize> {
        let ids = self.known.iter().filter(|(_, known)| is(known));
        ids.map(|(id, _)| *id).collect()
    }

    /// Tells all who wait for a message.
    fn end(&mut self, id: usize, end: &End) {
        let (told, waits) = self.waits.drain(..).partition(|(_, of)| *of == id);
        self.waits = waits;
        let told: Vec<(u64, usize)> = told;
        let told = told.into_iter().map(|(ticket, _)| (ticket, end.clone()));
        self.owed.extend(told);
    }

    fn settle(&mut self, at: usize, verdict: Verdict) {
        let leased = self.ids_that(|known| matches!(known, Known::Leased(_)));
        let Some(id) = leased.get(at % leased.len().max(1)).copied() else {
            return;
        };
        let Some(Known::Leased(token)) = self.known.get(&id).cloned() else {
            return;
        };
        self.results += 1;
        let result = format!("result {}", self.results);
        self.world.command(Command::Settle(Settle {
            token,
            verdict,
            returned: true,
            result: result.as_bytes(),
            error: b"",
        }));
        let at = self.world.now;
        if verdict == Verdict::Ack {
            self.end(id, &(MessageState::Completed, Some(result.clone())));
            self.known.insert(id, Known::Done { result, at });
        } else {
            self.end(id, &(MessageState::Dead, None));
            self.known.insert(id, Known::Dead);
        }
    }

    fn request(&mut self, request: Request) {
        self.world.request(request).expect("it is taken");
    }

    fn apply(&mut self, step: Step) {
        let queue = self.orders;
        let filter = DeadFilter::default();
        match step {
            Step::Enqueue(id) => {
                let enqueue = Enqueue {
                    id: Some(IDS[id]),
                    ..message(queue, "body")
                };
                self.world.command(Command::Enqueue(enqueue));
                if matches!(self.known(id), None | Some(Known::Withdrawn)) {
                    self.known.insert(id, Known::Waiting);
                }
            }
            Step::Claim if !self.world.hold_appends => {
                for delivery in self.world.dequeue(queue, 1) {
                    let id = IDS.iter().position(|id| *id == delivery.id.as_str());
                    let id = id.expect("one of ours");
                    assert_eq!(self.known.get(&id), Some(&Known::Waiting));
                    self.known.insert(id, Known::Leased(delivery.token));
                }
            }
            Step::Ack(at) => self.settle(at, Verdict::Ack),
            Step::Kill(at) => self.settle(at, Verdict::Dead(Reason::Permanent)),
            Step::Cancel(id) => {
                if let Some(Known::Waiting | Known::Leased(_)) = self.known(id) {
                    self.end(id, &(MessageState::Cancelled, None));
                    self.known.insert(id, Known::Withdrawn);
                }
                let id = IDS[id].to_owned();
                self.request(Request::Cancel { queue, id });
            }
            Step::Purge => {
                for id in self.ids_that(|known| *known == Known::Waiting) {
                    self.end(id, &(MessageState::Cancelled, None));
                    self.known.insert(id, Known::Withdrawn);
                }
                self.request(Request::Purge { queue });
            }
            Step::Redrive => {
                for id in self.ids_that(|known| *known == Known::Dead) {
                    self.known.insert(id, Known::Waiting);
                }
                self.request(Request::Redrive {
                    queue,
                    filter,
                    to: None,
                    per_second_milli: None,
                    forget_steps: false,
                });
            }
            Step::RemoveDead => {
                self.known.retain(|_, known| *known != Known::Dead);
                self.request(Request::RemoveDead { queue, filter });
            }
            // What is asked while a record is on its way is answered by what is known when it is there.
            Step::Forget(id) if !self.world.hold_appends => {
                if let Some(Known::Done { .. }) = self.known(id) {
                    self.known.remove(&id);
                    let id = IDS[id].to_owned();
                    self.request(Request::Forget { queue, id });
                }
            }
            Step::Wait(id) => {
                let ticket = self.world.finished(queue, IDS[id]);
                match self.known(id).cloned() {
                    Some(Known::Done { result, .. }) => {
                        let end = (MessageState::Completed, Some(result));
                        self.owed.push((ticket, end));
                    }
                    Some(Known::Dead) => self.owed.push((ticket, (MessageState::Dead, None))),
                    Some(Known::Withdrawn) => {
                        self.owed.push((ticket, (MessageState::Cancelled, None)));
                    }
                    _ => self.waits.push((ticket, id)),
                }
            }
            Step::StopWaiting(at) if !self.waits.is_empty() => {
                let (ticket, _) = self.waits.remove(at % self.waits.len());
                let now = Timestamp(self.world.now);
                let command = Command::StopWaiting;
                self.world
                    .engine
                    .handle_command(now, Ticket(ticket), command);
                self.world.run();
                let answer = self.world.answer(ticket);
                assert!(matches!(answer, Some(Ok(Answer::Value(0)))), "{answer:?}");
            }
            Step::Advance(ms) if !self.world.hold_appends => self.world.advance(ms),
            Step::Churn if !self.world.hold_appends => {
                let filler = "f".repeat(900);
                for _ in 0..12 {
                    let churned = self.churned;
                    let (.., id) = self.world.try_enqueue(message(churned, &filler)).unwrap();
                    self.request(Request::Cancel { queue: churned, id });
                }
            }
            Step::Hold => self.world.hold_appends = true,
            Step::Release => self.release(),
            Step::Crash => {
                self.release();
                self.check();
                self.waits.clear();
                let disk = self.world.disk.clone();
                let (now, config) = (self.world.now, self.world.config.clone());
                self.world = World::open(disk, now, config).expect("it opens");
                for id in self.ids_that(|known| matches!(known, Known::Leased(_))) {
                    self.known.insert(id, Known::Waiting);
                }
                self.known.retain(|_, known| *known != Known::Withdrawn);
            }
            _ => {}
        }
        if !self.world.hold_appends {
            self.check();
        }
    }

    fn release(&mut self) {
        self.world.hold_appends = false;
        while self.world.held.is_some() {
            self.world.land();
        }
    }

    /// Everything owed was told, nobody was told too early, and what is remembered is shown.
    fn check(&mut self) {
        for (ticket, end) in std::mem::take(&mut self.owed) {
            let (info, result) = self.world.end(ticket).expect("it was told");
            assert_eq!((info.state, result), end);
        }
        for (ticket, id) in &self.waits {
            let answer = self.world.replies.get(ticket);
            assert!(
                answer.is_none(),
                "{answer:?} although '{}' goes on",
                IDS[*id]
            );
        }
        for (id, text) in IDS.into_iter().enumerate() {
            let shown = self.world.outcome(self.orders, text);
            let expected = self.known(id).cloned().and_then(|known| match known {
                Known::Done { result, .. } => Some((MessageState::Completed, Some(result))),
                Known::Dead => Some((MessageState::Dead, None)),
                Known::Leased(_) => Some((MessageState::Leased, None)),
                Known::Waiting => Some((MessageState::Ready, None)),
                Known::Withdrawn => None,
            });
            match (shown, expected) {
                (Some((state, _)), Some((expected, None))) => assert_eq!(state, expected),
                (shown, expected) => assert_eq!(shown, expected),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_wait_is_told_the_end_of_its_message_and_nothing_else(steps in vec(step(), 1..70)) {
        let mut test = Test::new();
        for step in steps {
            test.apply(step);
        }
        test.release();
        test.check();
        test.world.audit();
    }
}
