//! Bodies that the host cannot decode: dead letters, even in at-most-once. [S6]

use ackbox_core::command::*;
use ackbox_core::config::{DedupOptions, GroupOnDead, Guarantee, QueueOptions};
use ackbox_core::time::Timestamp;

use crate::support::{World, message};

#[test]
fn an_undecodable_body_is_kept_whatever_the_guarantee() {
    for guarantee in [Guarantee::AtLeastOnce, Guarantee::AtMostOnce] {
        for group_on_dead in [GroupOnDead::Continue, GroupOnDead::Block] {
            let options = QueueOptions {
                guarantee: Some(guarantee),
                group_on_dead: Some(group_on_dead),
                ..QueueOptions::default()
            };
            let mut world = World::new();
            let orders = world.define("orders", options);
            world.worker(orders, 1);
            let item = |id, body| Enqueue {
                id: Some(id),
                group: Some("g"),
                ..message(orders, body)
            };
            world.try_enqueue(item("a", "{broken")).unwrap();
            world.try_enqueue(item("b", "fine")).unwrap();
            let delivery = world.delivery();
            let settle = Settle {
                token: delivery.token,
                verdict: Verdict::Dead(Reason::Invalid),
                returned: true,
                result: b"",
                error: b"why",
            };
            world
                .engine
                .handle_command(Timestamp(world.now), Ticket(0), Command::Settle(settle));
            world.run();
            let blocked = group_on_dead == GroupOnDead::Block;
            assert_eq!(
                world.deliveries.len(),
                usize::from(!blocked),
                "{guarantee:?}"
            );
            world.work_off();
            assert_eq!(world.stats(orders).dead, 1);
            world.audit();
            let mut world = world.reopen();
            let dead = world.dead(orders);
            assert_eq!(
                (
                    dead[0].id.as_str(),
                    dead[0].reason,
                    dead[0].error.as_deref()
                ),
                ("a", Some(Reason::Invalid), Some("why"))
            );
            assert_eq!(dead[0].attempt, Some(1));
            assert!(
                world.enqueue_id(orders, "a", "{broken").0,
                "its id is taken"
            );
            world.worker(orders, 1);
            world.value(Request::RemoveDead {
                queue: orders,
                filter: DeadFilter::default(),
            });
            assert_eq!(
                world.delivered(),
                if blocked { vec!["fine"] } else { vec![] }
            );
        }
    }
}

/// An at-most-once queue that remembers no ids, and a message of it that is being handled.
fn handled(id: Option<&str>) -> (World, QueueId, Token) {
    let mut world = World::new();
    let options = QueueOptions {
        guarantee: Some(Guarantee::AtMostOnce),
        dedup: Some(DedupOptions {
            window_ms: Some(0),
            ..DedupOptions::default()
        }),
        ..QueueOptions::default()
    };
    let orders = world.define("orders", options);
    let item = Enqueue {
        id,
        ..message(orders, "{broken")
    };
    world.try_enqueue(item).unwrap();
    let worker = world.worker(orders, 1);
    let token = world.delivery().token;
    world.at_once(Request::PauseWorker { worker });
    (world, orders, token)
}

fn cannot_be_decoded(world: &mut World, token: Token) {
    world.unanswered(Command::Settle(Settle {
        token,
        verdict: Verdict::Dead(Reason::Invalid),
        returned: true,
        result: b"",
        error: b"why",
    }));
}

#[test]
fn a_letter_with_a_generated_id_takes_no_room_among_the_ids() {
    let (mut world, orders, token) = handled(None);
    cannot_be_decoded(&mut world, token);
    assert_eq!(world.dead(orders).len(), 1);
    assert_eq!(world.stats(orders).dedup_entries, 0);
    world.audit();
}

#[test]
fn a_letter_leaves_its_id_to_a_message_that_has_it_meanwhile() {
    let (mut world, orders, token) = handled(Some("a"));
    world.unanswered(Command::Began { token });
    assert!(!world.enqueue_id(orders, "a", "fine").0, "it is free");
    cannot_be_decoded(&mut world, token);
    for _ in 0..2 {
        assert_eq!(world.dead(orders)[0].id, "a");
        assert_eq!(
            world.enqueue_id(orders, "a", "fine"),
            (true, MessageState::Ready, "a".to_owned())
        );
        world.audit();
        world = world.reopen();
    }
    world.worker(orders, 1);
    assert_eq!(world.work_off(), ["fine"]);
    world.redrive(orders, DeadFilter::default());
    let token = world.delivery().token;
    cannot_be_decoded(&mut world, token);
    assert_eq!(world.stats(orders).dedup_entries, 0, "it gave its id away");
    world.audit();
}
