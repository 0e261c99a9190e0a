//! The engine's own tests as WebAssembly, in Node: compiled for the target that browsers run, by `tests/wasm`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::step::{Progress, Step, StepFailed};
use crate::tally::{Counts, Tally};
use crate::wasm::Toolchain;
use crate::{cargo, wasm};

/// Runs a module that holds tests, from the root of the repository.
const RUNNER: &str = "tests/wasm/main.mjs";
/// The modules: targets of `tests/wasm`, which between them hold all tests of `crates/core`.
const MODULES: [&str; 4] = ["engine", "model", "parts", "unit"];
/// The compiler is to hand the tests over to that, with the stack that a thread has which runs tests. What lints say of them
/// they say where the tests are at home.
const HAND_OVER: [&str; 4] = [
    "-Zcrate-attr=feature(custom_test_frameworks)",
    "-Zcrate-attr=test_runner(ackbox_core_on_wasm::run)",
    "-Clink-arg=-zstack-size=2097152",
    "-Awarnings",
];

/// Builds and runs all of them, and counts their tests.
pub(crate) fn run(progress: &Progress, tally: &mut Tally) {
    let toolchain = match wasm::toolchain(progress) {
        Ok(toolchain) => toolchain,
        Err(failure) => return tally.suite(Err(failure), Counts::default()),
    };
    for module in MODULES {
        let mut counts = Counts::default();
        let outcome = run_module(progress, &toolchain, module, &mut counts);
        tally.suite(outcome, counts);
    }
}

/// The counts are in `counts` whether the tests passed or not.
fn run_module(
    progress: &Progress,
    toolchain: &Toolchain,
    name: &str,
    counts: &mut Counts,
) -> Result<(), StepFailed> {
    let title = format!("tests of the engine for WebAssembly: {name}");
    let module = progress.step(&format!("core-on-wasm-{name}"), &title, |step| {
        compile(step, toolchain, name)
    })?;
    let title = format!("tests of the engine on WebAssembly: {name}");
    progress.step(&format!("core-on-wasm-{name}-run"), &title, |step| {
        attempt(step, &module, counts)
    })
}

fn compile(step: &mut Step, toolchain: &Toolchain, name: &str) -> Result<PathBuf> {
    let mut command = toolchain.cargo("rustc", "std,panic_abort,test");
    command
        .args(["--package", "ackbox-core-on-wasm", "--features", "tests"])
        .args(["--test", name, "--profile", "wasm-tests", cargo::TELLING])
        .arg("--")
        .args(HAND_OVER)
        // Both are asked for by name only from compilers that allow what is unstable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "--cfg getrandom_backend=\"custom\"");
    cargo::build(step, &mut command, name, "wasm")
}

fn attempt(step: &mut Step, module: &Path, counts: &mut Counts) -> Result<()> {
    let status = step.attempt(cargo::tool("node").arg(RUNNER).arg(module))?;
    *counts = Counts::of_cargo(&step.output()?);
    step.outcome(counts.to_string());
    if !status.success() {
        bail!("{status}, {counts}");
    }
    Ok(())
}
