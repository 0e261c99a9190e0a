//! The native addon: compiled for this machine, copied to where the package looks for it.

use std::env::consts;
use std::fs;

use anyhow::Context;

use crate::step::{Progress, StepFailed};
use crate::{cargo, files};

/// Builds `npm/ackbox/dist/native/ackbox.<platform>-<arch>[-<libc>].node`.
pub(crate) fn build(progress: &Progress) -> Result<(), StepFailed> {
    progress.step("native", "native addon", |step| {
        let mut command = cargo::cargo();
        command.args(["build", "--release", "--package", "ackbox-node"]);
        let extension = consts::DLL_EXTENSION;
        let library = cargo::build_library(step, &mut command, "ackbox_node", extension)?;
        let name = file_name(consts::OS, consts::ARCH, cfg!(target_env = "musl"));
        let content =
            fs::read(&library).with_context(|| format!("cannot read {}", library.display()))?;
        files::replace(&files::dist().join("native").join(&name), &content)?;
        step.outcome(format!("{name}, {} KiB", content.len() / 1024));
        Ok(())
    })
}

/// The name in Node's words: `process.platform`, `process.arch` and, on Linux, the C library.
fn file_name(os: &str, arch: &str, musl: bool) -> String {
    let platform = match os {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let arch = match arch {
        "aarch64" => "arm64",
        "x86" => "ia32",
        "x86_64" => "x64",
        other => other,
    };
    let libc = match (os, musl) {
        ("linux", true) => "-musl",
        ("linux", false) => "-gnu",
        _ => "",
    };
    format!("ackbox.{platform}-{arch}{libc}.node")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_node() {
        assert_eq!(
            file_name("linux", "x86_64", false),
            "ackbox.linux-x64-gnu.node"
        );
        assert_eq!(
            file_name("linux", "aarch64", true),
            "ackbox.linux-arm64-musl.node"
        );
        assert_eq!(
            file_name("macos", "aarch64", false),
            "ackbox.darwin-arm64.node"
        );
        assert_eq!(
            file_name("windows", "x86_64", false),
            "ackbox.win32-x64.node"
        );
    }
}
