//! `cargo xtask test`: every test of the repository, in tiers from the innermost part outwards.
//!
//! A tier that fails does not stop the next: one run tells everything. Budgets (`budget.rs`) are printed beside the
//! time that a tier took; together they are 25 minutes.

use std::ffi::OsStr;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::budget::{self, Budget, Spending};
use crate::proof::{self, Tier};
use crate::step::{Progress, Step, StepFailed};
use crate::tally::{Counts, Tally, vitest_failures};
use crate::{cargo, chromium, core_on_wasm, native, programs, redis, tools, typescript, wasm};

const RUST: Budget = Budget::new("Rust", 140);
const BUILD: Budget = Budget::new("build", 180);
const CORE_ON_WASM: Budget = Budget::new("core on WebAssembly", 80);
const NPM_CHECKS: Budget = Budget::new("npm checks", 30);
const SUITES_BUDGET: Budget = Budget::new("suites", 390);
const DISTRIBUTED: Budget = Budget::new("distributed", 45);
const BROWSER: Budget = Budget::new("browser", 240);
const DEMO: Budget = Budget::new("demo", 10);
/// A demo that hangs ends here, well above what it takes on two cores.
const DEMO_LIMIT: Duration = Duration::from_secs(300);
/// Few orders and two kills: whether the example works at all; the crash suite does the rest.
const DEMO_OPTIONS: [&str; 6] = ["--orders", "200", "--kills", "2", "--seed", "1"];
/// Scripts of `npm/package.json` and `tests/package.json` that are one check each: these and `<name>:*`.
const CHECKS: [&str; 3] = ["lint", "size", "types"];
/// Scripts of `tests/package.json` that are suites, all run by vitest.
const SUITES: &str = "test:";
/// Those of them that need a browser.
const IN_BROWSER: [&str; 2] = ["test:browser", "test:pages"];
/// The one that needs Redis.
const ON_REDIS: &str = "test:distributed";
/// How many failed tests are listed; the log holds all.
const FAILURES_SHOWN: usize = 20;

/// Runs all tiers; the last line of the output counts the tests.
pub(crate) fn run() -> Result<ExitCode> {
    let progress = Progress::new()?;
    let npm_scripts = typescript::scripts("npm")?;
    let tests_scripts = typescript::scripts("tests")?;
    let mut tally = Tally::default();
    let mut spending = Spending::default();
    progress.say(&format!(
        "-- the budgets of all tiers: {} s",
        budget::total(&budgets())
    ));
    tally.enter("set-up");
    if let Err(failure) = prepare(&progress) {
        tally.suite(Err(failure), Counts::default());
    } else {
        let mut tier = |budget, work: &dyn Fn(&mut Tally)| {
            tier(&progress, &mut tally, &mut spending, budget, work);
        };
        tier(RUST, &|tally| rust(&progress, tally));
        tier(BUILD, &|tally| build(&progress, tally));
        tier(CORE_ON_WASM, &|tally| core_on_wasm::run(&progress, tally));
        tier(NPM_CHECKS, &|tally| {
            checks(&progress, tally, "npm", &npm_scripts);
            checks(&progress, tally, "tests", &tests_scripts);
        });
        for proof in shortened() {
            tier(proof.budget(), &|tally| proof.run_short(&progress, tally));
        }
        tier(SUITES_BUDGET, &|tally| {
            suites(&progress, tally, &tests_scripts)
        });
        tier(DISTRIBUTED, &|tally| distributed(&progress, tally));
        tier(BROWSER, &|tally| browser(&progress, tally));
        tier(DEMO, &|tally| smoke(&progress, tally));
    }
    for line in spending.report() {
        progress.say(&line);
    }
    for line in tally.report() {
        progress.say(&line);
    }
    Ok(if tally.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn prepare(progress: &Progress) -> Result<(), StepFailed> {
    tools::check(progress)?;
    tools::check_component(progress, "rustfmt", "fmt")?;
    tools::check_component(progress, "clippy", "clippy")?;
    typescript::install(progress, "npm")?;
    typescript::install(progress, "tests")
}

/// Tiers of a proof that have a place here. What has no budget is part of a proof only.
fn shortened() -> impl Iterator<Item = &'static Tier> {
    proof::TIERS.iter().filter(|tier| tier.short_seconds > 0)
}

/// What every tier of `run` may take.
fn budgets() -> Vec<Budget> {
    let own = [
        RUST,
        BUILD,
        CORE_ON_WASM,
        NPM_CHECKS,
        SUITES_BUDGET,
        DISTRIBUTED,
        BROWSER,
        DEMO,
    ];
    own.into_iter()
        .chain(shortened().map(Tier::budget))
        .collect()
}

fn tier(
    progress: &Progress,
    tally: &mut Tally,
    spending: &mut Spending,
    budget: Budget,
    work: &dyn Fn(&mut Tally),
) {
    let Budget { tier, seconds } = budget;
    progress.say(&format!("-- {tier} (budget {seconds} s)"));
    tally.enter(tier);
    let started = Instant::now();
    work(tally);
    progress.say(&spending.note(budget, started.elapsed()));
}

fn rust(progress: &Progress, tally: &mut Tally) {
    let checks: [(&str, &str, &[&str]); 3] = [
        (
            "format",
            "cargo fmt",
            &["fmt", "--all", "--check", "--", "--color", "never"],
        ),
        (
            "clippy",
            "cargo clippy",
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ],
        ),
        (
            "doc",
            "cargo doc",
            &["doc", "--no-deps", "--document-private-items"],
        ),
    ];
    for (name, title, arguments) in checks {
        let mut command = cargo::cargo();
        command
            .args(arguments)
            .env("RUSTDOCFLAGS", "--deny warnings");
        tally.check(progress.step(name, title, |step| step.run(&mut command)));
    }
    let mut counts = Counts::default();
    let outcome = progress.step("cargo-test", "cargo test", |step| {
        let status = step.attempt(cargo::cargo().args(["test", "--no-fail-fast"]))?;
        counts = Counts::of_cargo(&step.output()?);
        step.outcome(counts.to_string());
        if !status.success() {
            bail!("`cargo test`: {status}, {counts}");
        }
        ran_some(counts)
    });
    tally.suite(outcome, counts);
}

fn build(progress: &Progress, tally: &mut Tally) {
    tally.check(native::build(progress));
    tally.check(wasm::build(progress));
    tally.check(typescript::compile(progress));
    tally.check(typescript::bundle(progress));
}

fn checks(progress: &Progress, tally: &mut Tally, folder: &str, scripts: &[String]) {
    let kind = |script: &str| script.split(':').next().unwrap_or_default().to_owned();
    for script in scripts
        .iter()
        .filter(|script| CHECKS.contains(&kind(script).as_str()))
    {
        let title = format!("npm run {script} in {folder}/");
        tally.check(progress.step(&log_name(folder, script), &title, |step| {
            step.run(typescript::npm(folder).args(["run", "--silent", script]))
        }));
    }
}

fn suites(progress: &Progress, tally: &mut Tally, scripts: &[String]) {
    let elsewhere = |script: &str| script == ON_REDIS || IN_BROWSER.contains(&script);
    for script in scripts
        .iter()
        .filter(|script| script.starts_with(SUITES) && !elsewhere(script))
    {
        suite(progress, tally, script, &[]);
    }
}

/// The suite on Redis; without a server it counts as one that was skipped.
fn distributed(progress: &Progress, tally: &mut Tally) {
    match redis::find(progress) {
        Ok(Some(_)) => suite(progress, tally, ON_REDIS, &[]),
        Ok(None) => tally.suite(
            Ok(()),
            Counts {
                skipped: 1,
                ..Counts::default()
            },
        ),
        Err(failure) => tally.suite(Err(failure), Counts::default()),
    }
}

/// The suites of the browser; without one each counts as one that was skipped.
fn browser(progress: &Progress, tally: &mut Tally) {
    match chromium::find(progress) {
        Ok(Some(program)) => {
            for script in IN_BROWSER {
                let named = [(chromium::VARIABLE, program.as_os_str())];
                suite(progress, tally, script, &named);
            }
        }
        Ok(None) => tally.suite(
            Ok(()),
            Counts {
                skipped: IN_BROWSER.len() as u64,
                ..Counts::default()
            },
        ),
        Err(failure) => tally.suite(Err(failure), Counts::default()),
    }
}

fn suite(progress: &Progress, tally: &mut Tally, script: &str, environment: &[(&str, &OsStr)]) {
    let mut counts = Counts::default();
    let title = format!("npm run {script} in tests/");
    let name = log_name("tests", script);
    let outcome = progress.step(&name, &title, |step| {
        vitest(step, script, environment, &mut counts)
    });
    tally.suite(outcome, counts);
}

/// Runs one suite; its counts are in `counts` whether it passed or not.
fn vitest(
    step: &mut Step,
    script: &str,
    environment: &[(&str, &OsStr)],
    counts: &mut Counts,
) -> Result<()> {
    let path = step.report_path("json");
    if path.exists() {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    let mut command = typescript::npm("tests");
    command.envs(environment.iter().copied()).args([
        "run",
        "--silent",
        script,
        "--",
        "--reporter=default",
        "--reporter=json",
    ]);
    command.arg(format!("--outputFile.json={}", path.display()));
    let status = step.attempt(&mut command)?;
    let Ok(text) = fs::read(&path) else {
        bail!("vitest wrote no report ({status})");
    };
    let report = serde_json::from_slice(&text).context("vitest's report is no JSON")?;
    *counts = Counts::of_vitest(&report);
    step.outcome(counts.to_string());
    if !status.success() {
        let failures = vitest_failures(&report);
        let shown = &failures[..failures.len().min(FAILURES_SHOWN)];
        bail!("{counts}\n  {}", shown.join("\n  "));
    }
    ran_some(*counts)
}

/// A suite that succeeds without a test shows nothing.
fn ran_some(counts: Counts) -> Result<()> {
    if counts.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn smoke(progress: &Progress, tally: &mut Tally) {
    tally.check(progress.step("demo", "order-processing demo", |step| {
        step.run_within(
            DEMO_LIMIT,
            cargo::tool("node").arg(programs::DEMO).args(DEMO_OPTIONS),
        )
    }));
}

fn log_name(folder: &str, script: &str) -> String {
    format!("{folder}-{}", script.replace(':', "-"))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn all_tiers_together_take_25_minutes_at_most() {
        let total = budget::total(&budgets());
        assert!(total <= 25 * 60, "{total} s");
    }

    #[test]
    fn a_suite_without_tests_is_a_failure() {
        let passed = Counts {
            passed: 1,
            ..Counts::default()
        };
        assert!(ran_some(passed).is_ok());
        assert!(ran_some(Counts::default()).is_err());
    }
}
