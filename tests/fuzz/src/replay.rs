//! The corpus: inputs that once taught something, each given to its target again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use std::process::ExitCode;

use ackbox_fuzz::{TARGETS, Target};
use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::Seen;

/// Inputs of one target at least: an empty corpus shows nothing.
const INPUTS_MIN: usize = 10;

pub(crate) fn all(target: Target, corpus: &Path, seen: &mut Seen) -> Result<()> {
    let folder = corpus.join(target.name);
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    files.sort();
    ensure!(
        files.len() >= INPUTS_MIN,
        "{}: expected at least {INPUTS_MIN} inputs, found {}",
        folder.display(),
        files.len()
    );
    for file in &files {
        let data = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let broke = catch_unwind(AssertUnwindSafe(|| (target.take)(&data))).is_err();
        seen.runs += 1;
        if broke {
            println!("{} breaks on {}", target.name, file.display());
            seen.failed += 1;
        } else {
            seen.passed += 1;
        }
    }
    println!("{}: {} inputs replayed", target.name, files.len());
    let name = format!("{} corpus inputs", target.name);
    seen.figures.insert(name, json!(files.len()));
    Ok(())
}

/// These inputs, without a net: a panic ends it.
pub(crate) fn some(name: &str, files: impl Iterator<Item = String>) -> Result<ExitCode> {
    let target = TARGETS.iter().find(|target| target.name == name);
    let names = TARGETS.map(|target| target.name).join(", ");
    let target = target.with_context(|| format!("expected one of {names}, got `{name}`"))?;
    for file in files {
        let data = fs::read(&file).with_context(|| format!("cannot read {file}"))?;
        (target.take)(&data);
        println!("{name}: {file} holds");
    }
    Ok(ExitCode::SUCCESS)
}
