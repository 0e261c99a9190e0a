//! Running Cargo from within `cargo run`.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::files;
use crate::step::Step;

/// A command in the root of the repository, without what `cargo run` tells xtask about itself: some build
/// scripts would take it for their own and run again.
pub(crate) fn tool(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(files::root());
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The Cargo that runs xtask.
pub(crate) fn cargo() -> Command {
    tool(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// With this format Cargo tells where its outputs lie, and still prints compiler messages for people.
pub(crate) const TELLING: &str = "--message-format=json-render-diagnostics";

/// Runs a `cargo build` and returns the file of `extension` that it made for the library `name`.
pub(crate) fn build_library(
    step: &Step,
    command: &mut Command,
    name: &str,
    extension: &str,
) -> Result<PathBuf> {
    build(step, command.arg(TELLING), name, extension)
}

/// Runs a Cargo that is [`TELLING`] and returns the file of `extension` that it made for the target `name`.
pub(crate) fn build(
    step: &Step,
    command: &mut Command,
    name: &str,
    extension: &str,
) -> Result<PathBuf> {
    let messages = step.capture(command)?;
    output_of(&messages, name, extension)
        .with_context(|| format!("cargo built no .{extension} of `{name}`"))
}

fn output_of(messages: &str, name: &str, extension: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| {
            message["reason"] == "compiler-artifact" && message["target"]["name"] == name
        })
        .flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|found| found == extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_output_among_the_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"serde"},"filenames":["/t/libserde.rlib"]}"#,
            "\nnot a message\n",
            r#"{"reason":"compiler-artifact","target":{"name":"ackbox_node"},"filenames":["/t/a.d","/t/a.so"]}"#,
        );
        assert_eq!(
            output_of(messages, "ackbox_node", "so"),
            Some(PathBuf::from("/t/a.so"))
        );
        assert_eq!(output_of(messages, "ackbox_node", "wasm"), None);
        assert_eq!(output_of(messages, "serde", "so"), None);
    }
}
