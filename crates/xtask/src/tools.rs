//! What must be on the machine before anything is built, and how to get it.

use std::process::{Command, Stdio};

use anyhow::bail;

use crate::cargo;
use crate::step::{Progress, StepFailed};
use crate::typescript;

/// The oldest Node that the package supports: the first 20 that can `require` an ES module.
const NODE_MIN: (u32, u32) = (20, 19);

/// Checks Node, npm and a C compiler; all that is missing is reported at once.
pub(crate) fn check(progress: &Progress) -> Result<(), StepFailed> {
    progress.step("tools", "tools", |step| {
        let node = node(version_of(cargo::tool("node").arg("--version")).as_deref());
        let npm = npm(version_of(typescript::npm("npm").arg("--version")).as_deref());
        let compiler = c_compiler(
            ["cc", "gcc", "clang"]
                .into_iter()
                .find(|name| version_of(cargo::tool(name).arg("--version")).is_some()),
        );
        let results = [node, npm, compiler];
        let missing: Vec<&str> = results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            bail!("{}", missing.join("\n  "));
        }
        let found: Vec<String> = results.into_iter().flatten().collect();
        step.outcome(found.join(", "));
        Ok(())
    })
}

/// Checks a Cargo subcommand that rustup installs as a component, and adds it where it is missing.
pub(crate) fn check_component(
    progress: &Progress,
    component: &str,
    subcommand: &str,
) -> Result<(), StepFailed> {
    if version_of(cargo::cargo().args([subcommand, "--version"])).is_some() {
        return Ok(());
    }
    progress.step(&format!("component-{component}"), component, |step| {
        if step
            .run(cargo::tool("rustup").args(["component", "add", component]))
            .is_err()
        {
            bail!(
                "`cargo {subcommand}` is missing and rustup could not add it. \
                 Install it with `rustup component add {component}`, or from your distribution."
            );
        }
        Ok(())
    })
}

/// The first line that a tool says about its version, if the tool is there and works.
pub(crate) fn version_of(command: &mut Command) -> Option<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    Some(
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned(),
    )
}

fn node(found: Option<&str>) -> Result<String, String> {
    let (major, minor) = NODE_MIN;
    let install = "Install it from https://nodejs.org/en/download, or with a version manager, \
                   such as `nvm install 22`.";
    let Some(found) = found else {
        return Err(format!(
            "Node: expected {major}.{minor} or later, found none. {install}"
        ));
    };
    match parse_version(found) {
        Some(version) if version >= NODE_MIN => {
            Ok(format!("node {}", found.trim_start_matches('v')))
        }
        _ => Err(format!(
            "Node: expected {major}.{minor} or later, found `{found}`. {install}"
        )),
    }
}

fn npm(found: Option<&str>) -> Result<String, String> {
    found.map(|version| format!("npm {version}")).ok_or_else(|| {
        "npm: expected any version, found none. It comes with Node from https://nodejs.org/en/download; \
         on Debian and Ubuntu `apt-get install npm` adds it."
            .to_owned()
    })
}

fn c_compiler(found: Option<&str>) -> Result<String, String> {
    found.map(str::to_owned).ok_or_else(|| {
        "C compiler: expected cc, gcc or clang (Rust links with it), found none. Install it with \
         `apt-get install gcc libc6-dev` (Debian, Ubuntu), `dnf install gcc` (Fedora), \
         `apk add build-base` (Alpine) or `xcode-select --install` (macOS)."
            .to_owned()
    })
}

/// Major and minor of `v20.19.0` and the like.
pub(crate) fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_must_be_new_enough() {
        assert_eq!(node(Some("v20.19.0")), Ok("node 20.19.0".to_owned()));
        assert_eq!(node(Some("v24.1.0")), Ok("node 24.1.0".to_owned()));
        for found in ["v20.18.3", "v18.20.0", "nonsense"] {
            let error = node(Some(found)).unwrap_err();
            assert!(error.contains("expected 20.19 or later"), "{error}");
            assert!(error.contains(found), "{error}");
            assert!(error.contains("nodejs.org"), "{error}");
        }
        assert!(node(None).unwrap_err().contains("found none"));
    }

    #[test]
    fn missing_tools_say_how_to_install_them() {
        assert!(npm(None).unwrap_err().contains("apt-get install npm"));
        assert!(
            c_compiler(None)
                .unwrap_err()
                .contains("apt-get install gcc")
        );
    }
}
