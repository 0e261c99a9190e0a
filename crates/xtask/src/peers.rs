//! Other queues under the same faults as ackbox: a part of the proof, not of the tests.

use crate::cargo;
use crate::proof::{Length, Program, Report};

/// Where the other queues are installed; some of them compile, which takes minutes.
pub(crate) const FOLDER: &str = "tests/peers";
pub(crate) const PROGRAM: &str = "peers";

/// One program at full length; none in the tests, which no other package should break.
pub(crate) fn programs(length: Length) -> Vec<Program> {
    if length == Length::Short {
        return Vec::new();
    }
    let mut command = cargo::tool("node");
    command.arg(format!("{FOLDER}/main.mjs"));
    vec![Program {
        name: PROGRAM,
        title: "other queues under the same faults".to_owned(),
        command,
        report: Report::Cargo,
    }]
}
