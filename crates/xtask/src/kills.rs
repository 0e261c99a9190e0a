//! The tier of kills and pauses: real processes over the built package, and a judge of their history.

use crate::cargo;
use crate::proof::{Length, Program, Report};

/// Kills and pauses whoever takes part, from the root of the repository.
const NEMESIS: &str = "tests/crash/nemesis/main.mjs";

/// One program; it knows from its environment how many worlds are asked for.
pub(crate) fn programs(_: Length) -> Vec<Program> {
    let mut command = cargo::tool("node");
    command.arg(NEMESIS);
    vec![Program {
        name: "kill-and-pause",
        title: "processes killed and paused".to_owned(),
        command,
        report: Report::Cargo,
    }]
}
