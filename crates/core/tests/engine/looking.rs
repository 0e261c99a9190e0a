//! A box that is looked at: it shows what is on the disk, beside its owner, and changes nothing. [A1 readOnly]

use crate::support::{Disk, T0, World, message};
use ackbox_core::command::*;
use ackbox_core::config::{Config, GroupOnDead, QueueOptions};
use ackbox_core::consumer::watch::HandlerLimits;
use ackbox_core::effect::*;
use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::time::Timestamp;

fn looking(max_memory_bytes: u64) -> Config {
    Config {
        read_only: true,
        max_memory_bytes,
        ..Config::default()
    }
}

fn look_at(disk: &Disk, now: u64) -> World {
    World::open(disk.clone(), now, looking(64 << 20)).expect("a journal can be looked at")
}

/// A queue that the journal knows.
fn named(world: &mut World, name: &str) -> QueueId {
    world.define(name, QueueOptions::default())
}

/// All that is shown of a queue.
fn shown(world: &mut World, queue: QueueId) -> (Vec<MessageInfo>, Vec<MessageInfo>, Vec<u64>) {
    let states = [
        MessageState::Ready,
        MessageState::Scheduled,
        MessageState::Leased,
    ];
    let infos = states.map(|state| world.peek(queue, Some(state))).concat();
    let stats = world.stats(queue);
    let depths = vec![
        stats.ready,
        stats.scheduled,
        stats.leased,
        stats.dead_letters,
        stats.bytes,
        stats.dedup_entries,
    ];
    (infos, world.dead(queue), depths)
}

/// A queue in which everything happens that a message can go through.
fn busy_world() -> (World, QueueId) {
    let mut world = World::new();
    let jobs = world.define(
        "jobs",
        QueueOptions {
            max_attempts: Some(2),
            group_on_dead: Some(GroupOnDead::Block),
            ..QueueOptions::default()
        },
    );
    for index in 0..12_u8 {
        let (id, body) = (format!("id-{index}"), format!("body {index}"));
        world
            .try_enqueue(Enqueue {
                id: Some(&id),
                priority: index % 3,
                group: (index % 4 == 0).then_some("group"),
                delay_ms: (index % 5 == 4).then_some(60_000),
                ttl_ms: (index == 7).then_some(1_000_000),
                ..message(jobs, &body)
            })
            .expect("accepted");
    }
    (world, jobs)
}

#[test]
fn a_box_at_work_is_shown_as_its_owner_sees_it_whatever_it_does() {
    let (mut world, jobs) = busy_world();
    let mut compared = 0;
    let mut compare = |world: &mut World| {
        let mut looker = look_at(&world.disk, world.now);
        let seen = named(&mut looker, "jobs");
        assert_eq!(shown(&mut looker, seen), shown(world, jobs));
        compared += 1;
    };
    compare(&mut world);
    for round in 0..30_u64 {
        for delivery in world.dequeue(jobs, 2) {
            match (delivery.token.0 + round) % 4 {
                0 => world.ack(delivery.token),
                1 => world.reject(delivery.token),
                2 => {
                    let verdict = Verdict::Dead(Reason::Permanent);
                    world
                        .settle_with(delivery.token, verdict, true, b"", b"{}")
                        .expect("dead");
                }
                _ => {}
            }
            compare(&mut world);
        }
        match round {
            10 => drop(world.redrive(jobs, DeadFilter::default())),
            15 => assert!(world.value(Request::PauseQueue { queue: jobs }) == 0),
            16 => assert!(world.value(Request::ResumeQueue { queue: jobs }) == 0),
            20 => assert!(world.value(Request::Purge { queue: jobs }) > 0),
            _ => {
                world.enqueue(jobs, "more");
            }
        }
        compare(&mut world);
        world.advance(700);
        compare(&mut world);
    }
    assert!(compared > 80, "{compared}");
}

#[test]
fn nothing_is_written_and_no_time_passes() {
    let mut world = World::new();
    let jobs = world.define("jobs", QueueOptions::default());
    world
        .try_enqueue(Enqueue {
            id: Some("short"),
            ttl_ms: Some(10),
            ..message(jobs, "x")
        })
        .expect("accepted");
    world.enqueue_id(jobs, "leased", "y");
    assert_eq!(world.dequeue(jobs, 2).len(), 2);
    let mut disk = world.disk.clone();
    // A torn tail: the owner is in the middle of an append.
    let torn = disk.values_mut().next_back().expect("a segment");
    torn.extend(b"half a frame");
    for queue_bytes in [0, 64 << 20] {
        let mut looker = World::open(disk.clone(), T0, looking(queue_bytes)).expect("it opens");
        let jobs = named(&mut looker, "jobs");
        looker.advance(1_000_000_000);
        assert_eq!(looker.state(jobs, "short"), Some(MessageState::Leased));
        assert_eq!(looker.state(jobs, "leased"), Some(MessageState::Leased));
        assert_eq!(looker.engine.poll_timeout(), None);
        let closed = looker.request(Request::Close {}).expect("it can be closed");
        assert!(looker.answer(closed).is_some(), "it is closed");
        assert_eq!((looker.appends, &looker.disk), (0, &disk));
    }
}

#[test]
fn bodies_that_are_not_in_memory_are_read_back() {
    let (mut world, _) = busy_world();
    world.run();
    let mut looker = World::open(world.disk, T0, looking(0)).expect("it opens");
    let reads = looker.reads;
    let jobs = named(&mut looker, "jobs");
    let request = Request::Peek {
        queue: jobs,
        state: None,
        limit: 100,
    };
    let ticket = looker.request(request).expect("taken");
    let bodies = looker.bodies.remove(&ticket).expect("contents");
    assert_eq!(bodies.len(), 12);
    assert!(
        bodies
            .iter()
            .all(|(_, intact, content)| { *intact && content.body().starts_with(b"body ") })
    );
    assert!(looker.reads > reads);
}

#[test]
fn what_would_change_something_is_refused() {
    let (mut world, _) = busy_world();
    world.run();
    let mut looker = look_at(&world.disk, T0);
    let queue = named(&mut looker, "jobs");
    let id = || "id-1".to_owned();
    let filter = DeadFilter::default;
    let requests = [
        Request::OpenWorker {
            queue,
            concurrency: 1,
            policies: Box::default(),
            limits: HandlerLimits::default(),
        },
        Request::PauseQueue { queue },
        Request::ResumeQueue { queue },
        Request::Cancel { queue, id: id() },
        Request::RetryNow { queue, id: id() },
        Request::Forget { queue, id: id() },
        Request::Purge { queue },
        Request::Listen { queue, events: 1 },
        Request::RemoveDead {
            queue,
            filter: filter(),
        },
        Request::Redrive {
            queue,
            filter: filter(),
            to: None,
            per_second_milli: None,
            forget_steps: false,
        },
    ];
    for request in requests {
        let about = format!("{request:?}");
        let ticket = looker.next_ticket();
        let now = Timestamp(looker.now);
        let refused = looker.engine.handle_request(now, ticket, request);
        refuses(refused.expect_err(&about), &about);
    }
    let commands = [
        Command::Enqueue(message(queue, "x")),
        Command::EnqueueMany(vec![message(queue, "x")]),
        Command::Dequeue {
            queue,
            max: 1,
            lease_ms: None,
            wait_ms: 1_000,
        },
        Command::Finished { queue, id: "id-1" },
        Command::Idle { queue },
        Command::Extend {
            token: Token(1),
            ms: 1,
        },
    ];
    for command in commands {
        let about = format!("{command:?}");
        let ticket = looker.command(command);
        let answer = looker.replies.remove(&ticket).expect(&about);
        refuses(answer.expect_err(&about), &about);
    }
    assert_eq!(looker.appends, 0);
}

fn refuses(failure: Failure, about: &str) {
    assert_eq!(failure.code, ErrorCode::Unsupported, "{about}");
    assert!(failure.message.contains("readOnly"), "{about}");
}

#[test]
fn a_queue_keeps_its_options_and_one_that_is_unknown_is_not_made() {
    let (mut world, _) = busy_world();
    world.run();
    let mut looker = look_at(&world.disk, T0);
    let options = QueueOptions {
        max_attempts: Some(9),
        ..QueueOptions::default()
    };
    let name = "jobs".to_owned();
    let Object::Defined(defined) = looker.at_once(Request::DefineQueue { name, options }) else {
        panic!("expected a definition");
    };
    assert!(!defined.created && defined.changed.is_empty());
    assert_eq!(defined.options.max_attempts, Some(2));
    let refused = looker.try_at_once(Request::DefineQueue {
        name: "other".to_owned(),
        options: QueueOptions::default(),
    });
    assert_eq!(refused.expect_err("unknown").code, ErrorCode::NotFound);
}

#[test]
fn damage_is_told_as_to_an_owner_and_an_empty_place_is_told_as_such() {
    let (mut world, _) = busy_world();
    world.run();
    let mut damaged = world.disk.clone();
    damaged.values_mut().next().expect("a segment")[200] ^= 1;
    let refused = World::open(damaged, T0, looking(0)).err().expect("damaged");
    assert_eq!(refused.code, ErrorCode::Corrupt);
    let nothing = look_at(&Disk::new(), T0);
    assert!(nothing.report().created);
    assert!(nothing.disk.is_empty());
}
