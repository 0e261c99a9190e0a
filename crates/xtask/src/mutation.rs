//! The tier that checks the checks: known bugs are planted in the engine, and somebody must notice.

use crate::cargo;
use crate::proof::{Length, Program, Report};

/// Each bug counts as a test; shortened, those are passed over that only tests of the engine notice.
pub(crate) fn programs(_: Length) -> Vec<Program> {
    let mut command = cargo::cargo();
    command.args(["run", "--quiet", "--package", "ackbox-mutation"]);
    vec![Program {
        name: "mutation",
        title: "bugs that must be noticed".to_owned(),
        command,
        report: Report::Cargo,
    }]
}
