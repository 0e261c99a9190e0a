//! Commands that build what a program needs, then hand over to it: `demo` and `bench`.

use std::env;
use std::path::Path;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};

use crate::step::{Progress, StepFailed};
use crate::{cargo, chromium, native, tools, typescript, wasm};

/// The order-processing example, from the root of the repository.
pub(crate) const DEMO: &str = "npm/examples/order-processing/main.mjs";
/// The example of the browser, from the root of the repository.
const BROWSER_DEMO: &str = "npm/examples/browser-outbox/main.mjs";
/// Its tests, in `tests/`.
const BROWSER_DEMO_TESTS: &str = "browser/pages/outbox";
/// The benchmark, from the root of the repository.
const BENCH: &str = "tests/bench/main.mjs";
/// Forces an engine; the package reads it too.
const ENGINE: &str = "ACKBOX_ENGINE";

/// Runs the example; its exit code is the command's.
pub(crate) fn demo(options: &[String]) -> Result<ExitCode> {
    if let Some((first, rest)) = options.split_first()
        && first == "--browser"
    {
        return browser_demo(rest);
    }
    let progress = Progress::new()?;
    tools::check(&progress)?;
    typescript::install(&progress, "npm")?;
    let engine = build_an_engine(&progress)?;
    typescript::compile(&progress)?;
    hand_over(DEMO, options, &[(ENGINE, engine)])
}

/// Serves the example of the browser until it is stopped, or runs its tests.
fn browser_demo(options: &[String]) -> Result<ExitCode> {
    let progress = Progress::new()?;
    tools::check(&progress)?;
    typescript::install(&progress, "npm")?;
    let engine = build_an_engine(&progress)?;
    if engine != "wasm" {
        wasm::build(&progress)?;
    }
    typescript::compile(&progress)?;
    typescript::bundle(&progress)?;
    if options != ["--check"] {
        return hand_over(BROWSER_DEMO, options, &[(ENGINE, engine)]);
    }
    typescript::install(&progress, "tests")?;
    let Some(chromium) = chromium::find(&progress)? else {
        bail!("the example was not checked: there is no Chromium");
    };
    let mut tests = typescript::npm("tests");
    tests
        .args(["run", "--silent", "test:pages", "--", BROWSER_DEMO_TESTS])
        .env(chromium::VARIABLE, chromium)
        .env(ENGINE, engine);
    let status = tests.status().context("cannot start npm")?;
    Ok(exit_code(status))
}

/// Runs the benchmark on both engines, and in a browser where there is one; its exit code is the command's.
pub(crate) fn bench(options: &[String]) -> Result<ExitCode> {
    let progress = Progress::new()?;
    tools::check(&progress)?;
    typescript::install(&progress, "npm")?;
    typescript::install(&progress, "tests")?;
    native::build(&progress)?;
    wasm::build(&progress)?;
    typescript::compile(&progress)?;
    let browser = chromium::find(&progress)?;
    let browser = browser.as_deref().and_then(Path::to_str);
    let environment = browser.map(|program| (chromium::VARIABLE, program));
    hand_over(BENCH, options, environment.as_slice())
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
    Ok(exit_code(status))
}

/// A program that a signal ended has no code.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}
