//! The tier of killed tabs: a real browser over the bundled package, and a judge of what its tabs said.

use crate::proof::{Length, Program, Report};
use crate::{cargo, chromium, typescript};

pub(crate) const PROGRAM: &str = "killed-tabs";

/// From the root of the repository; where there is no browser the first one says so itself. The second one, whose tabs
/// share a box, is at its short length one of the tests of pages.
pub(crate) fn programs(length: Length) -> Vec<Program> {
    let mut command = cargo::tool("node");
    command.arg("tests/browser/kills/main.mjs");
    if let Some(program) = chromium::installed() {
        command.env(chromium::VARIABLE, program);
    }
    let mut programs = vec![Program {
        name: PROGRAM,
        title: "tabs of a browser killed".to_owned(),
        command,
        report: Report::Cargo,
    }];
    if let (Length::Full, Some(program)) = (length, chromium::installed()) {
        let mut command = typescript::npm("tests");
        command
            .args(["run", "--silent", "test:pages", "--"])
            .arg("browser/pages/tab-kills")
            .env(chromium::VARIABLE, program);
        programs.push(Program {
            name: "shared-tabs",
            title: "tabs of a browser that share a box killed".to_owned(),
            command,
            report: Report::Vitest,
        });
    }
    programs
}
