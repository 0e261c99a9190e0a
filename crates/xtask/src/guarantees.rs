//! The page of guarantees: `npm/ackbox/docs/guarantees.md`, written from the evidence in `guarantees.json` beside it.
//!
//! The evidence is a list of *runs*: what one program of one tier saw when it ran last, for which release, on which
//! machine. `cargo xtask prove` replaces the runs of the programs that it starts and leaves the others, so
//! that a run can be older than the product; the page then says so, and by how many commits, as of the commit at
//! which it was written. Only what ran of a commit with nothing changed beside it is recorded. A number on the
//! page is a number of the evidence, and what no run has shown is called not proven.

mod age;
mod bugs;
mod machine;
mod page;
mod peers;
mod promises;
mod source;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::files;

pub(crate) use source::Source;

/// Where the runs lie, as an object with one member `runs`. In each run `behind` is by how many commits the product has
/// changed since, `null` if what ran is not in the history.
fn evidence_file() -> PathBuf {
    files::root().join("npm/ackbox/docs/guarantees.json")
}

fn page_file() -> PathBuf {
    files::root().join("npm/ackbox/docs/guarantees.md")
}

/// Puts what programs have just seen in the place of what they saw before, and writes the page anew.
///
/// A run is what `prove` collected of one program: `program`, `title`, `passed`, `failed`, `skipped`, `seconds` and
/// `evidence`, and `shortened` if it did less than a proof does; when, of what and on which machine is added here.
pub(crate) fn record(runs: Vec<Value>, source: &Source) -> Result<()> {
    source.check()?;
    let stamp = json!({
        "release": release()?.version,
        "commit": source.commit(),
        "date": output_of("date", &["-u", "+%F"]).unwrap_or_default(),
        "machine": machine::describe(),
    });
    let old = fs::read(evidence_file()).ok();
    let old = old.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let old = old.map_or_else(Vec::new, |evidence| list(&evidence["runs"]).to_vec());
    write(merged(old, runs, &stamp))
}

/// Writes the page from the evidence that is there, whose age is found anew.
pub(crate) fn write_page() -> Result<()> {
    write(list(&evidence()?["runs"]).to_vec())
}

fn write(mut runs: Vec<Value>) -> Result<()> {
    for run in &mut runs {
        run["behind"] = json!(source::behind_head(text(run, "commit")));
    }
    let evidence = json!({ "runs": runs });
    files::replace(&evidence_file(), format!("{evidence:#}\n").as_bytes())?;
    files::replace(
        &page_file(),
        page::render(&evidence, &release()?).as_bytes(),
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
