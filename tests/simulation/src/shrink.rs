//! The fewest operations that still break a promise.

use crate::plan::Plan;
use crate::{Report, run, run_twice};

/// Runs after which what is left is small enough.
const RUNS_MAX: usize = 3000;
/// How a report begins of a world that did not go the same way twice.
pub(crate) const DIFFER: &str = "two runs differ";

/// Leaves out what is not needed of a world that failed like this: the operations that are kept, and how they
/// fail. What only two runs can show is looked for with two runs.
#[must_use]
pub fn shrink(plan: &Plan, report: Report) -> (Vec<usize>, Report) {
    let all = (0..plan.ops.len()).collect();
    if kind_of(&report).as_deref() == Some(DIFFER) {
        return shrink_with(|kept| run_twice(plan, kept), all, report);
    }
    shrink_with(|kept| run(plan, kept), all, report)
}

/// Halves first and single ones at last. What does not fail again as it did is kept whole: nothing smaller
/// could be told from it.
fn shrink_with(
    mut run: impl FnMut(&[usize]) -> Report,
    failing: Vec<usize>,
    report: Report,
) -> (Vec<usize>, Report) {
    let (mut kept, mut report) = (failing, report);
    let kind = kind_of(&report);
    if kind.is_none() || kind_of(&run(&kept)) != kind {
        return (kept, report);
    }
    let mut runs = 0;
    let mut size = kept.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut smaller = false;
        while at < kept.len() && runs < RUNS_MAX {
            let mut fewer = kept.clone();
            fewer.drain(at..kept.len().min(at + size));
            runs += 1;
            let outcome = run(&fewer);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Figures;
    use crate::invariants::Violation;

    fn report(violation: Option<&str>) -> Report {
        Report {
            violation: violation.map(|text| (0, Violation(text.to_owned()))),
            digest: 0,
            figures: Figures::default(),
        }
    }

    #[test]
    fn what_does_not_matter_is_left_out() {
        let fails = |kept: &[usize]| {
            let both = kept.contains(&3) && kept.contains(&7);
            report(both.then_some("I1: lost"))
        };
        let (kept, _) = shrink_with(fails, (0..10).collect(), report(Some("I1: other words")));
        assert_eq!(kept, [3, 7]);
    }

    #[test]
    fn what_does_not_fail_again_is_kept_whole() {
        let calm = |_: &[usize]| report(None);
        let differs = report(Some("two runs differ: a and b"));
        let (kept, shrunk) = shrink_with(calm, vec![0, 1, 2], differs.clone());
        assert_eq!((kept, shrunk), (vec![0, 1, 2], differs));
    }
}
