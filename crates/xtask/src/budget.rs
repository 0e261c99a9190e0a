//! What the tiers of `cargo xtask test` may take, and what they took.
//!
//! Budgets are those of a quiet machine with two cores. One that is passed over fails nothing, for machines are busy; it is
//! named at the end and tells where the next hour of work should go.

use std::time::Duration;

/// The time that a tier may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) tier: &'static str,
    pub(crate) seconds: u64,
}

/// The time that tiers took, beside their budgets.
#[derive(Debug, Default)]
pub(crate) struct Spending {
    spent: Vec<(Budget, u64)>,
}

impl Budget {
    pub(crate) const fn new(tier: &'static str, seconds: u64) -> Self {
        Self { tier, seconds }
    }
}

/// What all of them may take together.
pub(crate) fn total(budgets: &[Budget]) -> u64 {
    budgets.iter().map(|budget| budget.seconds).sum()
}

impl Spending {
    /// Notes what a tier took, and says so.
    pub(crate) fn note(&mut self, budget: Budget, took: Duration) -> String {
        self.spent.push((budget, took.as_secs()));
        line(budget.tier, took.as_secs(), budget.seconds)
    }

    /// The sum, and every tier that took more than its budget.
    pub(crate) fn report(&self) -> Vec<String> {
        let took = self.spent.iter().map(|(_, seconds)| seconds).sum();
        let may = self.spent.iter().map(|(budget, _)| budget.seconds).sum();
        let over = self
            .spent
            .iter()
            .filter(|(budget, seconds)| *seconds > budget.seconds);
        let over = over.map(|(budget, seconds)| {
            format!("over budget: {}", of(budget.tier, *seconds, budget.seconds))
        });
        [line("all tiers", took, may)]
            .into_iter()
            .chain(over)
            .collect()
    }
}

fn line(tier: &str, seconds: u64, budget_seconds: u64) -> String {
    let verdict = if seconds > budget_seconds {
        ", over budget"
    } else {
        ""
    };
    format!("-- {}{verdict}", of(tier, seconds, budget_seconds))
}

fn of(tier: &str, seconds: u64, budget_seconds: u64) -> String {
    format!("{tier}: {seconds} of {budget_seconds} s")
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn a_tier_beyond_its_budget_is_named_at_the_end() {
        let mut spending = Spending::default();
        let demo = Budget::new("demo", 60);
        let note = spending.note(demo, Duration::from_secs(60));
        assert_eq!(note, "-- demo: 60 of 60 s");
        let note = spending.note(Budget::new("suites", 500), Duration::from_secs(501));
        assert_eq!(note, "-- suites: 501 of 500 s, over budget");
        assert_eq!(
            spending.report(),
            [
                "-- all tiers: 561 of 560 s, over budget",
                "over budget: suites: 501 of 500 s"
            ]
        );
    }
}
