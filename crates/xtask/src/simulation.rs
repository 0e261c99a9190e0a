//! `cargo xtask simulate`: worlds around the engine, each from a seed, and the tier of them in the tests.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::cargo;
use crate::step::Progress;
use crate::tally::{Counts, Tally};

/// Seeds that every run of the tests goes through: the first one, and how many.
const FIXED: (&str, &str) = ("1", "1000");
/// Wall time for seeds that no run had before, in seconds. Without it there are none: what a change
/// must pass is the same for everybody, and new seeds are searched apart.
const SECONDS_VARIABLE: &str = "ACKBOX_SIMULATION_SECONDS";
/// A simulator that hangs ends here.
const LIMIT: Duration = Duration::from_secs(600);

/// Simulates what the options say; the exit code is the simulator's.
pub(crate) fn simulate(options: &[String]) -> Result<ExitCode> {
    let status = simulator(options).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The fixed seeds, then fresh ones for a while if that is asked for; each world counts as a test.
pub(crate) fn tier(progress: &Progress, tally: &mut Tally) {
    let (seed, seeds) = FIXED;
    let fixed = ["--seed", seed, "--seeds", seeds].map(str::to_owned);
    worlds(
        progress,
        tally,
        "simulation-fixed",
        "simulation, fixed seeds",
        &fixed,
    );
    let Ok(seconds) = std::env::var(SECONDS_VARIABLE) else {
        return;
    };
    let seed = fresh_seed();
    let title = format!("simulation, {seconds} s of seeds from {seed}");
    let fresh = [
        "--seed".to_owned(),
        seed.to_string(),
        "--seconds".to_owned(),
        seconds,
    ];
    worlds(progress, tally, "simulation-fresh", &title, &fresh);
}

fn worlds(progress: &Progress, tally: &mut Tally, name: &str, title: &str, options: &[String]) {
    let mut counts = Counts::default();
    let outcome = progress.step(name, title, |step| {
        let ended = step.run_within(LIMIT, &mut simulator(options));
        let output = step.output()?;
        counts = Counts::of_cargo(&output);
        let speed = output
            .lines()
            .rfind(|line| line.ends_with("crashes a second"));
        step.outcome(format!("{counts}; {}", speed.unwrap_or("no figures")));
        ended?;
        if counts.passed == 0 {
            bail!("no world was simulated");
        }
        Ok(())
    });
    tally.suite(outcome, counts);
}

fn simulator(options: &[String]) -> std::process::Command {
    let mut command = cargo::cargo();
    command
        .args(["run", "--quiet", "--package", "ackbox-simulation"])
        .args(["--profile", "simulation", "--"])
        .args(options);
    command
}

/// A seed that no run had before, small enough to be typed.
fn fresh_seed() -> u64 {
    RandomState::new().hash_one("a fresh seed") >> 24
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn fresh_seeds_differ() {
        assert_ne!(fresh_seed(), fresh_seed());
    }
}
