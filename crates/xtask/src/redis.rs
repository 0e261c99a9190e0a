//! Redis, on which the tests of the distributed ledger work: found, or installed from Debian's packages.

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use crate::apt;
use crate::step::{Progress, Step, StepFailed};

/// The server's program; the tests start it by this name.
const PROGRAM: &str = "redis-server";
/// What brings it.
const PACKAGE: &str = "redis-server";

/// The server's program; none where it cannot be had, which the step says with the reason.
pub(crate) fn find(progress: &Progress) -> Result<Option<PathBuf>, StepFailed> {
    progress.step("redis", "Redis", |step| {
        let found = installed().map_or_else(|| install(step), Ok);
        match &found {
            Ok(program) => step.outcome(program.display().to_string()),
            Err(why) => step.outcome(format!(
                "skipped: expected `{PROGRAM}` in the path, and installing the package `{PACKAGE}` failed: {why:#}"
            )),
        }
        Ok(found.ok())
    })
}

fn installed() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(PROGRAM))
        .find(|program| program.is_file())
}

fn install(step: &mut Step) -> Result<PathBuf> {
    apt::update(step)?;
    apt::install(step, &[PACKAGE])?;
    installed().ok_or_else(|| anyhow::anyhow!("it is installed, but not found"))
}
