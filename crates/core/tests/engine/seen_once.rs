//! At-most-once under a long random script of pauses, closings, aborts and cleaning, cut off after every [S6]
//! append: nobody sees a message twice, and without a crash none is lost.

use std::collections::{BTreeMap, BTreeSet};

use ackbox_core::command::*;
use ackbox_core::config::{Config, Guarantee, QueueOptions};
use ackbox_core::effect::{Answer, Delivery};

use crate::support::{Disk, World, message};

const SLOTS: u32 = 3;

struct Script {
    world: World,
    queue: QueueId,
    random: u64,
    worker: Option<WorkerId>,
    waiting: BTreeSet<Ticket>,
    accepted: BTreeSet<String>,
    cancelled: BTreeSet<String>,
    /// Tickets of those requests.
    cancels: Vec<u64>,
    /// Deliveries that code of the user saw, by id.
    seen: BTreeMap<String, u32>,
    running: Vec<Delivery>,
    cuts: u64,
    declined: u64,
}

fn config() -> Config {
    Config {
        segment_bytes: 8 << 10,
        max_memory_bytes: 2000,
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

    /// Lands the append in flight, checking first what a crash before and after it leaves.
    fn land(&mut self) {
        self.take_in();
        if let Some((segment, bytes)) = self.world.held.clone() {
            self.check(self.world.disk.clone());
            let mut disk = self.world.disk.clone();
            disk.entry(segment).or_default().extend(bytes);
            self.check(disk);
            self.world.land();
        }
        if self.next(2) == 0 {
            self.world.answer_reads();
        }
        self.take_in();
    }

    /// Code of the user sees some deliveries, and never some others.
    fn take_in(&mut self) {
        while let Some(delivery) = self.world.deliveries.pop_front() {
            if self.next(4) == 0 {
                self.declined += 1;
                self.world.unanswered(Command::Declined {
                    token: delivery.token,
                });
            } else {
                *self.seen.entry(delivery.id.to_string()).or_default() += 1;
                self.running.push(delivery);
            }
        }
        for receipt in std::mem::take(&mut self.world.receipts) {
            self.accepted.insert(receipt.4);
        }
    }

    /// A new owner hands out nothing that was seen, and nothing twice.
    fn check(&mut self, disk: Disk) {
        self.cuts += 1;
        let mut heir = World::open(disk, self.world.now, config()).expect("it opens");
        heir.value(Request::ResumeQueue { queue: self.queue });
        heir.worker(self.queue, 1000);
        let mut found = BTreeSet::new();
        while let Some(delivery) = heir.deliveries.pop_front() {
            let id = delivery.id.to_string();
            assert!(!self.seen.contains_key(&id), "{id} was seen before");
            assert!(found.insert(id), "delivered twice");
            heir.ack(delivery.token);
        }
    }

    fn step(&mut self) {
        let queue = self.queue;
        match self.next(12) {
            0..4 => {
                let text = "b".repeat(self.next(300) as usize);
                let (group, id) = (format!("g{}", self.next(3)), format!("id-{}", self.random));
                let enqueue = Enqueue {
                    group: (self.next(2) == 0).then_some(group.as_str()),
                    id: (self.next(2) == 0).then_some(id.as_str()),
                    ..message(queue, &text)
                };
                self.world.command(Command::Enqueue(enqueue));
            }
            4..6 => {
                if let Some(delivery) = self.running.pop() {
                    self.world.unanswered(Command::Settle(Settle {
                        token: delivery.token,
                        verdict: Verdict::Ack,
                        returned: true,
                        result: b"",
                        error: b"",
                    }));
                }
            }
            6 => self.turn_worker(),
            7 => {
                let ticket = self.world.command(Command::Dequeue {
                    queue,
                    max: 2,
                    lease_ms: None,
                    wait_ms: 1000,
                });
                self.waiting.insert(Ticket(ticket));
            }
            8 => {
                if let Some(ticket) = self.waiting.pop_first() {
                    self.world.unanswered_as(ticket, Command::StopWaiting);
                }
            }
            9 => {
                let request = if self.next(2) == 0 {
                    Request::PauseQueue { queue }
                } else {
                    Request::ResumeQueue { queue }
                };
                self.world.request(request).unwrap();
            }
            10 => {
                self.take_in();
                let mut unseen = self
                    .accepted
                    .iter()
                    .filter(|id| !self.seen.contains_key(*id) && !self.cancelled.contains(*id));
                if let Some(id) = unseen.next_back().cloned() {
                    self.cancelled.insert(id.clone());
                    let cancel = self.world.request(Request::Cancel { queue, id });
                    self.cancels.push(cancel.unwrap());
                }
            }
            _ => self.land(),
        }
    }

    fn turn_worker(&mut self) {
        let turn = self.next(3);
        match (self.worker, turn) {
            (None, _) => self.worker = Some(self.world.worker(self.queue, SLOTS)),
            (Some(worker), 0) => {
                self.worker = None;
                let closing = self.world.request(Request::CloseWorker { worker });
                closing.expect("it is open");
            }
            (Some(worker), 1) => drop(self.world.at_once(Request::PauseWorker { worker })),
            (Some(worker), _) => drop(self.world.at_once(Request::ResumeWorker { worker })),
        }
    }
}

#[test]
fn nobody_sees_a_message_twice_and_none_is_lost() {
    for seed in 1..=3 {
        let mut world = World::with_config(config());
        let options = QueueOptions {
            guarantee: Some(Guarantee::AtMostOnce),
            ..QueueOptions::default()
        };
        let queue = world.define("mails", options);
        (world.hold_appends, world.hold_reads) = (true, true);
        let mut script = Script {
            world,
            queue,
            random: seed,
            worker: None,
            waiting: BTreeSet::new(),
            accepted: BTreeSet::new(),
            cancelled: BTreeSet::new(),
            cancels: Vec::new(),
            seen: BTreeMap::new(),
            running: Vec::new(),
            cuts: 0,
            declined: 0,
        };
        for step in 0..500 {
            script.step();
            if step % 4 == 0 {
                script.land();
            }
        }
        let Script {
            mut world,
            running,
            mut seen,
            accepted,
            cancelled,
            cancels,
            cuts,
            declined,
            ..
        } = script;
        (world.hold_appends, world.hold_reads) = (false, false);
        while world.held.is_some() || !world.held_reads.is_empty() {
            world.answer_reads();
            if world.held.is_some() {
                world.land();
            }
        }
        for cancel in cancels {
            let answer = world.answer(cancel);
            assert!(matches!(answer, Some(Ok(Answer::Value(1)))), "{answer:?}");
        }
        let late: Vec<String> = world
            .receipts
            .iter()
            .map(|receipt| receipt.4.clone())
            .collect();
        for delivery in running {
            world.ack(delivery.token);
        }
        world.value(Request::ResumeQueue { queue });
        world.worker(queue, 10);
        while let Some(delivery) = world.deliveries.pop_front() {
            *seen.entry(delivery.id.to_string()).or_default() += 1;
            world.ack(delivery.token);
        }
        assert!(
            cuts > 200 && declined > 10,
            "{cuts} cuts, {declined} declined"
        );
        assert!(
            seen.values().all(|times| *times == 1),
            "seen more than once"
        );
        for id in accepted.into_iter().chain(late) {
            assert_ne!(
                seen.contains_key(&id),
                cancelled.contains(&id),
                "{id} is seen unless it was cancelled before"
            );
        }
        assert!(world.box_stats().cleaned_segments > 0, "it was cleaned");
        let stats = world.stats(queue);
        assert_eq!(stats.delivered, seen.len() as u64);
        assert_eq!(stats.acked, stats.delivered);
        world.audit();
    }
}
