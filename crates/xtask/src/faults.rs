//! The tiers of faults and of power cuts: the real addon on real files, while calls fail, disks fill up and
//! the power goes.

use crate::cargo;
use crate::proof::{Length, Program, Report};

/// From the root of the repository.
const FAULTS: &str = "tests/faults/main.mjs";
const POWER: &str = "tests/power/main.mjs";

/// Every call to the file system fails in turn, and disks fill up.
pub(crate) fn programs(_: Length) -> Vec<Program> {
    vec![program(
        "faults",
        "calls that fail, disks that fill up",
        FAULTS,
    )]
}

/// The power is cut at random moments.
pub(crate) fn power_programs(_: Length) -> Vec<Program> {
    vec![program("power-cuts", "power cuts", POWER)]
}

/// A program knows from its environment how much is asked for.
fn program(name: &'static str, title: &str, path: &str) -> Program {
    let mut command = cargo::tool("node");
    command.arg(path);
    Program {
        name,
        title: title.to_owned(),
        command,
        report: Report::Cargo,
    }
}
