//! `cargo xtask <command>`: everything one does with this repository, each with all of its own set-up.
//!
//! A command first checks the tools it needs (`tools`), then runs steps (`step`): one line when a step
//! starts, its duration when it is done, the full output of every tool in a log file. What has not
//! changed is not done again (`stamp`). Nothing here is needed to use the published package.

mod apt;
mod budget;
mod cargo;
mod chromium;
mod codegen;
mod core_on_wasm;
mod debian;
mod driver;
mod enumeration;
mod faults;
mod files;
mod fuzzing;
mod guarantees;
mod kills;
mod mutation;
mod native;
mod peers;
mod programs;
mod proof;
mod redis;
mod simulation;
mod stamp;
mod step;
mod tabs;
mod tally;
mod tests;
#[cfg(test)]
mod tidy;
mod tools;
mod typescript;
mod wasm;

use std::env;
use std::process::ExitCode;

use anyhow::Result;

use crate::step::{Progress, StepFailed};

const USAGE: &str = "\
usage: cargo xtask <command>

  demo [options]   build the native addon and the package, then run npm/examples/order-processing;
                   the options go to the demo: --orders, --kills, --seed
  demo --browser [options]
                   build that and WebAssembly, then serve npm/examples/browser-outbox: --port,
                   --folder; with --check its tests in Chromium instead
  test             build everything and run every test; the last line counts them
  bench [options]  build everything, then measure it against a plain reference; the options go to
                   the benchmark: --only (some parts of it), --rounds, --orders, --backlog, --ids,
                   --calls, --limits, --outbox, --check
  simulate [options]
                   the engine in seeded worlds of crashes and faults: --seed, --seeds, --seconds,
                   --keep (some operations of one world)
  prove [programs] build everything, then run every tier that hunts for lost or doubled messages at
                   full length (hours), or only some programs of them, and write what they saw to
                   npm/ackbox/docs/guarantees.json and .md; `test` runs them shortened
  guarantees       write npm/ackbox/docs/guarantees.md from guarantees.json
  build            native addon, WebAssembly and TypeScript, into npm/ackbox/dist
  codegen          write npm/ackbox/src/engine/wire.gen.ts from crates/wire";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (command, options) = match arguments.split_first() {
        // As npm and cargo themselves take it: what follows `--` is the command's.
        Some((command, options)) => (
            command.as_str(),
            options.strip_prefix(&["--".to_owned()]).unwrap_or(options),
        ),
        None => ("", &[] as &[String]),
    };
    let outcome = match command {
        "demo" => programs::demo(options),
        "bench" => programs::bench(options),
        "simulate" => simulation::simulate(options),
        "test" | "guarantees" | "build" | "codegen" if !options.is_empty() => Err(anyhow::anyhow!(
            "`{command}` takes no options, got `{}`",
            options.join(" ")
        )),
        "test" => tests::run(),
        "prove" => proof::prove(options),
        "guarantees" => guarantees::write_page().map(|()| ExitCode::SUCCESS),
        "build" => build(),
        "codegen" => codegen::run(),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        "" => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
        unknown => {
            eprintln!("no such command: `{unknown}`\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // A failed step has already shown its log.
            if !error.is::<StepFailed>() {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<ExitCode> {
    let progress = Progress::new()?;
    tools::check(&progress)?;
    typescript::install(&progress, "npm")?;
    native::build(&progress)?;
    wasm::build(&progress)?;
    typescript::compile(&progress)?;
    typescript::bundle(&progress)?;
    Ok(ExitCode::SUCCESS)
}
