//! The tier of the TypeScript driver: a model of it, over user code and storages that fail, on both engines.

use crate::proof::{Length, Program, Report};
use crate::typescript;

/// A program for each engine.
pub(crate) fn programs(_: Length) -> Vec<Program> {
    let program = |name, engine| {
        let mut command = typescript::npm("tests");
        command.args(["run", "--silent", "driver", "--", "--project"]);
        command.arg(format!("driver-{engine}"));
        Program {
            name,
            title: format!("the driver and its model, {engine}"),
            command,
            report: Report::Vitest,
        }
    };
    vec![
        program("driver-native", "native"),
        program("driver-wasm", "wasm"),
    ]
}
