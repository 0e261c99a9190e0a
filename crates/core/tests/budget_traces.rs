//! Retry budgets, case by case, from `testdata/budget/finagle.json`. The README there tells the form. [A3 retryBudget]

use std::collections::BTreeSet;

use ackbox_core::policy::budget::{Budget, BudgetOptions};
use ackbox_core::time::Timestamp;
use serde::Deserialize;

/// Instant 0 of every trace.
const START: u64 = 1_600_000_000_000;
/// At least so many.
const CASES_MIN: usize = 15;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// Whose rule it is; for people.
    #[serde(rename = "like")]
    _like: Option<String>,
    budget: Options,
    steps: Vec<Step>,
}

/// As a program names them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Options {
    ratio: Option<f64>,
    min_per_second: Option<u32>,
    ttl_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    at: u64,
    #[serde(default)]
    succeed: u32,
    #[serde(default)]
    fail: u32,
    retries: Option<u32>,
}

#[test]
fn every_case_holds() {
    let mut names = BTreeSet::new();
    let cases: Vec<Case> = serde_json::from_str(include_str!("../testdata/budget/finagle.json"))
        .expect("the cases are JSON of this form");
    for case in cases {
        let mut run = Run::new(&case.budget);
        for (index, step) in case.steps.iter().enumerate() {
            run.perform(step);
            let expected = step.retries.unwrap_or(run.retries);
            assert_eq!(run.retries, expected, "{}: step {index}", case.name);
        }
        assert!(names.insert(case.name), "two cases of one name");
    }
    assert!(names.len() >= CASES_MIN, "{} cases", names.len());
}

struct Run {
    budget: Budget,
    retries: u32,
    /// The last message that failed.
    last: u64,
}

impl Run {
    fn new(options: &Options) -> Self {
        let options = BudgetOptions {
            ratio_milli: (options.ratio.unwrap_or(0.2) * 1000.0).round() as u32,
            min_per_second: options.min_per_second.unwrap_or(10),
            ttl_ms: options.ttl_ms.unwrap_or(10_000),
        };
        assert_eq!(options.check(), Ok(()));
        Self {
            budget: Budget::new(options),
            retries: 0,
            last: 0,
        }
    }

    fn perform(&mut self, step: &Step) {
        let now = Timestamp(START + step.at);
        while self.budget.next_change() <= now {
            let at = self.budget.next_change();
            self.call(at);
        }
        for _ in 0..step.succeed {
            self.deposit(now);
        }
        for _ in 0..step.fail {
            self.deposit(now);
            self.last += 1;
            if self.budget.check(now, self.last).is_ok() {
                self.retry(now, self.last);
            }
        }
    }

    fn deposit(&mut self, now: Timestamp) {
        self.budget.deposit(now);
        self.call(now);
    }

    /// Whoever waits and has room retries.
    fn call(&mut self, now: Timestamp) {
        while let Some((number, _)) = self.budget.next_to_call(now) {
            self.budget.call(now, number);
            assert!(self.budget.check(now, number).is_ok(), "it was called");
            self.retry(now, number);
        }
    }

    fn retry(&mut self, now: Timestamp, number: u64) {
        self.budget.withdraw(now, number);
        self.retries += 1;
    }
}
