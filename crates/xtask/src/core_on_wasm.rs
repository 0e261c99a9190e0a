//! The engine's own tests as WebAssembly, in Node: compiled for the target that browsers run, by `tests/wasm`.

use anyhow::{Result, bail};

use crate::step::{Progress, StepFailed};
use crate::tally::Counts;
use crate::{cargo, wasm};

/// Runs the module that holds the tests, from the root of the repository.
const RUNNER: &str = "tests/wasm/main.mjs";
/// The compiler is to hand the tests over to that.
const HAND_OVER: [&str; 2] = [
    "-Zcrate-attr=feature(custom_test_frameworks)",
    "-Zcrate-attr=test_runner(ackbox_core_on_wasm::run)",
];

/// Builds and runs them; their counts are in `counts` whether they passed or not.
pub(crate) fn run(progress: &Progress, counts: &mut Counts) -> Result<(), StepFailed> {
    let toolchain = wasm::toolchain(progress)?;
    let module = progress.step(
        "core-on-wasm",
        "tests of the engine for WebAssembly",
        |step| {
            let mut command = toolchain.cargo("rustc", "std,panic_abort,test");
            command
            .args(["--package", "ackbox-core-on-wasm", "--features", "tests"])
            .args(["--test", "engine", "--profile", "wasm-tests", cargo::TELLING])
            .arg("--")
            .args(HAND_OVER)
            // Both are asked for by name only from compilers that allow what is unstable.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTFLAGS", "--cfg getrandom_backend=\"custom\"");
            cargo::build(step, &mut command, "engine", "wasm")
        },
    )?;
    progress.step(
        "core-on-wasm-run",
        "tests of the engine on WebAssembly",
        |step| {
            let status = step.attempt(cargo::tool("node").arg(RUNNER).arg(&module))?;
            *counts = Counts::of_cargo(&step.output()?);
            step.outcome(counts.to_string());
            if !status.success() {
                bail!("{status}, {counts}");
            }
            Ok(())
        },
    )
}
