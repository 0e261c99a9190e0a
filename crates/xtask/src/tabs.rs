//! The tier of killed tabs: a real browser over the bundled package, and a judge of what its tabs said.

use crate::proof::{Length, Program, Report};
use crate::{cargo, chromium};

pub(crate) const PROGRAM: &str = "killed-tabs";

/// One program, from the root of the repository; where there is no browser it says so itself.
pub(crate) fn programs(_: Length) -> Vec<Program> {
    let mut command = cargo::tool("node");
    command.arg("tests/browser/kills/main.mjs");
    if let Some(program) = chromium::installed() {
        command.env(chromium::VARIABLE, program);
    }
    vec![Program {
        name: PROGRAM,
        title: "tabs of a browser killed".to_owned(),
        command,
        report: Report::Cargo,
    }]
}
