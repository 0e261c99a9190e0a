//! A long random script with workers, cut off after every append and in the middle of every append.

use std::collections::BTreeSet;

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::policy::backoff::{Backoff, Jitter};

use crate::support::{Disk, World, message};

/// What had been told when an append began.
#[derive(Clone, Default)]
struct Told {
    accepted: BTreeSet<String>,
    acked: BTreeSet<String>,
    /// Acknowledged or withdrawn by a command that may or may not have become durable.
    asked_away: BTreeSet<String>,
}

struct Script {
    world: World,
    told: Told,
    random: u64,
    cuts: u64,
    deliveries: u64,
}

fn config() -> Config {
    Config {
        segment_bytes: 8 << 10,
        max_memory_bytes: 4000,
        ..Config::default()
    }
}

impl Script {
    fn next(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// Lands the append in flight, checking first what a crash just before, in and just after it leaves.
    fn land(&mut self) {
        while let Some((segment, bytes)) = self.world.held.clone() {
            let before = self.world.disk.clone();
            let torn = 1 + self.next(bytes.len() as u64 - 1) as usize;
            for written in [0, torn, bytes.len()] {
                let mut disk = before.clone();
                if written > 0 {
                    disk.entry(segment).or_default().extend(&bytes[..written]);
                }
                self.check(disk);
            }
            self.world.land();
            self.note();
        }
    }

    fn note(&mut self) {
        for receipt in std::mem::take(&mut self.world.receipts) {
            self.told.accepted.insert(receipt.4);
        }
    }

    /// A new owner finds everything that was told, and nothing twice.
    fn check(&mut self, disk: Disk) {
        self.cuts += 1;
        let mut other = World::open(disk, self.world.now, config()).expect("it opens");
        let mut live = BTreeSet::new();
        let ackbox_core::effect::Object::Queues(queues) = other.at_once(Request::Queues {}) else {
            panic!("queues")
        };
        for queue in 0..queues.len() as u32 {
            for info in other.peek(QueueId(queue), None) {
                assert!(live.insert(info.id.clone()), "{} is there twice", info.id);
                assert_ne!(
                    info.state,
                    MessageState::Leased,
                    "no lease survives its owner"
                );
            }
        }
        for id in &self.told.accepted {
            let expected = !self.told.asked_away.contains(id);
            assert!(
                live.contains(id) || !expected,
                "{id} was accepted and is lost"
            );
        }
        for id in &self.told.acked {
            assert!(!live.contains(id), "{id} was acknowledged and is back");
        }
    }

    fn step(&mut self, queue: QueueId) {
        match self.next(10) {
            0..4 => {
                let text = "b".repeat(self.next(400) as usize);
                let group = format!("g{}", self.next(3));
                let enqueue = Enqueue {
                    group: (self.next(3) == 0).then_some(group.as_str()),
                    delay_ms: (self.next(4) == 0).then(|| self.next(500)),
                    ttl_ms: (self.next(8) == 0).then(|| 1 + self.next(500)),
                    ..message(queue, &text)
                };
                self.world.command(Command::Enqueue(enqueue));
            }
            4..8 => {
                if let Some(delivery) = self.world.deliveries.pop_front() {
                    self.deliveries += 1;
                    let verdict = match self.next(6) {
                        0 => Verdict::Reject { delay_ms: None },
                        1 => Verdict::Return,
                        2 => Verdict::Dead(Reason::Permanent),
                        _ => Verdict::Ack,
                    };
                    if verdict == Verdict::Ack {
                        self.told.asked_away.insert(delivery.id.to_string());
                    }
                    let settle = Settle {
                        token: delivery.token,
                        verdict,
                        returned: true,
                        result: b"r",
                        error: b"e",
                    };
                    let ticket = self.world.command(Command::Settle(settle));
                    if self.next(2) == 0 {
                        self.land();
                        if verdict == Verdict::Ack
                            && self
                                .world
                                .answer(ticket)
                                .is_some_and(|answer| answer.is_ok())
                        {
                            self.told.acked.insert(delivery.id.into());
                        }
                    }
                }
            }
            8 => {
                let ms = self.next(200);
                self.land();
                self.world.now += ms;
                self.world.run();
            }
            _ => match self.next(4) {
                0 => drop(self.world.request(Request::Redrive {
                    queue,
                    filter: DeadFilter::default(),
                    to: None,
                    per_second_milli: None,
                    forget_steps: false,
                })),
                1 => {
                    let filter = DeadFilter {
                        limit: Some(1),
                        ..DeadFilter::default()
                    };
                    if let Some(info) = {
                        self.land();
                        self.world.hold_appends = false;
                        let dead = self.world.dead(queue);
                        self.world.hold_appends = true;
                        dead
                    }
                    .into_iter()
                    .next()
                    {
                        self.told.asked_away.insert(info.id);
                        drop(self.world.request(Request::RemoveDead { queue, filter }));
                    }
                }
                _ => self.land(),
            },
        }
    }
}

#[test]
fn whatever_was_told_is_true_after_a_crash_at_any_point() {
    for seed in 1..=4 {
        let mut world = World::with_config(config());
        let options = QueueOptions {
            max_attempts: Some(2),
            backoff: Some(Backoff::Constant {
                ms: 30,
                jitter: Jitter::None,
            }),
            ..QueueOptions::default()
        };
        let orders = world.define("orders", options);
        world.worker(orders, 3);
        world.hold_appends = true;
        let mut script = Script {
            world,
            told: Told::default(),
            random: seed,
            cuts: 0,
            deliveries: 0,
        };
        for step in 0..400 {
            script.step(orders);
            if step % 3 == 0 {
                script.land();
            }
            script.note();
        }
        script.land();
        assert!(
            script.cuts > 300 && script.deliveries > 50,
            "{} cuts, {} deliveries",
            script.cuts,
            script.deliveries
        );
        assert!(
            script.world.box_stats().cleaned_segments > 0,
            "cleaning was cut off as well"
        );
        script.world.hold_appends = false;
        script.world.audit();
    }
}
