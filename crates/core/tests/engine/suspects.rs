//! Messages whose owner died while they were handled run one at a time. [S2]

use std::collections::BTreeMap;

use ackbox_core::command::*;
use ackbox_core::config::{Config, QueueOptions};

use crate::support::{World, body, message};

/// Queues in which each body was being handled when the owner died.
fn interrupted(queues: &[(&str, &[&str])], options: &QueueOptions) -> (World, Vec<QueueId>) {
    let mut world = World::new();
    let mut ids = Vec::new();
    for (name, bodies) in queues {
        let queue = world.define(name, options.clone());
        for text in *bodies {
            world.enqueue(queue, text);
        }
        world.worker(queue, 100);
        ids.push(queue);
    }
    world.deliveries.clear();
    (world.reopen(), ids)
}

#[test]
fn suspects_run_one_at_a_time_over_all_queues_before_anything_else() {
    let (mut world, queues) = interrupted(
        &[("q", &["s1", "s2"]), ("r", &["s3"])],
        &QueueOptions::default(),
    );
    assert_eq!(world.report().interrupted, 3);
    world.enqueue(queues[0], "new");
    for queue in &queues {
        world.worker(*queue, 10);
    }
    let mut order = Vec::new();
    for _ in 0..3 {
        assert_eq!(world.deliveries.len(), 1, "a suspect runs alone");
        let suspect = world.delivery();
        assert_eq!(suspect.attempt, 2);
        order.push(body(&suspect));
        world.ack(suspect.token);
    }
    order.sort();
    assert_eq!(order, ["s1", "s2", "s3"]);
    assert_eq!(world.delivered(), ["new"]);
}

#[test]
fn a_suspect_skips_its_backoff() {
    let (mut world, queues) = interrupted(&[("q", &["s"])], &QueueOptions::default());
    world.worker(queues[0], 1);
    assert_eq!(world.deliveries.len(), 1);
}

#[test]
fn a_suspect_that_does_not_settle_holds_others_back_for_a_second() {
    let (mut world, queues) = interrupted(&[("q", &["s1", "s2"])], &QueueOptions::default());
    world.enqueue(queues[0], "new");
    world.worker(queues[0], 10);
    assert_eq!(world.delivered(), ["s1"]);
    world.advance(999);
    assert!(world.deliveries.is_empty());
    world.advance(1);
    assert!(
        world.deliveries.is_empty(),
        "the next suspect waits for quiet, as long as it may hold others back"
    );
    world.advance(1000);
    assert_eq!(world.delivered(), ["s2"]);
    world.advance(1000);
    assert_eq!(world.delivered(), ["new"]);
}

#[test]
fn holds_grow_fourfold_with_each_death_up_to_the_lease() {
    let options = QueueOptions {
        max_attempts: Some(100),
        lease_ms: Some(20_000),
        ..QueueOptions::default()
    };
    let (mut world, queues) = interrupted(&[("q", &["poison"])], &options);
    for hold in [1000, 4000, 16_000, 20_000, 20_000] {
        world.enqueue(queues[0], "innocent");
        world.worker(queues[0], 10);
        assert_eq!(world.delivered(), ["poison"]);
        world.advance(hold - 1);
        assert!(world.deliveries.is_empty(), "held back for {hold} ms");
        world.advance(1);
        let innocent = world.delivery();
        assert_eq!(body(&innocent), "innocent");
        world.ack(innocent.token);
        world = world.reopen();
    }
}

#[test]
fn a_suspect_that_nobody_takes_holds_nobody() {
    let (mut world, queues) = interrupted(&[("q", &["s"]), ("r", &[])], &QueueOptions::default());
    world.enqueue(queues[1], "free");
    world.worker(queues[1], 1);
    assert_eq!(
        world.work_off(),
        ["free"],
        "there is no worker for the suspect"
    );
    world.value(Request::PauseQueue { queue: queues[0] });
    world.worker(queues[0], 1);
    world.enqueue(queues[1], "free");
    assert_eq!(world.work_off(), ["free"], "its queue is paused");
    world.value(Request::ResumeQueue { queue: queues[0] });
    assert_eq!(world.delivered(), ["s"]);
}

#[test]
fn pausing_the_queue_of_a_suspect_that_waits_for_quiet_frees_the_others() {
    let (mut world, queues) = interrupted(&[("q", &["s"]), ("r", &[])], &QueueOptions::default());
    for text in ["running", "held back"] {
        world.enqueue(queues[1], text);
    }
    world.worker(queues[1], 1);
    let running = world.delivery();
    world.worker(queues[0], 1);
    assert!(
        world.deliveries.is_empty(),
        "the suspect waits until nothing else runs"
    );
    world.value(Request::PauseQueue { queue: queues[0] });
    world.worker(queues[1], 1);
    assert_eq!(
        world.delivered(),
        ["held back"],
        "it cannot be claimed, so nobody waits for it"
    );
    world.ack(running.token);
}

#[test]
fn a_suspect_waits_for_quiet_and_then_runs_whatever_else_runs() {
    let (mut world, queues) = interrupted(&[("q", &["s"]), ("r", &[])], &QueueOptions::default());
    world.enqueue(queues[1], "long");
    world.worker(queues[1], 1);
    let long = world.delivery();
    world.worker(queues[0], 1);
    world.advance(500);
    assert!(world.deliveries.is_empty());
    world.ack(long.token);
    let suspect = world.delivery();
    assert_eq!(body(&suspect), "s", "it is quiet");

    let (mut world, queues) = interrupted(&[("q", &["s"]), ("r", &[])], &QueueOptions::default());
    world.enqueue(queues[1], "long");
    world.worker(queues[1], 1);
    world.delivered();
    world.worker(queues[0], 1);
    world.advance(1000);
    assert_eq!(
        world.delivered(),
        ["s"],
        "it waited as long as it may hold others back"
    );
}

#[test]
fn a_failure_of_its_own_ends_the_suspicion() {
    let (mut world, queues) = interrupted(&[("q", &["s1", "s2"])], &QueueOptions::default());
    world.worker(queues[0], 10);
    let first = world.delivery();
    world.reject(first.token);
    assert_eq!(world.deliveries.len(), 1, "the next suspect");
    world.advance(10);
    let second = world.delivery();
    world.ack(second.token);
    world.value(Request::PauseQueue { queue: queues[0] });
    for reopens in [false, true] {
        if reopens {
            world = world.reopen();
            world.worker(queues[0], 10);
        }
        world.advance(5000);
        assert_eq!(world.peek(queues[0], Some(MessageState::Ready)).len(), 1);
    }
    world.enqueue(queues[0], "new");
    world.value(Request::ResumeQueue { queue: queues[0] });
    assert_eq!(
        world.delivered(),
        ["s1", "new"],
        "it runs beside others again"
    );
}

#[test]
fn a_suspect_that_is_taken_back_stays_one() {
    let (world, queues) = interrupted(&[("q", &["s"])], &QueueOptions::default());
    let queue = queues[0];
    let mut world = world;
    world.enqueue(queue, "new");
    world.worker(queue, 10);
    let suspect = world.delivery();
    world.value(Request::PauseQueue { queue });
    world.settle(suspect.token, Verdict::Return).unwrap();
    world.audit();
    let mut world = world.reopen();
    assert_eq!(world.report().interrupted, 0);
    world.worker(queue, 10);
    world.value(Request::ResumeQueue { queue });
    assert_eq!(world.delivered(), ["s"], "alone");
}

#[test]
fn a_suspect_that_is_moved_while_it_runs_stays_one_when_it_is_given_back() {
    let config = Config {
        segment_bytes: 16 << 10,
        ..Config::default()
    };
    let mut world = World::with_config(config);
    let queue = world.define("q", QueueOptions::default());
    let other = world.define("churned", QueueOptions::default());
    world.enqueue(queue, "s");
    for _ in 0..2 {
        world.worker(queue, 1);
        world = world.reopen();
    }
    let worker = world.worker(queue, 1);
    let suspect = world.delivery();
    world.advance(60_000);
    let filler = "f".repeat(500);
    while world.box_stats().cleaned_segments < 3 {
        let (.., id) = world.try_enqueue(message(other, &filler)).unwrap();
        world.value(Request::Cancel { queue: other, id });
    }
    world.at_once(Request::PauseWorker { worker });
    world.settle(suspect.token, Verdict::Return).unwrap();
    world.audit();
    let mut world = world.reopen();
    world.enqueue(queue, "new");
    world.worker(queue, 10);
    assert_eq!(world.delivered(), ["s"], "alone");
    world.advance(3999);
    assert!(world.deliveries.is_empty(), "both deaths count");
    world.advance(1);
    assert_eq!(world.delivered(), ["new"]);
}

#[test]
fn the_last_attempt_of_a_suspect_is_not_made_again() {
    let options = QueueOptions {
        max_attempts: Some(1),
        ..QueueOptions::default()
    };
    let (mut world, queues) = interrupted(&[("q", &["s"])], &options);
    let dead = world.dead(queues[0]);
    assert_eq!(dead[0].reason, Some(Reason::OwnerDied));
    assert_eq!(dead[0].history[0].reason, Reason::OwnerDied);
    world.audit();
}

#[test]
fn deaths_below_the_free_ones_cost_no_attempt() {
    let config = Config {
        free_owner_deaths: 20,
        ..Default::default()
    };
    let mut world = World::with_config(config);
    let queue = world.define(
        "q",
        QueueOptions {
            max_attempts: Some(2),
            ..QueueOptions::default()
        },
    );
    world.enqueue(queue, "reloaded");
    for death in 1..=21 {
        world.worker(queue, 1);
        assert_eq!(world.delivery().attempt, 1, "after {} deaths", death - 1);
        world = world.reopen();
        assert_eq!(world.peek(queue, None)[0].history.len(), death);
    }
    world.worker(queue, 1);
    assert_eq!(world.delivery().attempt, 2, "more than twenty count");
    let mut world = world.reopen();
    assert_eq!(world.dead(queue)[0].reason, Some(Reason::OwnerDied));
}

#[test]
fn a_poison_among_fifty_dies_and_takes_no_innocent_with_it() {
    for place in [0, 25, 49] {
        let mut world = World::new();
        let queue = world.define("q", QueueOptions::default());
        for index in 0..50 {
            world.enqueue(queue, if index == place { "poison" } else { "good" });
        }
        let mut starts: BTreeMap<String, u32> = BTreeMap::new();
        let mut crashes = 0;
        loop {
            world.worker(queue, 20);
            let mut killed = false;
            while let Some(delivery) = world.deliveries.pop_front() {
                *starts.entry(delivery.id.to_string()).or_default() += 1;
                if body(&delivery) == "poison" {
                    killed = true;
                    break;
                }
                world.ack(delivery.token);
            }
            if !killed {
                break;
            }
            crashes += 1;
            world = world.reopen();
        }
        assert_eq!(crashes, 6, "one crash an attempt");
        let dead = world.dead(queue);
        assert_eq!((dead.len(), dead[0].reason), (1, Some(Reason::OwnerDied)));
        assert!(
            dead[0]
                .history
                .iter()
                .all(|attempt| attempt.reason == Reason::OwnerDied)
        );
        assert_eq!(world.box_stats().messages, 0, "the others completed");
        let innocents = starts.iter().filter(|(id, _)| **id != dead[0].id);
        assert!(
            innocents.clone().count() == 49
                && innocents.map(|(_, starts)| *starts).max() <= Some(2)
        );
    }
}

#[test]
fn a_slow_poison_beside_others_harms_them_once_for_each_hold_it_outlives() {
    // It kills its process only after others were let in beside it.
    let mut world = World::new();
    let queue = world.define("q", QueueOptions::default());
    world.enqueue(queue, "poison");
    for _ in 0..50 {
        world.enqueue(queue, "good");
    }
    for _ in 0..6 {
        world.worker(queue, 20);
        world.advance(2000);
        while let Some(delivery) = world.deliveries.pop_front() {
            if body(&delivery) != "poison" {
                world.ack(delivery.token);
            }
        }
        world = world.reopen();
    }
    assert_eq!(world.dead(queue).len(), 1);
    assert_eq!(world.box_stats().messages, 0);
}

#[test]
fn at_most_once_knows_no_suspects() {
    let options = QueueOptions {
        guarantee: Some(ackbox_core::config::Guarantee::AtMostOnce),
        ..QueueOptions::default()
    };
    let (mut world, queues) = interrupted(&[("q", &["gone"])], &options);
    assert_eq!(world.report().interrupted, 0);
    world.try_enqueue(message(queues[0], "new")).unwrap();
    world.worker(queues[0], 1);
    assert_eq!(world.delivered(), ["new"]);
}

#[test]
fn a_suspect_that_waited_long_enough_is_no_reason_to_be_called_while_nothing_can_be_claimed() {
    let (mut world, queues) = interrupted(
        &[("q", &["s1", "s2"]), ("r", &[])],
        &QueueOptions::default(),
    );
    world.worker(queues[0], 10);
    world.advance(1500);
    assert_eq!(world.delivered(), ["s1"]);
    world.hold_appends = true;
    let queue = queues[1];
    world.request(Request::PauseQueue { queue }).unwrap();
    world.fail_append(true);
    // Its time comes half a second before the storage is asked again.
    world.now += 500;
    world.run();
    let next = world.engine.poll_timeout().expect("it waits for room");
    assert!(next.0.0 > world.now, "{next:?}, now {}", world.now);
}
