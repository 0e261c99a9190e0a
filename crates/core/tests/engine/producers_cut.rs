//! Numbered producers cut off: by crashes at any byte, and by storages without room. [S13, A5 producer, A8 clean]

use std::collections::{BTreeMap, BTreeSet};

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};
use ackbox_core::effect::ProducerOpened;
use ackbox_core::error::ErrorCode;

use crate::producers::{open_producer, produce, send, told};
use crate::support::{Disk, World, message};

#[test]
fn a_crash_at_any_byte_leaves_a_message_with_its_sequence_or_neither() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let importer = open_producer(&mut world, "importer");
    world.hold_appends = true;
    for sequence in [1, 2, 4] {
        send(&mut world, importer, sequence, message(orders, "x"));
        if sequence == 1 {
            world.land();
        }
    }
    world.land();
    world.land();
    send(&mut world, importer, 3, message(orders, "x"));
    let (segment, bytes) = world.held.clone().expect("an append is held");
    for written in 0..=bytes.len() {
        let mut disk = world.disk.clone();
        disk.entry(segment).or_default().extend(&bytes[..written]);
        let mut found = World::open(disk, world.now, Config::default()).expect("it opens");
        let opened = open_producer(&mut found, "importer");
        let expected = if written == bytes.len() {
            (5, 4)
        } else {
            (3, 3)
        };
        assert_eq!((opened.sequence, found.stats(orders).ready), expected);
    }
}

#[test]
fn without_room_all_that_a_producer_has_under_way_is_refused_and_taken_anew() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let importer = open_producer(&mut world, "importer");
    let other = open_producer(&mut world, "other");
    produce(&mut world, importer, 1, message(orders, "1")).expect("taken");
    world.hold_appends = true;
    let mut tickets: Vec<u64> = [2, 3, 5, 2]
        .map(|sequence| send(&mut world, importer, sequence, message(orders, "x")))
        .into();
    // These wait for the next append, which is not the one that fails.
    tickets.extend(
        [4, 1000].map(|sequence| send(&mut world, importer, sequence, message(orders, "x"))),
    );
    let spared = send(&mut world, other, 1, message(orders, "other"));
    let name = "importer".to_owned();
    let reopened = world
        .request(Request::OpenProducer { name })
        .expect("taken");
    world.fail_append(true);
    for ticket in tickets {
        let refused = told(&mut world, ticket)
            .expect("answered")
            .expect_err("refused");
        assert_eq!(refused.code, ErrorCode::StorageFull);
    }
    world.land();
    world.hold_appends = false;
    assert_eq!(
        told(&mut world, spared)
            .expect("answered")
            .expect("taken")
            .2,
        2
    );
    let answer = world.answer(reopened).expect("answered");
    let opened = format!("{:?}", answer.expect("opened"));
    assert!(opened.contains("sequence: 2"), "where it goes on: {opened}");
    assert_eq!(world.stats(orders).ready, 2);
    world.audit();
    let mut world = world.reopen();
    let importer = open_producer(&mut world, "importer");
    assert_eq!((importer.sequence, importer.epoch), (2, 3));
    for sequence in [2, 3, 4, 5] {
        let (known, _, next) =
            produce(&mut world, importer, sequence, message(orders, "x")).expect("taken");
        assert_eq!((known, next), (false, sequence + 1));
    }
    world.audit();
}

#[test]
fn a_failed_storage_tells_the_id_of_what_waits() {
    let mut world = World::new();
    let orders = world.define("orders", QueueOptions::default());
    let importer = open_producer(&mut world, "importer");
    world.hold_appends = true;
    let with_id = Enqueue {
        id: Some("a"),
        ..message(orders, "a")
    };
    let ticket = send(&mut world, importer, 1, with_id);
    let name = "other".to_owned();
    let opening = world
        .request(Request::OpenProducer { name })
        .expect("taken");
    world.fail_append(false);
    let refused = told(&mut world, ticket)
        .expect("answered")
        .expect_err("refused");
    assert_eq!(
        (refused.code, refused.id.as_deref()),
        (ErrorCode::StorageFailed, Some("a"))
    );
    let refused = world
        .answer(opening)
        .expect("answered")
        .expect_err("refused");
    assert_eq!(refused.code, ErrorCode::StorageFailed);
}

/// A service that copies numbered events into the box, dies at any moment, and goes on from where the box says.
struct Service {
    world: World,
    queues: [QueueId; 2],
    handle: ProducerOpened,
    /// To be sent, not quite in this order.
    unsent: BTreeSet<u64>,
    /// Sent and not answered, by ticket.
    waiting: BTreeMap<u64, u64>,
    /// What the service was told that it is in.
    told: BTreeSet<u64>,
    random: u64,
    resent: u64,
    crashes: u64,
    short: u64,
}

const EVENTS: u64 = 60;

fn config() -> Config {
    Config {
        segment_bytes: 4 << 10,
        ..Config::default()
    }
}

impl Service {
    fn new(seed: u64) -> Self {
        let mut world = World::with_config(config());
        let queues = ["one", "two"].map(|name| world.define(name, QueueOptions::default()));
        let handle = open_producer(&mut world, "service");
        world.hold_appends = true;
        Self {
            world,
            queues,
            handle,
            unsent: (1..=EVENTS).collect(),
            waiting: BTreeMap::new(),
            told: BTreeSet::new(),
            random: seed,
            resent: 0,
            crashes: 0,
            short: 0,
        }
    }

    fn next(&mut self, below: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn send(&mut self) {
        let among = self.unsent.len().min(5) as u64;
        let chosen = self.next(among) as usize;
        let sequence = *self.unsent.iter().nth(chosen).expect("one of them");
        self.unsent.remove(&sequence);
        let queue = self.queues[(sequence % 2) as usize];
        let text = format!("{sequence} {}", "x".repeat(sequence as usize * 3));
        let ticket = send(
            &mut self.world,
            self.handle,
            sequence,
            message(queue, &text),
        );
        self.waiting.insert(ticket, sequence);
    }

    /// Takes note of what was answered; what was refused is to be sent again.
    fn listen(&mut self) {
        for (ticket, sequence) in std::mem::take(&mut self.waiting) {
            match told(&mut self.world, ticket) {
                None => drop(self.waiting.insert(ticket, sequence)),
                Some(Ok((duplicate, ..))) => {
                    self.resent += u64::from(duplicate);
                    self.told.insert(sequence);
                }
                Some(Err(failure)) => {
                    assert_eq!(failure.code, ErrorCode::StorageFull);
                    self.unsent.insert(sequence);
                }
            }
        }
    }

    /// The process dies: what is in flight is there up to some byte.
    fn crash(&mut self) {
        self.crashes += 1;
        let mut disk: Disk = self.world.disk.clone();
        if let Some((segment, bytes)) = self.world.held.clone() {
            let written = self.next(bytes.len() as u64 + 1) as usize;
            if written > 0 {
                disk.entry(segment).or_default().extend(&bytes[..written]);
            }
        }
        self.world = World::open(disk, self.world.now, config()).expect("it opens");
        self.waiting.clear();
        self.handle = open_producer(&mut self.world, "service");
        let resume = self.handle.sequence;
        for sequence in self.told.range(resume..) {
            assert!(self.is_known(*sequence), "{sequence} was told");
        }
        self.world.hold_appends = true;
        self.unsent = (resume..=EVENTS).collect();
    }

    /// Whether a sequence was accepted; asked on a copy.
    fn is_known(&self, sequence: u64) -> bool {
        let mut other =
            World::open(self.world.disk.clone(), self.world.now, config()).expect("it opens");
        let handle = open_producer(&mut other, "service");
        let told = produce(&mut other, handle, sequence, message(self.queues[0], ""));
        told.expect("taken").0
    }

    fn run(&mut self) {
        while !(self.unsent.is_empty() && self.waiting.is_empty() && self.world.held.is_none()) {
            match self.next(12) {
                0 => self.crash(),
                1 if self.world.held.is_some() => {
                    self.short += 1;
                    self.world.fail_append(true);
                }
                2..=4 if self.world.held.is_some() => self.world.land(),
                _ if !self.unsent.is_empty() => self.send(),
                _ if self.world.held.is_some() => self.world.land(),
                _ => {}
            }
            self.listen();
            let is_endless = self.crashes > 1000 || self.world.steps > 1_000_000;
            assert!(!is_endless, "it never comes to an end");
        }
    }
}

#[test]
fn a_service_that_goes_on_from_its_sequence_doubles_nothing_and_loses_nothing() {
    let (mut crashes, mut resent, mut short) = (0, 0, 0);
    for seed in 0..40 {
        let mut service = Service::new(seed);
        service.run();
        service.world.hold_appends = false;
        let mut found = BTreeMap::new();
        for queue in service.queues {
            for delivery in service.world.dequeue(queue, 1000) {
                let text = crate::support::body(&delivery);
                let sequence: u64 = text
                    .split(' ')
                    .next()
                    .and_then(|text| text.parse().ok())
                    .expect("its number");
                *found.entry(sequence).or_insert(0) += 1;
            }
        }
        let once: BTreeMap<u64, i32> = (1..=EVENTS).map(|sequence| (sequence, 1)).collect();
        assert_eq!(found, once, "seed {seed}");
        (crashes, resent, short) = (
            crashes + service.crashes,
            resent + service.resent,
            short + service.short,
        );
    }
    assert!(
        crashes > 300 && resent > 300 && short > 200,
        "{crashes} crashes, {resent} resent, {short} without room"
    );
}
