//! Simulates worlds: `simulation --seed S --seeds N`, `--seconds T` for as many as fit, `--keep 1,2,3` for
//! some of one world's operations, `--first yes` to stop at the first world that fails. The last line counts
//! worlds as `cargo test` counts tests.

#![expect(
    clippy::disallowed_types,
    reason = "the program counts seconds, the worlds do not"
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod evidence;

use ackbox_simulation::figures::Figures;
use ackbox_simulation::plan::Plan;
use ackbox_simulation::shrink::shrink;
use ackbox_simulation::{Report, run_twice};
use anyhow::{Context, Result, bail};
use evidence::Sum;

/// Failures that are shown in full; more tell little.
const SHOWN_MAX: u64 = 3;

struct Arguments {
    seed: u64,
    seeds: u64,
    seconds: Option<u64>,
    keep: Option<Vec<usize>>,
    /// One failure is enough, and told as it is.
    first: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = parse(std::env::args().skip(1))?;
    // What a world panics with is in its report.
    std::panic::set_hook(Box::new(|_| {}));
    if let Some(kept) = &arguments.keep {
        return Ok(replay(arguments.seed, kept));
    }
    let started = Instant::now();
    let limit = arguments.seconds.map(Duration::from_secs);
    let mut sum = Sum {
        passed: 0,
        failed: 0,
        figures: Figures::default(),
        seconds: 0.0,
    };
    for seed in (0..arguments.seeds).map(|index| arguments.seed.wrapping_add(index)) {
        if limit.is_some_and(|limit| started.elapsed() >= limit) {
            break;
        }
        simulate(seed, &mut sum, arguments.first);
        if arguments.first && sum.failed > 0 {
            break;
        }
    }
    sum.seconds = started.elapsed().as_secs_f64();
    for (name, count) in sum.figures.named() {
        println!("{count:>12} {name}");
    }
    if let Some(path) = std::env::var_os("ACKBOX_EVIDENCE") {
        sum.write(Path::new(&path))?;
    }
    let Sum { passed, failed, .. } = sum;
    println!(
        "{} crashes in {:.1} s: {:.0} crashes a second",
        sum.figures.crashes,
        sum.seconds,
        sum.speed()
    );
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn simulate(seed: u64, sum: &mut Sum, first: bool) {
    let plan = Plan::of(seed);
    let all: Vec<usize> = (0..plan.ops.len()).collect();
    let report = run_twice(&plan, &all);
    // The second run is the same world.
    sum.figures.add(&report.figures);
    if report.violation.is_none() {
        sum.passed += 1;
        return;
    }
    sum.failed += 1;
    show(seed, &report);
    if sum.failed <= SHOWN_MAX && !first {
        let (kept, report) = shrink(&plan, report);
        print_operations(&plan, &kept);
        show(seed, &report);
        let kept: Vec<String> = kept.iter().map(usize::to_string).collect();
        println!(
            "  replay: cargo xtask simulate --seed {seed} --keep {}",
            kept.join(",")
        );
    }
}

fn replay(seed: u64, kept: &[usize]) -> ExitCode {
    let mut plan = Plan::of(seed);
    plan.echoes = true;
    println!("{:#?}", plan.config);
    for (queue, policies) in plan.queues.iter().zip(&plan.policies) {
        println!("{queue:?}\n{policies:?}");
    }
    print_operations(&plan, kept);
    let report = run_twice(&plan, kept);
    show(seed, &report);
    if report.violation.is_none() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print_operations(plan: &Plan, kept: &[usize]) {
    println!("  prompt {}, workers {:?}", plan.prompt, plan.workers);
    for index in kept {
        println!("  {index}: {:?}", plan.ops[*index]);
    }
}

fn show(seed: u64, report: &Report) {
    match &report.violation {
        Some((at, violation)) => println!("seed {seed}, operation {at}: {violation}"),
        None => println!(
            "seed {seed}: passed, {:?}, digest {:016x}",
            report.figures, report.digest
        ),
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments {
        seed: 1,
        seeds: u64::MAX,
        seconds: None,
        keep: None,
        first: false,
    };
    while let Some(word) = words.next() {
        let value = words
            .next()
            .with_context(|| format!("{word}: expected a value"))?;
        let number = || {
            value
                .parse::<u64>()
                .with_context(|| format!("{word}: expected a number, got `{value}`"))
        };
        match word.as_str() {
            "--seed" => arguments.seed = number()?,
            "--seeds" => arguments.seeds = number()?,
            "--seconds" => arguments.seconds = Some(number()?),
            "--first" => arguments.first = value == "yes",
            "--keep" => {
                let parts = value.split(',').filter(|part| !part.is_empty());
                let kept = parts.map(str::parse).collect::<Result<_, _>>();
                arguments.keep =
                    Some(kept.with_context(|| format!("--keep: expected numbers, got `{value}`"))?);
            }
            _ => bail!(
                "no such option: `{word}`, expected --seed, --seeds, --seconds, --keep or --first"
            ),
        }
    }
    if arguments.seeds == u64::MAX && arguments.seconds.is_none() {
        arguments.seeds = 1000;
    }
    Ok(arguments)
}
