//! Bodies that the host cannot decode: dead letters, even in at-most-once. [S6]

use ackbox_core::command::*;
use ackbox_core::config::{GroupOnDead, Guarantee, QueueOptions};
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
