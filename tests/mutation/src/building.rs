//! Programs that contain the bugs: those of the tiers, built once more with a `cfg` for this workspace alone.
//!
//! This program is the wrapper of the compiler, too: Cargo calls it with the compiler's command, and it
//! adds the `cfg`. Libraries from elsewhere are the same with and without it, and are not built again.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Set while this program stands in front of the compiler.
const WRAPS: &str = "ACKBOX_WRAPS_COMPILER";

/// Runs the compiler, if that is what this program is called for.
pub(crate) fn wrap() -> Result<Option<ExitCode>> {
    if env::var_os(WRAPS).is_none() {
        return Ok(None);
    }
    let mut words = env::args_os().skip(1);
    let compiler = words.next().context("expected the compiler's command")?;
    let status = Command::new(compiler)
        .args(words)
        .args(["--cfg", "ackbox_bugs"])
        .status()?;
    Ok(Some(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }))
}

/// Builds with bugs and copies what was built to a folder: the executables by the names of their targets.
pub(crate) fn build(root: &Path, to: &Path, arguments: &[&str]) -> Result<Vec<(String, PathBuf)>> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(arguments)
        .args(["--quiet", "--message-format=json-render-diagnostics"])
        .current_dir(root)
        .env(WRAPS, "yes")
        .env("RUSTC_WORKSPACE_WRAPPER", env::current_exe()?)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo {}: {}", arguments.join(" "), output.status);
    }
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut built = Vec::new();
    for message in messages {
        let (Some(name), Some(executable)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) else {
            continue;
        };
        // Under its usual name the next build without bugs takes its place.
        let copy = to.join(name);
        fs::copy(executable, &copy).with_context(|| format!("cannot copy {executable}"))?;
        built.push((name.to_owned(), copy));
    }
    Ok(built)
}
