//! What may be done to the naive model next, drawn from where it stands.

use proptest::prelude::*;

use crate::reference::*;

fn any_item() -> impl Strategy<Value = Item> {
    let times = (
        prop_oneof![3 => Just(0_u64), 1 => 1..800_u64],
        prop::option::weighted(0.2, 1..1500_u64),
    );
    (
        0..QUEUES,
        0..12_u8,
        prop_oneof![9 => Just(0_u8), 1 => Just(1)],
        prop::option::of(0..3_u8),
        0..3_u8,
        times,
    )
        .prop_map(|(queue, id, body, group, priority, (delay, ttl))| Item {
            queue,
            id,
            body,
            group,
            priority,
            delay,
            ttl,
        })
}

fn any_settlement() -> impl Strategy<Value = Settlement> {
    prop_oneof![
        4 => Just(Settlement::Ack),
        4 => prop::option::of(0..500_u64).prop_map(|delay| Settlement::Reject { delay }),
        1 => Just(Settlement::Dead),
        2 => (0..500_u64, any::<bool>()).prop_map(|(delay, costs)| Settlement::RetryAt { delay, costs }),
        1 => Just(Settlement::Return),
    ]
}

/// Transitions that end with an append, which a crash may catch.
fn writing(model: &Model) -> BoxedStrategy<Transition> {
    let leased = model.numbers(|message| matches!(message.state, State::Leased { .. }));
    let named = || (0..QUEUES, 0..12_u8);
    let mut all = vec![
        (
            6,
            prop::collection::vec(any_item(), 1..4)
                .prop_map(Transition::Enqueue)
                .boxed(),
        ),
        (
            5,
            (0..QUEUES, 1..4_u32)
                .prop_map(|(queue, max)| Transition::Dequeue { queue, max })
                .boxed(),
        ),
        (
            1,
            named()
                .prop_map(|(queue, id)| Transition::Cancel { queue, id })
                .boxed(),
        ),
        (
            1,
            named()
                .prop_map(|(queue, id)| Transition::RetryNow { queue, id })
                .boxed(),
        ),
        (
            1,
            named()
                .prop_map(|(queue, id)| Transition::Forget { queue, id })
                .boxed(),
        ),
        (
            1,
            (0..QUEUES)
                .prop_map(|queue| Transition::Purge { queue })
                .boxed(),
        ),
        (
            1,
            (0..QUEUES, any::<bool>())
                .prop_map(|(queue, paused)| Transition::Pause { queue, paused })
                .boxed(),
        ),
        (
            2,
            (0..QUEUES, prop::option::of(1..3_u32))
                .prop_map(|(queue, limit)| Transition::Redrive { queue, limit })
                .boxed(),
        ),
        (
            1,
            (0..QUEUES, 1..3_u32)
                .prop_map(|(queue, limit)| Transition::RemoveDead { queue, limit })
                .boxed(),
        ),
    ];
    if !leased.is_empty() {
        let settle = (prop::sample::select(leased), any_settlement());
        let settle =
            settle.prop_map(|(number, settlement)| Transition::Settle { number, settlement });
        all.push((8, settle.boxed()));
    }
    prop::strategy::Union::new_weighted(all).boxed()
}

pub fn transitions(model: &Model) -> BoxedStrategy<Transition> {
    let during = prop::option::of(writing(model).prop_map(Box::new));
    let suspects = if model.has_suspects() { 6 } else { 0 };
    prop_oneof![
        24 => writing(model),
        suspects => Just(Transition::RunSuspects),
        4 => (1..1200_u64).prop_map(|ms| Transition::Advance { ms }),
        3 => (during, any::<u8>()).prop_map(|(during, torn)| Transition::Crash { during, torn }),
    ]
    .boxed()
}
