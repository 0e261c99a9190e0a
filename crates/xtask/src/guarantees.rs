//! The page of guarantees: `npm/ackbox/docs/guarantees.md`, written from the evidence in `guarantees.json` beside it.
//!
//! The evidence is a list of *runs*: what one program of one tier saw when it ran last, for which release, on which
//! machine. `cargo xtask prove` replaces the runs of the programs that it starts and leaves the others, so
//! that a run can be older than the release; the page then says so. A number on the page is a number of
//! the evidence, and what no run has shown is called not proven.

mod machine;
mod page;
mod peers;
mod promises;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::files;

/// Where the runs lie, as an object with one member `runs`.
fn evidence_file() -> PathBuf {
    files::root().join("npm/ackbox/docs/guarantees.json")
}

fn page_file() -> PathBuf {
    files::root().join("npm/ackbox/docs/guarantees.md")
}

/// Puts what programs have just seen in the place of what they saw before, and writes the page anew.
///
/// A run is what `prove` collected of one program: `program`, `title`, `passed`, `failed`, `skipped`, `seconds` and
/// `evidence`; when, of what and on which machine is added here.
pub(crate) fn record(runs: Vec<Value>) -> Result<()> {
    let stamp = json!({
        "release": release()?.version,
        "commit": commit(),
        "date": output_of("date", &["-u", "+%F"]).unwrap_or_default(),
        "machine": machine::describe(),
    });
    let old = fs::read(evidence_file()).ok();
    let old = old.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let old = old.map_or_else(Vec::new, |evidence| list(&evidence["runs"]).to_vec());
    let evidence = json!({ "runs": merged(old, runs, &stamp) });
    files::replace(&evidence_file(), format!("{evidence:#}\n").as_bytes())?;
    write_page()
}

/// Writes the page from the evidence that is there.
pub(crate) fn write_page() -> Result<()> {
    files::replace(
        &page_file(),
        page::render(&evidence()?, &release()?).as_bytes(),
    )
}

/// The package that the page speaks for.
pub(crate) struct Release {
    version: String,
    /// What can be imported from it, such as `./file`.
    exports: Vec<String>,
}

fn release() -> Result<Release> {
    let text = fs::read(files::root().join("npm/ackbox/package.json"))?;
    let package: Value = serde_json::from_slice(&text).context("package.json is no JSON")?;
    let exports = package["exports"].as_object().into_iter().flatten();
    Ok(Release {
        version: package["version"].as_str().unwrap_or_default().to_owned(),
        exports: exports.map(|(name, _)| name.clone()).collect(),
    })
}

fn evidence() -> Result<Value> {
    let file = evidence_file();
    let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).context("guarantees.json is no JSON")
}

/// The runs in the order of their programs, each program once.
fn merged(old: Vec<Value>, new: Vec<Value>, stamp: &Value) -> Vec<Value> {
    let replaced = |run: &Value| new.iter().any(|other| other["program"] == run["program"]);
    let mut runs: Vec<Value> = old.into_iter().filter(|run| !replaced(run)).collect();
    for mut run in new {
        for (name, value) in stamp.as_object().into_iter().flatten() {
            run[name] = value.clone();
        }
        runs.push(run);
    }
    runs.sort_by_key(|run| run["program"].as_str().unwrap_or_default().to_owned());
    runs
}

/// The commit that ran, with a `+` if something was changed beside it.
fn commit() -> String {
    let name = output_of("git", &["rev-parse", "--short=10", "HEAD"]).unwrap_or_default();
    let changed = output_of("git", &["status", "--porcelain", "--untracked-files=no"]);
    let mark = if changed.is_some_and(|changed| !changed.is_empty()) {
        "+"
    } else {
        ""
    };
    format!("{name}{mark}")
}

/// The first line that a program says, if it succeeds.
fn output_of(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .current_dir(files::root())
        .args(args)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(line)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups = groups.map(|group| String::from_utf8_lossy(group).into_owned());
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_committed_page_is_what_the_committed_evidence_gives() {
        let page = fs::read_to_string(page_file()).expect("the page is committed");
        let expected = page::render(
            &evidence().expect("so is the evidence"),
            &release().expect("a package"),
        );
        assert!(
            page == expected,
            "guarantees.md is not what guarantees.json gives: run `cargo xtask guarantees`"
        );
    }

    #[test]
    fn a_run_takes_the_place_of_the_one_before_and_of_no_other() {
        let old = vec![
            json!({ "program": "b", "passed": 1, "date": "2020-01-01" }),
            json!({ "program": "a", "passed": 2, "date": "2020-01-01" }),
        ];
        let new = vec![json!({ "program": "b", "passed": 3 })];
        let expected = [
            json!({ "program": "a", "passed": 2, "date": "2020-01-01" }),
            json!({ "program": "b", "passed": 3, "date": "2026-11-23" }),
        ];
        assert_eq!(merged(old, new, &json!({ "date": "2026-11-23" })), expected);
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }
}
