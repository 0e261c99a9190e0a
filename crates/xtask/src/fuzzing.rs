//! The tier of fuzzed bytes: in the tests the corpus, in a proof libFuzzer as well.

use crate::cargo;
use crate::proof::{Length, Program, Report, TimeLimit};

/// What libFuzzer takes for a target in a proof, and what shortens it: as `tests/fuzz` has it.
pub(crate) const LIMIT: TimeLimit = TimeLimit {
    program: "fuzzing",
    variable: "ACKBOX_FUZZ_SECONDS",
    full_seconds: 120,
};

/// One program; it looks at `ACKBOX_LENGTH` itself.
pub(crate) fn programs(length: Length) -> Vec<Program> {
    let mut command = cargo::cargo();
    command
        .args(["run", "--quiet", "--package", "ackbox-fuzz"])
        .args(["--profile", "simulation"]);
    let title = match length {
        Length::Short => "fuzzing, the corpus",
        Length::Full => "fuzzing, the corpus and fresh inputs",
    };
    vec![Program {
        name: LIMIT.program,
        title: title.to_owned(),
        command,
        report: Report::Cargo,
    }]
}
