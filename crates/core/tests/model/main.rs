//! The ledger, driven through the engine, against a naive model: a list of messages that is searched
//! from end to end. Manual deliveries, groups, deaths, deduplication, time, crashes at any append.

#![allow(
    unreachable_pub,
    reason = "one crate: `pub` says what a module offers to the others"
)]

mod reference;
mod strategies;
mod subject;
#[allow(dead_code, reason = "shared with the tests of single behaviours")]
#[path = "../engine/support.rs"]
mod support;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};

use reference::{Model, Transition};
use subject::Subject;

struct Machine;

impl ReferenceStateMachine for Machine {
    type State = Model;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Model> {
        Just(Model::default()).boxed()
    }

    fn transitions(model: &Model) -> BoxedStrategy<Transition> {
        strategies::transitions(model)
    }

    fn apply(mut model: Model, transition: &Transition) -> Model {
        model.apply(transition);
        model
    }

    fn preconditions(model: &Model, transition: &Transition) -> bool {
        model.allows(transition)
    }
}

struct Engine;

impl StateMachineTest for Engine {
    type SystemUnderTest = Subject;
    type Reference = Machine;

    fn init_test(_: &Model) -> Subject {
        Subject::new()
    }

    fn apply(mut subject: Subject, model: &Model, transition: Transition) -> Subject {
        subject.apply(model, transition);
        subject
    }

    fn check_invariants(subject: &Subject, model: &Model) {
        // Looking needs a mutable world: it is done by `apply`, on the same states.
        let _ = (subject, model);
    }
}

fn seed() -> RngSeed {
    let chosen = std::env::var("PROPTEST_RNG_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    RngSeed::Fixed(chosen.unwrap_or(20))
}

prop_state_machine! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        max_shrink_iters: 4000,
        failure_persistence: None,
        // The same programs in every run; PROPTEST_RNG_SEED has others made.
        rng_seed: seed(),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_ledger_does_what_a_list_of_messages_does(sequential 1..100 => Engine);
}
