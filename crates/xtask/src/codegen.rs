//! The TypeScript side of the wire records: written by `cargo xtask codegen`, committed, compared by a test of
//! that crate.

use std::fs;
use std::process::ExitCode;

use anyhow::Result;

use crate::step::{Progress, Step};
use crate::{cargo, files};

const GENERATED: &str = "npm/ackbox/src/engine/wire.gen.ts";

/// Writes the generated file.
pub(crate) fn run() -> Result<ExitCode> {
    let progress = Progress::new()?;
    progress.step("codegen", "wire codec", |step| {
        let text = generate(step)?;
        let path = files::root().join(GENERATED);
        let fresh = fs::read_to_string(&path).is_ok_and(|committed| committed == text);
        files::replace(&path, text.as_bytes())?;
        step.outcome(if fresh {
            "up to date".to_owned()
        } else {
            format!("{GENERATED} written")
        });
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn generate(step: &Step) -> Result<String> {
    let mut command = cargo::cargo();
    command.args([
        "run",
        "--quiet",
        "--package",
        "ackbox-wire",
        "--example",
        "typescript",
    ]);
    step.capture(&mut command)
}
