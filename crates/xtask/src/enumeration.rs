//! The tier of crash-state enumeration: everything that a crash may leave of short scripts.

use crate::cargo;
use crate::proof::{Length, Program, Report};

/// Each script counts as a test; the program knows by itself how many there are for which length.
pub(crate) fn programs(_length: Length) -> Vec<Program> {
    let mut command = cargo::cargo();
    command
        .args(["run", "--quiet", "--package", "ackbox-enumeration"])
        .args(["--profile", "simulation"]);
    vec![Program {
        name: "enumeration",
        title: "crash-state enumeration".to_owned(),
        command,
        report: Report::Cargo,
    }]
}
