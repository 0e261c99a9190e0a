//! What the tests of the engine use of `proptest-state-machine`, under its names: that crate needs a `proptest` which starts
//! processes, and `wasm32-unknown-unknown` has none.
//!
//! Sequences of transitions are drawn and run; one that fails is not made shorter. The host runs the same tests with the
//! crate itself.

#![cfg(target_family = "wasm")]

use std::fmt::Debug;
use std::ops::Range;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

/// Draws that find no transition which may come next, before that counts as a mistake of the model.
const DRAWS_MAX: usize = 10_000;

/// The model: which transitions may come next, and what they do.
pub trait ReferenceStateMachine {
    /// What the model knows.
    type State: Clone + Debug;
    /// One step.
    type Transition: Clone + Debug;

    /// Where a sequence begins.
    fn init_state() -> BoxedStrategy<Self::State>;
    /// What may come next.
    fn transitions(state: &Self::State) -> BoxedStrategy<Self::Transition>;
    /// What it does to the model.
    fn apply(state: Self::State, transition: &Self::Transition) -> Self::State;
    /// Whether what was drawn may come next.
    fn preconditions(state: &Self::State, transition: &Self::Transition) -> bool;
}

/// What is held against the model.
pub trait StateMachineTest {
    /// What is tested.
    type SystemUnderTest;
    /// Its model.
    type Reference: ReferenceStateMachine;

    /// As the model begins.
    fn init_test(
        state: &<Self::Reference as ReferenceStateMachine>::State,
    ) -> Self::SystemUnderTest;
    /// Does what the model did, which is told as it is afterwards, and panics where they differ.
    fn apply(
        system: Self::SystemUnderTest,
        state: &<Self::Reference as ReferenceStateMachine>::State,
        transition: <Self::Reference as ReferenceStateMachine>::Transition,
    ) -> Self::SystemUnderTest;
    /// Looks at both after each transition.
    fn check_invariants(
        system: &Self::SystemUnderTest,
        state: &<Self::Reference as ReferenceStateMachine>::State,
    );
}

/// Runs as many sequences as `config` says, of a length in `size`.
pub fn run<T: StateMachineTest>(config: Config, size: Range<usize>) {
    let cases = config.cases;
    let runner = &mut TestRunner::new(config);
    for _ in 0..cases {
        let mut state = drawn(&T::Reference::init_state(), runner);
        let mut system = T::init_test(&state);
        T::check_invariants(&system, &state);
        for _ in 0..drawn(&size, runner) {
            let transition = next::<T::Reference>(&state, runner);
            state = T::Reference::apply(state, &transition);
            system = T::apply(system, &state, transition);
            T::check_invariants(&system, &state);
        }
    }
}

fn next<R: ReferenceStateMachine>(state: &R::State, runner: &mut TestRunner) -> R::Transition {
    for _ in 0..DRAWS_MAX {
        let transition = drawn(&R::transitions(state), runner);
        if R::preconditions(state, &transition) {
            return transition;
        }
    }
    panic!("nothing may come next: {state:?}")
}

fn drawn<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> S::Value {
    let tree = strategy.new_tree(runner);
    tree.expect("a strategy that filters little").current()
}

/// Makes tests of the form `fn name(sequential 1..9 => Test);`.
#[macro_export]
macro_rules! prop_state_machine {
    (
        #![proptest_config($config:expr)]
        $(
            $(#[$meta:meta])*
            fn $name:ident(sequential $size:expr => $test:ty);
        )*
    ) => {
        $(
            $(#[$meta])*
            fn $name() {
                $crate::run::<$test>($config, $size);
            }
        )*
    };
}
