//! libFuzzer over every target: a program each, built with the coverage of all its code.
//!
//! The compiler flags are those of cargo-fuzz, but for the address sanitizer: it needs a nightly compiler, and the
//! engine has no unsafe code. So the stable compiler builds it, and `cargo fuzz run <target> --sanitizer none
//! --fuzz-dir tests/fuzz/libfuzzer` does the same by hand.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use ackbox_fuzz::TARGETS;
use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::Seen;

/// Seconds of each target, unless this variable says otherwise.
const SECONDS: &str = "120";
const SECONDS_VARIABLE: &str = "ACKBOX_FUZZ_SECONDS";
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "--cfg=fuzzing",
];

/// Builds the programs and lets each run for a while. Where there is no C++ compiler it is skipped, and said so.
pub(crate) fn run(folder: &Path, seen: &mut Seen) -> Result<()> {
    if let Err(why) = Command::new("c++").arg("--version").output() {
        seen.skipped
            .push(format!("libFuzzer needs a C++ compiler, c++: {why}"));
        return Ok(());
    }
    let work = work_folder(folder)?;
    build(folder, &work)?;
    for target in TARGETS {
        fuzz(folder, &work, target.name, seen)?;
    }
    Ok(())
}

/// In the workspace's own target folder, where nothing of it is committed.
fn work_folder(folder: &Path) -> Result<PathBuf> {
    let root = folder.ancestors().nth(3);
    let root = root.context("the fuzzers lie in tests/fuzz/libfuzzer")?;
    let work = root.join("target/fuzz");
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    Ok(work)
}

fn build(folder: &Path, work: &Path) -> Result<()> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    // With a target of its own: else build scripts would be measured as well.
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .args(["--target", &host()?, "--target-dir"])
        .arg(work.join("build"))
        .env("RUSTFLAGS", FLAGS.join(" "))
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the fuzzers cannot be built: {status}");
    Ok(())
}

/// The machine that this is.
fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.context("cannot start rustc")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc tells no host")?.to_owned())
}

fn fuzz(folder: &Path, work: &Path, name: &str, seen: &mut Seen) -> Result<()> {
    let seconds = env::var(SECONDS_VARIABLE).unwrap_or_else(|_| SECONDS.to_owned());
    let seed = RandomState::new().hash_one(name) as u32;
    let found = work.join("found").join(name);
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = Command::new(work.join("build").join(host()?).join("release").join(name));
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-seed={seed}"))
        .arg(format!("-artifact_prefix={}/broke-{name}-", work.display()))
        .args(["-print_final_stats=1", "-timeout=20", "-max_len=4096"])
        .arg(&found)
        .arg(folder.with_file_name("corpus").join(name));
    println!("{name}: {seconds} s, seed {seed}");
    let output = command.stderr(Stdio::piped()).output();
    let output = output.with_context(|| format!("cannot start the fuzzer {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let executions = after(&said, "stat::number_of_executed_units:");
    let coverage = after(&said, "cov:");
    println!("{name}: {executions} executions, {coverage} edges covered");
    seen.runs += executions;
    seen.figures
        .insert(format!("{name} executions"), json!(executions));
    seen.figures
        .insert(format!("{name} edges covered"), json!(coverage));
    if output.status.success() && executions > 0 {
        seen.passed += 1;
    } else {
        seen.failed += 1;
        let lines: Vec<&str> = said.lines().collect();
        let tail = &lines[lines.len().saturating_sub(60)..];
        println!("{name}: {}\n{}", output.status, tail.join("\n"));
    }
    Ok(())
}

/// The number behind the last such word; 0 if there is none.
fn after(text: &str, word: &str) -> u64 {
    let rest = text.rsplit_once(word).map_or("", |(_, rest)| rest);
    let number = rest.split_whitespace().next().unwrap_or_default();
    number.parse().unwrap_or(0)
}
