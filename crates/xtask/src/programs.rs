//! Commands that build what a program needs, then hand over to it: `demo` and `bench`.

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::step::{Progress, StepFailed};
use crate::{cargo, native, tools, typescript, wasm};

/// The order-processing example, from the root of the repository.
pub(crate) const DEMO: &str = "npm/examples/order-processing/main.mjs";
/// The benchmark, from the root of the repository.
const BENCH: &str = "tests/bench/main.mjs";
/// Forces an engine; the package reads it too.
const ENGINE: &str = "ACKBOX_ENGINE";

/// Runs the example; its exit code is the command's.
pub(crate) fn demo(options: &[String]) -> Result<ExitCode> {
    let progress = Progress::new()?;
    tools::check(&progress)?;
    typescript::install(&progress, "npm")?;
    let engine = build_an_engine(&progress)?;
    typescript::compile(&progress)?;
    hand_over(DEMO, options, &[(ENGINE, engine)])
}

/// Runs the benchmark on both engines; its exit code is the command's.
pub(crate) fn bench(options: &[String]) -> Result<ExitCode> {
    let progress = Progress::new()?;
    tools::check(&progress)?;
    typescript::install(&progress, "npm")?;
    typescript::install(&progress, "tests")?;
    native::build(&progress)?;
    wasm::build(&progress)?;
    typescript::compile(&progress)?;
    hand_over(BENCH, options, &[])
}

/// Builds the native addon, or WebAssembly where the addon cannot be built or the environment wants it.
fn build_an_engine(progress: &Progress) -> Result<&'static str, StepFailed> {
    if env::var_os(ENGINE).is_some_and(|engine| engine == "wasm") {
        wasm::build(progress)?;
        return Ok("wasm");
    }
    if native::build(progress).is_ok() {
        return Ok("native");
    }
    progress.say("The native addon cannot be built here, so the demo runs on WebAssembly.");
    wasm::build(progress)?;
    Ok("wasm")
}

fn hand_over(program: &str, options: &[String], environment: &[(&str, &str)]) -> Result<ExitCode> {
    let mut node = cargo::tool("node");
    node.arg(program)
        .args(options)
        .envs(environment.iter().copied());
    let status = node.status().context("cannot start node")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    // A program that a signal ended has no code.
    Ok(ExitCode::from(code.unwrap_or(1)))
}
