//! The fewest operations that still break a promise.

use crate::plan::Plan;
use crate::{Report, run};

/// Runs after which what is left is small enough.
const RUNS_MAX: usize = 3000;

/// Leaves out what is not needed, in halves first and one by one at last; the operations that are kept,
/// and how they fail.
#[must_use]
pub fn shrink(plan: &Plan, failing: Vec<usize>) -> (Vec<usize>, Report) {
    let mut kept = failing;
    let mut report = run(plan, &kept);
    let kind = kind_of(&report);
    let mut runs = 0;
    let mut size = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut smaller = false;
        while at < kept.len() && runs < RUNS_MAX {
            let mut fewer = kept.clone();
            fewer.drain(at..kept.len().min(at + size));
            runs += 1;
            let outcome = run(plan, &fewer);
            if kind_of(&outcome) == kind {
                (kept, report, smaller) = (fewer, outcome, true);
            } else {
                at += size;
            }
        }
        if runs >= RUNS_MAX || (size == 1 && !smaller) {
            return (kept, report);
        }
        if !smaller {
            size = size.div_ceil(2);
        }
    }
}

/// Which promise was broken.
fn kind_of(report: &Report) -> Option<String> {
    let (_, violation) = report.violation.as_ref()?;
    Some(
        violation
            .0
            .chars()
            .take_while(|letter| *letter != ':')
            .collect(),
    )
}
