//! Chromium, in which the tests of browsers run: found, or installed from Debian's packages.

use std::env;
use std::path::PathBuf;

use anyhow::Result;

use crate::apt;
use crate::step::{Progress, Step, StepFailed};

/// Names the browser's program; the tests read it too.
pub(crate) const VARIABLE: &str = "ACKBOX_CHROMIUM";
/// What it is called where it is installed.
const PROGRAMS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
];
const PACKAGE: &str = "chromium";

/// The browser's program; none where it cannot be had, which the step says with the reason.
pub(crate) fn find(progress: &Progress) -> Result<Option<PathBuf>, StepFailed> {
    progress.step("chromium", "Chromium", |step| {
        let found = installed().map_or_else(|| install(step), Ok);
        match &found {
            Ok(program) => step.outcome(program.display().to_string()),
            Err(why) => step.outcome(format!(
                "skipped: expected it installed or named by {VARIABLE}, found neither, and installing \
                 the package `{PACKAGE}` failed: {why:#}"
            )),
        }
        Ok(found.ok())
    })
}

/// The program that is there already.
pub(crate) fn installed() -> Option<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE) {
        return Some(PathBuf::from(named));
    }
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    PROGRAMS
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)))
        .find(|program| program.is_file())
}

fn install(step: &mut Step) -> Result<PathBuf> {
    apt::update(step)?;
    apt::install(step, &[PACKAGE])?;
    installed().ok_or_else(|| anyhow::anyhow!("it is installed, but not found"))
}
