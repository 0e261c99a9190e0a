//! Retry budgets, case by case, from `testdata/budget`. Its README tells the form. [A3 retryBudget]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ackbox_core::policy::budget::{Budget, BudgetOptions};
use ackbox_core::time::Timestamp;
use serde::Deserialize;

/// Instant 0 of every trace.
const START: u64 = 1_600_000_000_000;
/// In all files together.
const CASES_MIN: usize = 13;

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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/budget");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("test data can be listed") {
        let file = entry.expect("test data can be listed").path();
        if file.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("test data can be read");
        let cases: Vec<Case> =
            serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
        for case in cases {
            let mut run = Run::new(&case.budget);
            for (index, step) in case.steps.iter().enumerate() {
                run.perform(step);
                let expected = step.retries.unwrap_or(run.retries);
                assert_eq!(run.retries, expected, "{}: step {index}", case.name);
            }
            assert!(names.insert(case.name), "two cases of one name");
        }
    }
    assert!(names.len() >= CASES_MIN, "{} cases", names.len());
}

struct Run {
    budget: Budget,
    retries: u32,
    /// Retries that were put off, by the time when they ask again.
    put_off: BTreeMap<Timestamp, u32>,
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
            put_off: BTreeMap::new(),
        }
    }

    fn perform(&mut self, step: &Step) {
        let now = Timestamp(START + step.at);
        while let Some(due) = self.put_off.first_entry().filter(|due| *due.key() <= now) {
            let (at, many) = due.remove_entry();
            (0..many).for_each(|_| self.ask(at));
        }
        (0..step.succeed).for_each(|_| self.budget.deposit(now));
        for _ in 0..step.fail {
            self.budget.deposit(now);
            self.ask(now);
        }
    }

    fn ask(&mut self, now: Timestamp) {
        match self.budget.check(now) {
            Ok(()) => {
                self.budget.withdraw(now);
                self.retries += 1;
            }
            Err(until) => *self.put_off.entry(until).or_default() += 1,
        }
    }
}
