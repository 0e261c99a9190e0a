//! Random transactions, cut off by crashes at any byte, against a plain list of what happened. [A5 transaction]

use std::collections::{BTreeMap, BTreeSet};

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::{Answer, Delivery};

use crate::support::{Disk, World, message};

/// What one command did.
#[derive(Clone, Debug)]
struct Unit {
    ticket: u64,
    enqueued: Vec<(QueueId, String)>,
    acked: Vec<(QueueId, String)>,
    dead: Vec<(QueueId, String)>,
    /// It was told that it is durable.
    told: bool,
}

/// A box, and the list of all units that it took, in their order.
struct Script {
    world: World,
    queues: [QueueId; 2],
    units: Vec<Unit>,
    /// Handed out and not settled.
    open: Vec<Delivery>,
    ids: u64,
    random: u64,
    crashes: u64,
    cut: u64,
}

fn config() -> Config {
    Config {
        segment_bytes: 8 << 10,
        ..Config::default()
    }
}

type States = BTreeMap<(QueueId, String), MessageState>;

impl Script {
    fn new(seed: u64) -> Self {
        let mut world = World::with_config(config());
        let queues = ["one", "two"].map(|name| world.define(name, QueueOptions::default()));
        world.hold_appends = true;
        let mut script = Self {
            world,
            queues,
            units: Vec::new(),
            open: Vec::new(),
            ids: 0,
            random: seed,
            crashes: 0,
            cut: 0,
        };
        script.work();
        script
    }

    fn work(&mut self) {
        for queue in self.queues {
            self.world.worker(queue, 4);
        }
    }

    fn next(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// Up to four deliveries that end and up to four messages that begin, in one transaction.
    fn transact(&mut self) {
        let ends = self.next(4).min(self.open.len() as u64);
        let mut unit = Unit {
            ticket: 0,
            enqueued: Vec::new(),
            acked: Vec::new(),
            dead: Vec::new(),
            told: false,
        };
        let mut settles = Vec::new();
        for _ in 0..ends {
            let chosen = self.next(self.open.len() as u64) as usize;
            let delivery = self.open.swap_remove(chosen);
            let message = (delivery.queue, delivery.id.to_string());
            let verdict = if self.next(4) == 0 {
                unit.dead.push(message);
                Verdict::Dead(Reason::Permanent)
            } else {
                unit.acked.push(message);
                Verdict::Ack
            };
            settles.push(Settle {
                token: delivery.token,
                verdict,
                returned: self.next(2) == 0,
                result: b"r",
                error: b"",
            });
        }
        for _ in 0..self.next(5) {
            self.ids += 1;
            let queue = self.queues[self.next(2) as usize];
            unit.enqueued.push((queue, format!("m{}", self.ids)));
        }
        let text = "x".repeat(self.next(300) as usize);
        let enqueues = unit.enqueued.iter().map(|(queue, id)| Enqueue {
            id: Some(id),
            ..message(*queue, &text)
        });
        let enqueues = enqueues.collect();
        let returned: Vec<Token> = settles
            .iter()
            .filter_map(|settle| (!settle.returned).then_some(settle.token))
            .collect();
        unit.ticket = self
            .world
            .command(Command::Transaction(Transaction { settles, enqueues }));
        for token in returned {
            self.world.unanswered(Command::Returned { token });
        }
        if !(unit.enqueued.is_empty() && unit.acked.is_empty() && unit.dead.is_empty()) {
            self.units.push(unit);
        }
    }

    /// A transaction with a message too many: nothing of it may ever be seen.
    fn transact_in_vain(&mut self) {
        let Some(delivery) = self.open.last() else {
            return;
        };
        let settles = vec![Settle {
            token: delivery.token,
            verdict: Verdict::Ack,
            returned: true,
            result: b"",
            error: b"",
        }];
        let with_id = |id| Enqueue {
            id: Some(id),
            ..message(self.queues[0], "")
        };
        let enqueues = vec![with_id("in vain"), message(QueueId(9), "")];
        let unit = Transaction { settles, enqueues };
        let ticket = self.world.command(Command::Transaction(unit));
        assert!(
            self.world
                .answer(ticket)
                .is_some_and(|answer| answer.is_err())
        );
    }

    fn listen(&mut self) {
        self.open.extend(self.world.deliveries.drain(..));
        for unit in self.units.iter_mut().filter(|unit| !unit.told) {
            match self.world.answer(unit.ticket) {
                None => {}
                Some(Ok(Answer::Value(_))) => unit.told = true,
                Some(other) => panic!("{unit:?} was answered with {other:?}"),
            }
        }
    }

    /// What the first `count` units lead to.
    fn fold(&self, count: usize) -> States {
        let mut states = States::new();
        for unit in &self.units[..count] {
            let ready = unit.enqueued.iter().map(|key| (key, MessageState::Ready));
            let acked = unit.acked.iter().map(|key| (key, MessageState::Completed));
            let dead = unit.dead.iter().map(|key| (key, MessageState::Dead));
            states.extend(
                ready
                    .chain(acked)
                    .chain(dead)
                    .map(|(key, state)| (key.clone(), state)),
            );
        }
        states
    }

    /// What a new owner finds.
    fn found(&self, world: &mut World) -> States {
        let keys: BTreeSet<&(QueueId, String)> =
            self.units.iter().flat_map(|unit| &unit.enqueued).collect();
        let mut states = States::new();
        for (queue, id) in keys {
            if let Some(state) = world.state(*queue, id) {
                states.insert((*queue, id.clone()), state);
            }
        }
        assert_eq!(world.state(self.queues[0], "in vain"), None);
        states
    }

    fn crash(&mut self) {
        self.crashes += 1;
        let mut disk: Disk = self.world.disk.clone();
        if let Some((segment, bytes)) = self.world.held.clone() {
            let written = self.next(bytes.len() as u64 + 1) as usize;
            if written > 0 {
                disk.entry(segment).or_default().extend(&bytes[..written]);
            }
        }
        let mut world = World::open(disk, self.world.now, config()).expect("it opens");
        let found = self.found(&mut world);
        let least = self
            .units
            .iter()
            .rposition(|unit| unit.told)
            .map_or(0, |last| last + 1);
        let kept = (least..=self.units.len()).find(|count| self.fold(*count) == found);
        let kept =
            kept.unwrap_or_else(|| panic!("no whole number of transactions leads to {found:?}"));
        self.cut += (self.units.len() - kept) as u64;
        self.units.truncate(kept);
        for unit in &mut self.units {
            unit.told = true;
        }
        self.open.clear();
        self.world = world;
        self.world.hold_appends = true;
        self.work();
    }
}

#[test]
fn no_transaction_is_ever_half_visible() {
    let (mut crashes, mut cut, mut units) = (0, 0, 0);
    for seed in 0..5 {
        let mut script = Script::new(seed);
        for _ in 0..400 {
            match script.next(20) {
                0 => script.crash(),
                1 => script.transact_in_vain(),
                2..=9 if script.world.held.is_some() => script.world.land(),
                _ => script.transact(),
            }
            script.listen();
        }
        while script.world.held.is_some() {
            script.world.land();
        }
        script.listen();
        assert!(script.units.iter().all(|unit| unit.told));
        script.crash();
        script.world.hold_appends = false;
        units += script.units.len();
        (crashes, cut) = (crashes + script.crashes, cut + script.cut);
    }
    assert!(
        crashes > 60 && cut > 60 && units > 400,
        "{crashes} crashes cut {cut} of {units}"
    );
}
