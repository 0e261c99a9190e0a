//! Other queues under the same faults as ackbox: a part of the proof, not of the tests.

use crate::proof::{Length, Program, Report};
use crate::{cargo, chromium};

/// Where the other queues are installed; some of them compile, which takes minutes.
pub(crate) const FOLDER: &str = "tests/peers";
pub(crate) const PROGRAM: &str = "peers";

/// One program at full length, which says so itself where there is no browser; none in the tests, which no other
/// package should break.
pub(crate) fn programs(length: Length) -> Vec<Program> {
    if length == Length::Short {
        return Vec::new();
    }
    let mut command = cargo::tool("node");
    command.arg(format!("{FOLDER}/main.mjs"));
    if let Some(program) = chromium::installed() {
        command.env(chromium::VARIABLE, program);
    }
    vec![Program {
        name: PROGRAM,
        title: "other queues under the same faults".to_owned(),
        command,
        report: Report::Cargo,
    }]
}
