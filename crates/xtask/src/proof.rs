//! The tiers that try to catch the engine lying: worlds of faults, real crashes, fuzzed bytes.
//!
//! A tier is one or more programs. `cargo xtask test` runs each of them shortened, `cargo xtask prove` at
//! full length; `ACKBOX_LENGTH` tells a program which it is. A program reports its tests as `cargo test` or
//! vitest do, and writes what it has seen (its *evidence*) as JSON into the file that `ACKBOX_EVIDENCE`
//! names: `figures`, the promises that it `proves` with how often, and what it `skipped` and why. A proof
//! turns it into the page of guarantees (`guarantees.rs`).

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::budget::Budget;
use crate::step::{Progress, Step};
use crate::tally::{Counts, Tally, vitest_failures};
use crate::{chromium, simulation, tabs, tools, typescript, wasm};
use crate::{driver, enumeration, faults, fuzzing, guarantees, kills, mutation, native, peers};

/// Every tier, from the innermost part outwards.
pub(crate) const TIERS: &[Tier] = &[
    Tier {
        name: "simulation",
        short_seconds: 150,
        full_seconds: 3_600,
        needs_package: false,
        programs: simulation::programs,
    },
    Tier {
        name: "crash states",
        short_seconds: 10,
        full_seconds: 600,
        needs_package: false,
        programs: enumeration::programs,
    },
    Tier {
        name: "planted bugs",
        short_seconds: 60,
        full_seconds: 1_200,
        needs_package: true,
        programs: mutation::programs,
    },
    Tier {
        name: "kills and pauses",
        short_seconds: 45,
        full_seconds: 1_800,
        needs_package: true,
        programs: kills::programs,
    },
    Tier {
        name: "killed tabs",
        short_seconds: 30,
        full_seconds: 1_800,
        needs_package: true,
        programs: tabs::programs,
    },
    Tier {
        name: "faults of the system",
        short_seconds: 30,
        full_seconds: 900,
        needs_package: true,
        programs: faults::programs,
    },
    Tier {
        name: "power cuts",
        short_seconds: 30,
        full_seconds: 1_800,
        needs_package: true,
        programs: faults::power_programs,
    },
    Tier {
        name: "other queues",
        short_seconds: 0,
        full_seconds: 1_800,
        needs_package: true,
        programs: peers::programs,
    },
    Tier {
        name: "fuzzing",
        short_seconds: 20,
        full_seconds: 900,
        needs_package: true,
        programs: fuzzing::programs,
    },
    Tier {
        name: "driver",
        short_seconds: 10,
        full_seconds: 1_800,
        needs_package: true,
        programs: driver::programs,
    },
];

/// How much of a tier runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// What a change must pass.
    Short,
    /// What a release rests on.
    Full,
}

/// Programs that prove one thing.
pub(crate) struct Tier {
    pub(crate) name: &'static str,
    /// The budget in `cargo xtask test`, in seconds.
    pub(crate) short_seconds: u64,
    /// The budget in `cargo xtask prove`, in seconds.
    pub(crate) full_seconds: u64,
    /// Its programs use the built package; without, they are Rust alone.
    pub(crate) needs_package: bool,
    pub(crate) programs: fn(Length) -> Vec<Program>,
}

/// A program of a tier.
pub(crate) struct Program {
    /// Names its log and its evidence: lower case and dashes, unique over all tiers.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) command: Command,
    pub(crate) report: Report,
}

/// A variable of the environment by which somebody may have a program take less time than a proof gives it.
pub(crate) struct TimeLimit {
    pub(crate) program: &'static str,
    pub(crate) variable: &'static str,
    pub(crate) full_seconds: u64,
}

/// How a program tells its counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// Lines `test result: ok. 3 passed; 0 failed; 1 ignored` on its output.
    Cargo,
    /// A vitest suite: started with `--outputFile.json`.
    Vitest,
}

/// What a program has seen, and under which name.
pub(crate) struct Evidence {
    program: &'static str,
    title: String,
    counts: Counts,
    seconds: u64,
    value: Value,
}

/// `cargo xtask prove [program ...]`: every tier at full length, or only these programs of theirs.
pub(crate) fn prove(only: &[String]) -> Result<ExitCode> {
    let progress = Progress::new()?;
    known(only)?;
    tools::check(&progress)?;
    let is_chosen = |tier: &&Tier| !tier.programs(Length::Full, only).is_empty();
    if TIERS
        .iter()
        .filter(is_chosen)
        .any(|tier| tier.needs_package)
    {
        build_package(&progress, only)?;
    }
    let source = guarantees::Source::of_this_tree();
    if let Err(why) = &source {
        progress.say(&format!("-- nothing of this will be recorded: {why:#}"));
    }
    let mut tally = Tally::default();
    for tier in TIERS {
        let programs = tier.programs(Length::Full, only);
        if programs.is_empty() {
            continue;
        }
        progress.say(&format!(
            "-- {} (budget {} s)",
            tier.name, tier.full_seconds
        ));
        tally.enter(tier.name);
        let evidence = tier.run(&progress, &mut tally, Length::Full, programs);
        // Tier by tier: a proof takes hours, and what was seen is not lost when it is ended.
        if let Ok(source) = &source {
            guarantees::record(evidence.iter().map(Evidence::to_json).collect(), source)
                .context("what this tier saw is not recorded")?;
        }
    }
    if let Err(why) = &source {
        progress.say(&format!("-- nothing of this was recorded: {why:#}"));
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

fn build_package(progress: &Progress, only: &[String]) -> Result<()> {
    typescript::install(progress, "npm")?;
    typescript::install(progress, "tests")?;
    let is_wanted = |program| only.is_empty() || only.iter().any(|name| name == program);
    if is_wanted(peers::PROGRAM) {
        typescript::install(progress, peers::FOLDER)?;
    }
    native::build(progress)?;
    wasm::build(progress)?;
    typescript::compile(progress)?;
    if is_wanted(tabs::PROGRAM) {
        typescript::bundle(progress)?;
    }
    if is_wanted(tabs::PROGRAM) || is_wanted(peers::PROGRAM) {
        chromium::find(progress)?;
    }
    Ok(())
}

impl Evidence {
    fn to_json(&self) -> Value {
        json!({
            "program": self.program,
            "title": self.title,
            "shortened": shortened(self.program, |name| std::env::var(name).ok()),
            "passed": self.counts.passed,
            "failed": self.counts.failed,
            "skipped": self.counts.skipped,
            "seconds": self.seconds,
            "evidence": self.value,
        })
    }
}

impl Tier {
    /// What the tier runs at this length: all of it, or the named programs.
    fn programs(&self, length: Length, only: &[String]) -> Vec<Program> {
        let programs = (self.programs)(length).into_iter();
        let chosen =
            |program: &Program| only.is_empty() || only.iter().any(|name| name == program.name);
        programs.filter(chosen).collect()
    }

    /// What it may take in the tests.
    pub(crate) fn budget(&self) -> Budget {
        Budget::new(self.name, self.short_seconds)
    }

    /// Runs the whole tier, shortened.
    pub(crate) fn run_short(&self, progress: &Progress, tally: &mut Tally) {
        self.run(
            progress,
            tally,
            Length::Short,
            self.programs(Length::Short, &[]),
        );
    }

    /// Runs all programs, one that fails too; what each has seen, or that it broke.
    fn run(
        &self,
        progress: &Progress,
        tally: &mut Tally,
        length: Length,
        programs: Vec<Program>,
    ) -> Vec<Evidence> {
        let budget = match length {
            Length::Short => self.short_seconds,
            Length::Full => self.full_seconds,
        };
        let programs = programs.into_iter();
        programs
            .map(|program| program.run(progress, tally, length, budget))
            .collect()
    }
}

/// What the environment takes off a program's time, as `60 of 300 s`; none if nothing.
fn shortened(program: &str, environment: impl Fn(&str) -> Option<String>) -> Option<String> {
    let limits = [simulation::FRESH_LIMIT, fuzzing::LIMIT];
    let limit = limits.iter().find(|limit| limit.program == program)?;
    let asked: u64 = environment(limit.variable)?.parse().ok()?;
    (asked < limit.full_seconds).then(|| format!("{asked} of {} s", limit.full_seconds))
}

/// Refuses a name that no program has.
fn known(only: &[String]) -> Result<()> {
    let programs = TIERS.iter().flat_map(|tier| (tier.programs)(Length::Full));
    let names: Vec<&str> = programs.map(|program| program.name).collect();
    for name in only {
        if !names.contains(&name.as_str()) {
            bail!("no program `{name}`, expected one of {}", names.join(", "));
        }
    }
    Ok(())
}

impl Program {
    fn run(
        mut self,
        progress: &Progress,
        tally: &mut Tally,
        length: Length,
        budget_seconds: u64,
    ) -> Evidence {
        let started = Instant::now();
        let mut counts = Counts::default();
        let mut evidence = Value::Null;
        let title = std::mem::take(&mut self.title);
        let outcome = progress.step(self.name, &title, |step| {
            let file = fresh(step.report_path("evidence.json"))?;
            self.command.env("ACKBOX_EVIDENCE", &file).env(
                "ACKBOX_LENGTH",
                match length {
                    Length::Short => "short",
                    Length::Full => "full",
                },
            );
            // A tier that hangs ends well above its budget: a slow machine is no failure.
            let limit = Duration::from_secs(budget_seconds * 3 + 300);
            let ended = self.attempt(step, limit, &mut counts);
            step.outcome(counts.to_string());
            if let Ok(text) = fs::read(&file) {
                evidence = serde_json::from_slice(&text).context("the evidence is no JSON")?;
            }
            ended?;
            if counts.passed + counts.skipped == 0 {
                bail!("no test ran");
            }
            Ok(())
        });
        // One that broke has a failure, whatever it counted, and takes the place of what it saw before.
        if outcome.is_err() {
            counts.failed = counts.failed.max(1);
        }
        tally.suite(outcome, counts);
        Evidence {
            program: self.name,
            title,
            counts,
            seconds: started.elapsed().as_secs(),
            value: evidence,
        }
    }

    fn attempt(&mut self, step: &Step, limit: Duration, counts: &mut Counts) -> Result<()> {
        match self.report {
            Report::Cargo => {
                let ended = step.run_within(limit, &mut self.command);
                *counts = Counts::of_cargo(&step.output()?);
                ended
            }
            Report::Vitest => {
                let path = fresh(step.report_path("json"))?;
                self.command.args(["--reporter=default", "--reporter=json"]);
                self.command
                    .arg(format!("--outputFile.json={}", path.display()));
                let ended = step.run_within(limit, &mut self.command);
                let text = fs::read(&path).context("vitest wrote no report")?;
                let report = serde_json::from_slice(&text).context("vitest's report is no JSON")?;
                *counts = Counts::of_vitest(&report);
                ended.with_context(|| vitest_failures(&report).join("\n  "))
            }
        }
    }
}

/// The path, with nothing of an earlier run there.
fn fresh(path: PathBuf) -> Result<PathBuf> {
    if path.exists() {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(path)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn programs_have_names_of_their_own() {
        let programs = TIERS.iter().flat_map(|tier| (tier.programs)(Length::Full));
        let mut names: Vec<&str> = programs.map(|program| program.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn less_time_than_a_proof_has_is_told() {
        let limit = |value: &'static str| {
            move |name: &str| (name == "ACKBOX_FUZZ_SECONDS").then(|| value.to_owned())
        };
        assert_eq!(
            shortened("fuzzing", limit("30")).as_deref(),
            Some("30 of 120 s")
        );
        assert_eq!(shortened("fuzzing", limit("120")), None);
        assert_eq!(shortened("simulation-fresh", limit("30")), None);
    }

    #[test]
    fn a_program_that_nobody_has_is_refused() {
        let error = known(&["kill-and-paws".to_owned()]).expect_err("nobody has it");
        assert!(error.to_string().contains("kill-and-pause"), "{error}");
    }
}
