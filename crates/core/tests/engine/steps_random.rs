//! Steps and transactions under whatever happens to messages and at a crash anywhere. [S14, S15, A5 transaction]
//!
//! The model is naive: which messages there are, and what was recorded of each. It keeps what it looked like
//! after every command. What a crash leaves must be one of these looks, whole, and none from before the last
//! command that was answered.

use std::collections::{BTreeMap, BTreeSet};

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::Answer;
use ackbox_core::error::ErrorCode;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::support::{World, message};

const LEASE: u64 = 1000;
const NAMES: [&str; 4] = ["reserve", "charge", "ship", "notify"];

/// What happens; numbers are taken modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Event {
    Enqueue,
    Claim,
    Record {
        delivery: usize,
        name: usize,
        gives: bool,
    },
    Recall {
        delivery: usize,
        name: usize,
    },
    Settle {
        delivery: usize,
        verdict: Verdict,
    },
    /// Acknowledges one delivery, and enqueues so many messages with it.
    Transact {
        delivery: usize,
        messages: usize,
    },
    Redrive {
        forget_steps: bool,
    },
    Cancel(usize),
    LoseLeases,
    Churn,
    Hold,
    Land,
    Release,
    /// Of the append that is held so many thousandths are written.
    Crash(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let (delivery, name) = (0..8_usize, 0..NAMES.len());
    let verdict = prop_oneof![
        2 => Just(Verdict::Ack),
        3 => Just(Verdict::Reject { delay_ms: Some(0) }),
        2 => Just(Verdict::Return),
        2 => Just(Verdict::Dead(Reason::Permanent)),
    ];
    prop_oneof![
        5 => Just(Event::Enqueue),
        8 => Just(Event::Claim),
        10 => (delivery.clone(), name.clone(), any::<bool>())
            .prop_map(|(delivery, name, gives)| Event::Record { delivery, name, gives }),
        8 => (delivery.clone(), name).prop_map(|(delivery, name)| Event::Recall { delivery, name }),
        6 => (delivery.clone(), verdict)
            .prop_map(|(delivery, verdict)| Event::Settle { delivery, verdict }),
        2 => (delivery.clone(), 1..3_usize)
            .prop_map(|(delivery, messages)| Event::Transact { delivery, messages }),
        2 => any::<bool>().prop_map(|forget_steps| Event::Redrive { forget_steps }),
        1 => delivery.prop_map(Event::Cancel),
        1 => Just(Event::LoseLeases),
        2 => Just(Event::Churn),
        4 => Just(Event::Hold),
        4 => Just(Event::Land),
        2 => Just(Event::Release),
        3 => (0..=1000_usize).prop_map(Event::Crash),
    ]
}

type Recorded = BTreeMap<String, Option<String>>;
/// What was recorded of every message there is.
type Look = BTreeMap<String, Recorded>;

struct Test {
    world: World,
    orders: QueueId,
    churned: QueueId,
    messages: u64,
    results: u64,
    look: Look,
    dead: BTreeSet<String>,
    /// Deliveries that may be settled.
    held: Vec<(String, Token)>,
    last_token: Token,
    /// Looks that a crash may leave, the oldest first.
    looks: Vec<Look>,
    /// Tickets that say, once answered, that so much of the looks is durable.
    confirming: Vec<(u64, usize)>,
    /// Tickets of questions, and what they must be told.
    asked: Vec<(u64, Option<Option<String>>)>,
}

impl Test {
    fn new() -> Self {
        let mut world = World::with_config(Config {
            segment_bytes: 8 << 10,
            max_memory_bytes: 2000,
            ..Config::default()
        });
        let options = QueueOptions {
            max_attempts: Some(u32::MAX),
            lease_ms: Some(LEASE),
            ..QueueOptions::default()
        };
        let (orders, churned) = (
            world.define("orders", options),
            world.define("churned", QueueOptions::default()),
        );
        world.enqueue(churned, "both queues are durable");
        Self {
            world,
            orders,
            churned,
            messages: 0,
            results: 0,
            look: Look::new(),
            dead: BTreeSet::new(),
            held: Vec::new(),
            last_token: Token(0),
            looks: vec![Look::new()],
            confirming: Vec::new(),
            asked: Vec::new(),
        }
    }

    fn delivery(&self, index: usize) -> Option<(usize, String, Token)> {
        let at = index.checked_rem(self.held.len())?;
        let (id, token) = self.held[at].clone();
        Some((at, id, token))
    }

    /// The answer to this ticket says that what the model looks like now is durable.
    fn changed(&mut self, ticket: u64) {
        self.looks.push(self.look.clone());
        self.confirming.push((ticket, self.looks.len() - 1));
    }

    fn new_id(&mut self) -> String {
        self.messages += 1;
        format!("m{}", self.messages)
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Enqueue => {
                let id = self.new_id();
                self.look.insert(id.clone(), Recorded::new());
                let enqueue = Enqueue {
                    id: Some(&id),
                    ..message(self.orders, "body")
                };
                let ticket = self.world.command(Command::Enqueue(enqueue));
                self.changed(ticket);
            }
            Event::Claim => {
                let (queue, max) = (self.orders, 1);
                self.world.command(Command::Dequeue {
                    queue,
                    max,
                    lease_ms: None,
                    wait_ms: 0,
                });
            }
            Event::Record {
                delivery,
                name,
                gives,
            } => self.record(delivery, NAMES[name], gives),
            Event::Recall { delivery, name } => {
                let Some((_, id, token)) = self.delivery(delivery) else {
                    return;
                };
                let name = NAMES[name];
                let ticket = self.world.command(Command::RecallStep { token, name });
                self.asked.push((ticket, self.look[&id].get(name).cloned()));
            }
            Event::Settle { delivery, verdict } => self.settle(delivery, verdict),
            Event::Transact { delivery, messages } => self.transact(delivery, messages),
            Event::Redrive { forget_steps } => {
                for id in std::mem::take(&mut self.dead) {
                    if forget_steps {
                        self.look.get_mut(&id).expect("it is dead").clear();
                    }
                }
                let redrive = Request::Redrive {
                    queue: self.orders,
                    filter: DeadFilter::default(),
                    to: None,
                    per_second_milli: None,
                    forget_steps,
                };
                let ticket = self.world.request(redrive).expect("it is taken");
                self.changed(ticket);
            }
            Event::Cancel(index) => {
                let ids = self.look.keys().filter(|id| !self.dead.contains(*id));
                let ids: Vec<String> = ids.cloned().collect();
                let Some(at) = index.checked_rem(ids.len()) else {
                    return;
                };
                let (queue, id) = (self.orders, ids[at].clone());
                self.look.remove(&id);
                self.held.retain(|(held, _)| *held != id);
                let cancel = Request::Cancel { queue, id };
                let ticket = self.world.request(cancel).expect("it is taken");
                self.changed(ticket);
            }
            Event::LoseLeases => {
                self.world.advance(LEASE + 1);
                self.held.clear();
            }
            Event::Churn => {
                let filler = "f".repeat(900);
                for _ in 0..8 {
                    let filler = message(self.churned, &filler);
                    self.world.command(Command::Enqueue(filler));
                }
                let queue = self.churned;
                self.world.request(Request::Purge { queue }).expect("taken");
            }
            Event::Hold => self.world.hold_appends = true,
            Event::Land if self.world.held.is_some() => self.world.land(),
            Event::Land => {}
            Event::Release => self.release(),
            Event::Crash(thousandths) => self.crash(thousandths),
        }
        self.hear();
    }

    fn record(&mut self, delivery: usize, name: &'static str, gives: bool) {
        let Some((_, id, token)) = self.delivery(delivery) else {
            return;
        };
        self.results += 1;
        let result = gives.then(|| format!("{} {}", self.results, "r".repeat(200)));
        let ticket = self.world.command(Command::RecordStep(RecordStep {
            token,
            name,
            result: result.as_deref().map(str::as_bytes),
        }));
        let recorded = self.look.get_mut(&id).expect("it is delivered");
        if recorded.contains_key(name) {
            let answer = self
                .world
                .answer(ticket)
                .expect("a refusal waits for nothing");
            let refused = answer.expect_err("a recorded step never runs again");
            assert_eq!(refused.code, ErrorCode::InvalidOption);
            return;
        }
        recorded.insert(name.to_owned(), result);
        self.changed(ticket);
    }

    fn settle(&mut self, delivery: usize, verdict: Verdict) {
        let Some((at, id, token)) = self.delivery(delivery) else {
            return;
        };
        self.held.remove(at);
        match verdict {
            Verdict::Ack => drop(self.look.remove(&id)),
            Verdict::Dead(_) => drop(self.dead.insert(id)),
            _ => {}
        }
        let ticket = self.world.command(Command::Settle(end(token, verdict)));
        self.changed(ticket);
    }

    fn transact(&mut self, delivery: usize, messages: usize) {
        let Some((at, id, token)) = self.delivery(delivery) else {
            return;
        };
        self.held.remove(at);
        self.look.remove(&id);
        let ids: Vec<String> = (0..messages).map(|_| self.new_id()).collect();
        let enqueues = ids.iter().map(|id| Enqueue {
            id: Some(id),
            ..message(self.orders, "body")
        });
        let enqueues = enqueues.collect();
        let ticket = self.world.command(Command::Transaction(Transaction {
            settles: vec![end(token, Verdict::Ack)],
            enqueues,
        }));
        self.look
            .extend(ids.into_iter().map(|id| (id, Recorded::new())));
        self.changed(ticket);
    }

    fn release(&mut self) {
        self.world.hold_appends = false;
        while self.world.held.is_some() {
            self.world.land();
        }
    }

    /// Takes what the world has told, and holds it against the model.
    fn hear(&mut self) {
        for delivery in std::mem::take(&mut self.world.deliveries) {
            assert!(delivery.token > self.last_token, "tokens only grow");
            self.last_token = delivery.token;
            let id = delivery.id.to_string();
            // One that waited for the storage may be withdrawn or lost again by now.
            if self
                .world
                .aborts
                .iter()
                .any(|(token, _)| *token == delivery.token)
            {
                continue;
            }
            assert_eq!(delivery.steps as usize, self.look[&id].len(), "{id}");
            self.held.push((id, delivery.token));
        }
        let world = &mut self.world;
        self.asked.retain(|(ticket, expected)| {
            let Some(answer) = world.answer(*ticket) else {
                return true;
            };
            let told = match answer.expect("what is recorded is told") {
                Answer::Value(0) => None,
                Answer::Value(1) => Some(None),
                Answer::Value(2) => {
                    let (_, intact, content) = world.bodies.remove(ticket).unwrap().remove(0);
                    assert!(intact);
                    Some(Some(String::from_utf8(content.body().to_vec()).unwrap()))
                }
                other => panic!("expected what a step gave, got {other:?}"),
            };
            assert_eq!(
                told, *expected,
                "a recorded step is told as it was recorded"
            );
            false
        });
        let mut durable = 0;
        let receipts = std::mem::take(&mut world.receipts);
        self.confirming.retain(|(ticket, look)| {
            let is_accepted = receipts.iter().any(|receipt| receipt.0 == *ticket);
            let answer = world.answer(*ticket);
            assert!(!matches!(answer, Some(Err(_))), "{answer:?}");
            if is_accepted || answer.is_some() {
                durable = durable.max(*look);
            }
            !is_accepted && answer.is_none()
        });
        self.looks.drain(..durable);
        for (_, look) in &mut self.confirming {
            *look = look.saturating_sub(durable);
        }
    }

    /// The process dies within an append; another one finds what is on the disk.
    fn crash(&mut self, thousandths: usize) {
        let mut disk = self.world.disk.clone();
        if let Some((segment, bytes)) = &self.world.held {
            let written = bytes.len() * thousandths / 1000;
            if written > 0 {
                disk.entry(*segment).or_default().extend(&bytes[..written]);
            }
        }
        let (now, config) = (self.world.now, self.world.config.clone());
        self.world = World::open(disk, now, config).expect("what a crash leaves can be opened");
        self.look = self.found();
        assert!(
            self.looks.contains(&self.look),
            "found {:?}, expected one of {:?}",
            self.look,
            self.looks
        );
        self.looks = vec![self.look.clone()];
        self.held.clear();
        self.asked.clear();
        self.confirming.clear();
        let dead = self.world.dead(self.orders).into_iter();
        self.dead = dead.map(|letter| letter.id).collect();
    }

    /// What a new owner finds.
    fn found(&mut self) -> Look {
        let queue = self.orders;
        let ids: Vec<String> = self
            .world
            .peek(queue, None)
            .into_iter()
            .map(|info| info.id)
            .collect();
        let looks = ids.into_iter().map(|id| {
            let steps = self.world.shown_steps(Request::Get {
                queue,
                id: id.clone(),
            });
            (id, steps.into_iter().collect())
        });
        looks.collect()
    }
}

fn end<'a>(token: Token, verdict: Verdict) -> Settle<'a> {
    Settle {
        token,
        verdict,
        returned: true,
        result: b"",
        error: b"",
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 80,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(15),
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_recorded_never_runs_again_and_no_transaction_is_half_there(events in vec(event(), 1..150)) {
        let mut test = Test::new();
        for event in events {
            test.apply(event);
        }
        test.release();
        test.hear();
        prop_assert!(test.asked.is_empty() && test.confirming.is_empty());
        let found = test.found();
        prop_assert_eq!(&found, &test.look);
        test.world.audit();
    }
}
