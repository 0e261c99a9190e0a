//! `cargo xtask test`: every test of the repository, in tiers from the innermost part outwards.
//!
//! A tier that fails does not stop the next: one run tells everything. Budgets are printed beside the time
//! that a tier took; passing over one fails nothing, it says where the next hour of work should go.

use std::ffi::OsStr;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::proof;
use crate::step::{Progress, Step, StepFailed};
use crate::tally::{Counts, Tally, vitest_failures};
use crate::{cargo, chromium, core_on_wasm, native, programs, tools, typescript, wasm};

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
/// How many failed tests are listed; the log holds all.
const FAILURES_SHOWN: usize = 20;

/// Runs all tiers; the last line of the output counts the tests.
pub(crate) fn run() -> Result<ExitCode> {
    let progress = Progress::new()?;
    let npm_scripts = typescript::scripts("npm")?;
    let tests_scripts = typescript::scripts("tests")?;
    let mut tally = Tally::default();
    tally.enter("set-up");
    if let Err(failure) = prepare(&progress) {
        tally.suite(Err(failure), Counts::default());
    } else {
        let mut tier = |name, budget_seconds, work: &dyn Fn(&mut Tally)| {
            tier(&progress, &mut tally, name, budget_seconds, work);
        };
        tier("Rust", 480, &|tally| rust(&progress, tally));
        tier("build", 300, &|tally| build(&progress, tally));
        tier("core on WebAssembly", 180, &|tally| {
            core_on_wasm::run(&progress, tally)
        });
        tier("npm checks", 60, &|tally| {
            checks(&progress, tally, "npm", &npm_scripts);
            checks(&progress, tally, "tests", &tests_scripts);
        });
        // What has no budget here is part of a proof only.
        for proof in proof::TIERS.iter().filter(|tier| tier.short_seconds > 0) {
            tier(proof.name, proof.short_seconds, &|tally| {
                proof.run_short(&progress, tally);
            });
        }
        tier("suites", 600, &|tally| {
            suites(&progress, tally, &tests_scripts)
        });
        tier("browser", 180, &|tally| browser(&progress, tally));
        tier("demo", 60, &|tally| smoke(&progress, tally));
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

fn tier(
    progress: &Progress,
    tally: &mut Tally,
    name: &'static str,
    budget_seconds: u64,
    work: &dyn Fn(&mut Tally),
) {
    progress.say(&format!("-- {name} (budget {budget_seconds} s)"));
    tally.enter(name);
    let started = Instant::now();
    work(tally);
    progress.say(&spent(name, started.elapsed().as_secs(), budget_seconds));
}

/// What a tier took beside its budget.
fn spent(tier: &str, seconds: u64, budget_seconds: u64) -> String {
    let verdict = if seconds > budget_seconds {
        ", over budget"
    } else {
        ""
    };
    format!("-- {tier}: {seconds} of {budget_seconds} s{verdict}")
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
    for script in scripts
        .iter()
        .filter(|script| script.starts_with(SUITES) && !IN_BROWSER.contains(&script.as_str()))
    {
        suite(progress, tally, script, &[]);
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
    fn the_time_of_a_tier_is_held_against_its_budget() {
        assert_eq!(spent("demo", 60, 60), "-- demo: 60 of 60 s");
        assert_eq!(spent("demo", 61, 60), "-- demo: 61 of 60 s, over budget");
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
