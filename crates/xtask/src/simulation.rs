//! `cargo xtask simulate`: worlds around the engine, each from a seed, and the tier of them in the tests.

use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;
use crate::proof::{Length, Program, Report, TimeLimit};

/// How many seeds, from the first one, every run goes through.
const FIXED_SHORT: &str = "10000";
const FIXED_FULL: &str = "20000";
/// Wall time for seeds that no run had before, in seconds; 0 for none.
const SECONDS_VARIABLE: &str = "ACKBOX_SIMULATION_SECONDS";
/// What the tests take where nobody said: with the fixed seeds this fills their budget.
const FRESH_SHORT: u64 = 60;
/// And what a proof takes.
const FRESH_FULL: u64 = 300;
pub(crate) const FRESH_LIMIT: TimeLimit = TimeLimit {
    program: FRESH,
    variable: SECONDS_VARIABLE,
    full_seconds: FRESH_FULL,
};
const FRESH: &str = "simulation-fresh";

/// Simulates what the options say; the exit code is the simulator's.
pub(crate) fn simulate(options: &[String]) -> Result<ExitCode> {
    let status = simulator(options).status()?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The fixed seeds; then fresh ones for a while, whose first one is in the title and so in every log. Each world
/// counts as a test.
///
/// A fresh seed that fails is a finding, and whoever changes something by hand wants to hear of it. What gates a
/// change must be the same for every change, or one is refused for what another one did: `.ci/run` asks for none.
pub(crate) fn programs(length: Length) -> Vec<Program> {
    let asked = std::env::var(SECONDS_VARIABLE).ok();
    let (seeds, usual) = match length {
        Length::Short => (FIXED_SHORT, FRESH_SHORT),
        Length::Full => (FIXED_FULL, FRESH_FULL),
    };
    let seconds = asked.unwrap_or_else(|| usual.to_string());
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
    if seconds != "0" {
        let seed = fresh_seed().to_string();
        programs.push(program(
            FRESH,
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
