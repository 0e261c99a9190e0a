//! The npm side: installing development dependencies and compiling the package's TypeScript.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::stamp::Stamp;
use crate::step::{Progress, StepFailed};
use crate::{cargo, files};

/// npm in a folder of the repository.
pub(crate) fn npm(folder: &str) -> Command {
    let mut command = cargo::tool(if cfg!(windows) { "npm.cmd" } else { "npm" });
    command.current_dir(files::root().join(folder));
    command
}

/// Installs what a folder's lock file says, unless that was already done from the same lock file.
pub(crate) fn install(progress: &Progress, folder: &str) -> Result<(), StepFailed> {
    let title = format!("npm packages of {folder}/");
    let name = format!("install-{}", folder.replace('/', "-"));
    progress.step(&name, &title, |step| {
        let root = files::root();
        let inputs = [
            root.join(folder).join("package.json"),
            root.join(folder).join("package-lock.json"),
            root.join("npm/ackbox/package.json"),
        ];
        let stamp = Stamp::of(&name, &inputs)?;
        // npm writes this copy of the lock file last.
        let installed = root.join(folder).join("node_modules/.package-lock.json");
        if stamp.is_current(&[installed]) {
            step.outcome("up to date");
            return Ok(());
        }
        step.run(npm(folder).args(["ci", "--no-audit", "--no-fund", "--no-progress"]))?;
        stamp.save()
    })
}

/// Compiles `npm/ackbox/src` to `npm/ackbox/dist`, beside the engines.
pub(crate) fn compile(progress: &Progress) -> Result<(), StepFailed> {
    progress.step("typescript", "TypeScript", |step| {
        let root = files::root();
        let sources = root.join("npm/ackbox/src");
        let inputs = [
            sources.clone(),
            root.join("npm/ackbox/tsconfig.json"),
            root.join("npm/ackbox/package.json"),
            root.join("npm/package.json"),
            root.join("npm/package-lock.json"),
        ];
        let stamp = Stamp::of("typescript", &inputs)?;
        if stamp.is_current(&compiled(&sources)?) {
            step.outcome("up to date");
            return Ok(());
        }
        remove_compiled(&files::dist())?;
        step.run(npm("npm").args(["run", "--silent", "build"]))?;
        stamp.save()
    })
}

/// Bundles the compiled package, engine included, for those who have no bundler, into `npm/ackbox/dist/web`.
pub(crate) fn bundle(progress: &Progress) -> Result<(), StepFailed> {
    progress.step("bundle", "bundles for the web", |step| {
        step.run(npm("npm").args(["run", "--silent", "bundle"]))
    })
}

/// The script that each source becomes; a declaration becomes none.
fn compiled(sources: &Path) -> Result<Vec<PathBuf>> {
    let is_script = |file: &Path| {
        let name = file.to_string_lossy();
        name.ends_with(".ts") && !name.ends_with(".d.ts")
    };
    let files = files::walk(sources)?;
    let scripts = files.iter().filter(|file| is_script(file));
    let compiled = scripts.filter_map(|file| file.strip_prefix(sources).ok());
    Ok(compiled
        .map(|file| files::dist().join(file).with_extension("js"))
        .collect())
}

/// Removes what an earlier source may have left, but neither engine.
fn remove_compiled(dist: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(dist) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name() == "native" || entry.file_name() == "wasm" {
            continue;
        }
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}

/// The names of the scripts in a folder's `package.json`.
pub(crate) fn scripts(folder: &str) -> Result<Vec<String>> {
    let path = files::root().join(folder).join("package.json");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))?;
    let names = manifest["scripts"].as_object().into_iter().flatten();
    Ok(names.map(|(name, _)| name.clone()).collect())
}
