//! Counting tests over tools that each report in their own way.

use std::path::PathBuf;

use serde_json::Value;

use crate::step::StepFailed;

/// How many tests passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

/// The counts of a whole run, and where to read about its failures.
#[derive(Default)]
pub(crate) struct Tally {
    counts: Counts,
    tier: &'static str,
    failures: Vec<Failed>,
}

/// A step that failed.
struct Failed {
    tier: &'static str,
    title: String,
    log: Option<PathBuf>,
}

impl Tally {
    /// What is counted from now on belongs to this tier.
    pub(crate) fn enter(&mut self, tier: &'static str) {
        self.tier = tier;
    }

    /// Counts a step that is one check: it holds or it does not.
    pub(crate) fn check<T>(&mut self, outcome: Result<T, StepFailed>) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.counts.passed += 1;
                Some(value)
            }
            Err(failure) => {
                self.fail(failure, Counts::default());
                None
            }
        }
    }

    /// Counts a step that ran many tests. `counts` is what it reported, even where it failed.
    pub(crate) fn suite(&mut self, outcome: Result<(), StepFailed>, counts: Counts) {
        match outcome {
            Ok(()) => self.add(counts),
            Err(failure) => self.fail(failure, counts),
        }
    }

    fn fail(&mut self, failure: StepFailed, mut counts: Counts) {
        // A step that failed without a failed test broke elsewhere: that is a failure too.
        counts.failed = counts.failed.max(1);
        self.add(counts);
        self.failures.push(Failed {
            tier: self.tier,
            title: failure.title,
            log: failure.log,
        });
    }

    fn add(&mut self, counts: Counts) {
        self.counts.passed += counts.passed;
        self.counts.failed += counts.failed;
        self.counts.skipped += counts.skipped;
    }

    /// What failed, by tier, and as the last line the counts.
    pub(crate) fn report(&self) -> Vec<String> {
        let failures = self
            .failures
            .iter()
            .map(|Failed { tier, title, log }| match log {
                Some(log) => format!("failed in {tier}: {title}, log: {}", log.display()),
                None => format!("failed in {tier}: {title}"),
            });
        failures.chain([self.counts.to_string()]).collect()
    }

    /// Whether everything passed.
    pub(crate) fn passed(&self) -> bool {
        self.counts.failed == 0
    }
}

impl Counts {
    /// Sums the `test result:` lines of `cargo test`.
    pub(crate) fn of_cargo(output: &str) -> Self {
        let mut sum = Self::default();
        for line in output
            .lines()
            .filter(|line| line.starts_with("test result:"))
        {
            for part in line.split([';', '.']) {
                let mut words = part.split_whitespace();
                let Some(Ok(number)) = words.next().map(str::parse::<u64>) else {
                    continue;
                };
                match words.next() {
                    Some("passed") => sum.passed += number,
                    Some("failed") => sum.failed += number,
                    Some("ignored") => sum.skipped += number,
                    _ => {}
                }
            }
        }
        sum
    }

    /// The totals of vitest's JSON report. A file that could not be loaded holds no tests and still failed.
    pub(crate) fn of_vitest(report: &Value) -> Self {
        let number = |name: &str| report[name].as_u64().unwrap_or(0);
        let broken = report["testResults"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|file| {
                let tests = file["assertionResults"].as_array().into_iter().flatten();
                file["status"] == "failed"
                    && !tests.into_iter().any(|test| test["status"] == "failed")
            });
        Self {
            passed: number("numPassedTests"),
            failed: number("numFailedTests") + broken.count() as u64,
            skipped: number("numPendingTests") + number("numTodoTests"),
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(
            formatter,
            "{passed} passed, {failed} failed, {skipped} skipped"
        )
    }
}

/// What failed in vitest's JSON report, one line each: the test's full name and the first line of its error.
pub(crate) fn vitest_failures(report: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for file in report["testResults"].as_array().into_iter().flatten() {
        for test in file["assertionResults"].as_array().into_iter().flatten() {
            if test["status"] == "failed" {
                let name = test["fullName"].as_str().unwrap_or("a test without a name");
                let message = test["failureMessages"][0].as_str().unwrap_or_default();
                lines.push(format!(
                    "{name}: {}",
                    message.lines().next().unwrap_or_default()
                ));
            }
        }
        let message = file["message"].as_str().unwrap_or_default();
        if file["status"] == "failed" && !message.is_empty() {
            let name = file["name"].as_str().unwrap_or("a file without a name");
            lines.push(format!(
                "{name}: {}",
                message.lines().next().unwrap_or_default()
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cargo_results_are_summed_over_binaries() {
        let output = "\
running 3 tests
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
a test that prints: 9 passed; 9 failed
test result: ok. 40 passed; 0 failed; 2 ignored; 0 measured; 7 filtered out; finished in 1.00s
";
        assert_eq!(
            Counts::of_cargo(output),
            Counts {
                passed: 42,
                failed: 1,
                skipped: 2
            }
        );
        assert_eq!(
            Counts::of_cargo("error: could not compile"),
            Counts::default()
        );
    }

    #[test]
    fn a_test_file_that_does_not_load_is_a_failure() {
        let report = json!({
            "numPassedTests": 5, "numFailedTests": 1, "numPendingTests": 2, "numTodoTests": 1,
            "testResults": [
                { "name": "a.test.ts", "status": "failed", "message": "",
                  "assertionResults": [
                    { "status": "failed", "fullName": "acks", "failureMessages": ["Error: no\n at x"] },
                    { "status": "passed", "fullName": "opens" } ] },
                { "name": "b.test.ts", "status": "failed", "message": "cannot import", "assertionResults": [] },
            ],
        });
        assert_eq!(
            Counts::of_vitest(&report),
            Counts {
                passed: 5,
                failed: 2,
                skipped: 3
            }
        );
        assert_eq!(
            vitest_failures(&report),
            ["acks: Error: no", "b.test.ts: cannot import"]
        );
    }

    #[test]
    fn the_last_line_sums_over_all_tiers_and_failures_name_theirs() {
        let counts = Counts {
            passed: 3,
            failed: 0,
            skipped: 1,
        };
        let failure = |title: &str, log: Option<&str>| StepFailed {
            title: title.to_owned(),
            log: log.map(PathBuf::from),
        };
        let mut tally = Tally::default();
        tally.enter("Rust");
        tally.suite(Ok(()), counts);
        tally.check(Ok(()));
        assert!(tally.passed());
        assert_eq!(tally.report(), ["4 passed, 0 failed, 1 skipped"]);
        tally.check::<()>(Err(failure("cargo clippy", Some("clippy.log"))));
        tally.enter("suites");
        let counts = Counts {
            failed: 2,
            ..counts
        };
        tally.suite(Err(failure("crash", None)), counts);
        tally.suite(Ok(()), counts);
        assert!(!tally.passed());
        assert_eq!(
            tally.report(),
            [
                "failed in Rust: cargo clippy, log: clippy.log",
                "failed in suites: crash",
                "10 passed, 5 failed, 3 skipped"
            ]
        );
    }

    #[test]
    fn a_step_that_fails_without_a_failed_test_counts_as_one() {
        let mut tally = Tally::default();
        let failure = StepFailed {
            title: "rust".to_owned(),
            log: None,
        };
        tally.suite(
            Err(failure),
            Counts {
                passed: 7,
                ..Counts::default()
            },
        );
        assert_eq!(
            tally.counts,
            Counts {
                passed: 7,
                failed: 1,
                skipped: 0
            }
        );
    }
}
