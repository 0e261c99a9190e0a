//! Packages of Debian and its like.

use std::process::Command;

use anyhow::{Result, bail};

use crate::step::Step;
use crate::{cargo, tools};

/// Asks which packages there are.
pub(crate) fn update(step: &Step) -> Result<()> {
    if tools::version_of(Command::new("apt-get").arg("--version")).is_none() {
        bail!("this machine has no apt-get");
    }
    step.run(apt_get().arg("update"))
}

/// Installs packages, without those that are only recommended.
pub(crate) fn install(step: &Step, packages: &[&str]) -> Result<()> {
    step.run(
        apt_get()
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages),
    )
}

/// `apt-get` that never asks: as root, or by `sudo` if that needs no password.
fn apt_get() -> Command {
    let root = tools::version_of(Command::new("id").arg("-u")).is_some_and(|user| user == "0");
    let mut command = if root {
        cargo::tool("env")
    } else {
        let mut sudo = cargo::tool("sudo");
        sudo.args(["--non-interactive", "env"]);
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
    command
}
