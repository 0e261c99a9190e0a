//! A deterministic simulator: the real engine in a seeded world of producers, consumers, operators,
//! clocks that jump, and a storage that fails, fills up and loses what it never called durable.
//!
//! A seed means one [`plan::Plan`]: how the world is set up, and a list of operations that carry all of
//! their own chance. [`run`] performs some of them, holds everything that the engine tells against
//! [`invariants`] and, after every crash, against what a new owner finds ([`recovery`]). Then the faults
//! stop, and everything must finish. The same seed gives the same [`Report`], digest and all.

#![forbid(unsafe_code)]

pub mod actors;
mod answers;
pub mod chance;
mod circuits;
pub mod clock;
pub mod digest;
mod ending;
pub mod figures;
mod fork;
mod hearing;
pub mod invariants;
mod lives;
pub mod model;
pub mod op;
pub mod passing;
pub mod plan;
mod power;
pub mod probe;
pub mod recovery;
mod resting;
mod rot;
mod running;
mod serving;
pub mod shrink;
pub mod storage;
pub mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use figures::Figures;
use invariants::Violation;
use plan::Plan;
use shrink::DIFFER;
use world::{Stop, World};

/// How a world went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The promise that was broken, and after which operation.
    pub violation: Option<(usize, Violation)>,
    /// Of everything that happened.
    pub digest: u64,
    /// How much that was.
    pub figures: Figures,
}

/// Performs these operations of a plan.
#[must_use]
pub fn run(plan: &Plan, kept: &[usize]) -> Report {
    let mut at = 0;
    let mut ended = (0, Figures::default());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut world = match World::new(plan.clone()) {
            Ok(world) => world,
            Err(Stop::Broken(violation)) => return Err(violation),
            Err(Stop::Crash(_)) => unreachable!("no crash was asked for"),
        };
        let mut outcome = Ok(());
        for index in kept {
            at = *index;
            outcome = world.step(&plan.ops[*index]);
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() {
            at = plan.ops.len();
            outcome = world.finish();
        }
        ended = (world.digest.value(), world.figures);
        outcome
    }));
    let violation = match outcome {
        Ok(outcome) => outcome.err(),
        Err(panic) => Some(Violation(format!("I11: a panic: {}", text_of(&*panic)))),
    };
    Report {
        violation: violation.map(|violation| (at, violation)),
        digest: ended.0,
        figures: ended.1,
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "without a word".to_owned())
}

/// Performs these operations of a plan, twice: equal inputs must give equal outputs.
#[must_use]
pub fn run_twice(plan: &Plan, kept: &[usize]) -> Report {
    let report = run(plan, kept);
    let silent = Plan {
        echoes: false,
        ..plan.clone()
    };
    compare(report, &run(&silent, kept), plan.ops.len())
}

fn compare(mut report: Report, again: &Report, end: usize) -> Report {
    if *again != report {
        let violation = format!("{DIFFER}: {report:?} and {again:?}");
        let at = report.violation.map_or(end, |(at, _)| at);
        report.violation = Some((at, Violation(violation)));
    }
    report
}
