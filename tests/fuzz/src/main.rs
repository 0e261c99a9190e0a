//! `fuzz`: replays the corpus of every target; with `ACKBOX_LENGTH=full` libFuzzer then makes inputs of its own for a
//! while, from a seed that is printed. `fuzz <target> <file>...`: only these inputs. The last line counts corpus entries and targets as `cargo test` counts tests.

mod libfuzzer;
mod replay;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use ackbox_fuzz::TARGETS;
use ackbox_fuzz::allocation::Counting;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often something was tried, how often it went wrong, and the figures of it.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) runs: u64,
    pub(crate) figures: Map<String, Value>,
    pub(crate) skipped: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = Seen::default();
    let mut words = env::args().skip(1);
    if let Some(name) = words.next() {
        return replay::some(&name, words);
    }
    for target in TARGETS {
        replay::all(target, &folder.join("corpus"), &mut seen)?;
    }
    if env::var("ACKBOX_LENGTH").is_ok_and(|length| length == "full") {
        libfuzzer::run(&folder.join("libfuzzer"), &mut seen)?;
    }
    write_evidence(&seen)?;
    let verdict = if seen.failed == 0 { "ok" } else { "FAILED" };
    let (passed, failed) = (seen.passed, seen.failed);
    println!(
        "test result: {verdict}. {passed} passed; {failed} failed; {} ignored",
        seen.skipped.len()
    );
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn write_evidence(seen: &Seen) -> Result<()> {
    let Ok(file) = env::var("ACKBOX_EVIDENCE") else {
        return Ok(());
    };
    let how = "Arbitrary bytes were given to the journal reader, the decoder of the boundary, the engine and its \
               circuit breakers: nothing broke, nothing was replayed that was not written, and no length that was \
               read allocated without bound.";
    let evidence = json!({
        "figures": seen.figures,
        "proves": [{ "promise": "bad-input", "how": how, "runs": seen.runs, "failures": seen.failed }],
        "skipped": seen.skipped,
    });
    fs::write(&file, format!("{evidence:#}\n")).with_context(|| format!("cannot write {file}"))
}
