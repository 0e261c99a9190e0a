//! `cargo xtask simulate`: worlds around the engine, each from a seed, and the tier of them in the tests.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;
use crate::proof::{Length, Program, Report};

/// How many seeds, from the first one, every run goes through.
const FIXED_SHORT: &str = "1000";
const FIXED_FULL: &str = "20000";
/// Wall time for seeds that no run had before, in seconds. Without it the tests take none: what a change
/// must pass is the same for everybody.
const SECONDS_VARIABLE: &str = "ACKBOX_SIMULATION_SECONDS";
/// And what a proof takes.
const FRESH_FULL: &str = "300";

/// Simulates what the options say; the exit code is the simulator's.
pub(crate) fn simulate(options: &[String]) -> Result<ExitCode> {
    let status = simulator(options).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The fixed seeds; then fresh ones for a while, in the tests only if that is asked for. Each world counts
/// as a test.
pub(crate) fn programs(length: Length) -> Vec<Program> {
    let asked = std::env::var(SECONDS_VARIABLE).ok();
    let (seeds, seconds) = match length {
        Length::Short => (FIXED_SHORT, asked),
        Length::Full => (FIXED_FULL, Some(asked.unwrap_or(FRESH_FULL.to_owned()))),
    };
    let program = |name, title, options: [&str; 4]| Program {
        name,
        title,
        command: simulator(&options.map(str::to_owned)),
        report: Report::Cargo,
    };
    let mut programs = vec![program(
        "simulation-fixed",
        format!("simulation, {seeds} fixed seeds"),
        ["--seed", "1", "--seeds", seeds],
    )];
    if let Some(seconds) = seconds {
        let seed = fresh_seed().to_string();
        programs.push(program(
            "simulation-fresh",
            format!("simulation, {seconds} s of seeds from {seed}"),
            ["--seed", &seed, "--seconds", &seconds],
        ));
    }
    programs
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
