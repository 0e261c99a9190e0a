//! Enumerates crash states: `enumeration [--script NAME] [--drawn N] [--first]`. The last line counts scripts
//! as `cargo test` counts tests. `ACKBOX_LENGTH=full`: more drawn scripts, and files of every length.

use std::process::ExitCode;
use std::time::Instant;

use ackbox_enumeration::drawn::drawn;
use ackbox_enumeration::scripts::{Script, written};
use ackbox_enumeration::{Effort, Sum, enumerate};
use anyhow::{Context, Result, bail};
use serde_json::json;

const SHORT: (Effort, u64) = (Effort { lengths: 64 }, 20);
const FULL: (Effort, u64) = (Effort { lengths: 8192 }, 400);

struct Arguments {
    script: Option<String>,
    drawn: Option<u64>,
    first: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = parse(std::env::args().skip(1))?;
    let is_full = std::env::var("ACKBOX_LENGTH").is_ok_and(|length| length == "full");
    let (effort, usual) = if is_full { FULL } else { SHORT };
    let seeds = 1..=arguments.drawn.unwrap_or(usual);
    let mut scripts: Vec<Script> = written().into_iter().chain(seeds.map(drawn)).collect();
    if let Some(name) = &arguments.script {
        scripts.retain(|script| script.name == *name);
    }
    // What a script panics with is in its report.
    std::panic::set_hook(Box::new(|_| {}));
    let started = Instant::now();
    let (mut passed, mut failed, mut sum) = (0_u64, 0_u64, Sum::default());
    for script in &scripts {
        match perform(script, effort) {
            Ok(done) => {
                passed += 1;
                sum.add(&done);
            }
            Err(error) => {
                failed += 1;
                println!("FAILED {}: {error:#}", script.name);
                if arguments.first {
                    break;
                }
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} states at {} moments in {seconds:.1} s: {} of them torn writes, {} power cuts in the weaker mode, {} refused; {} outcomes",
        sum.states, sum.moments, sum.torn, sum.weak, sum.refused, sum.outcomes
    );
    tell(&sum, passed, failed)?;
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn perform(script: &Script, effort: Effort) -> Result<Sum> {
    let sum = enumerate(script, effort).map_err(|violation| anyhow::anyhow!("{violation}"))?;
    println!(
        "{}: {} states at {} moments, {} outcomes",
        script.name, sum.states, sum.moments, sum.outcomes
    );
    if sum.states < script.least {
        bail!(
            "expected at least {} states, found {}",
            script.least,
            sum.states
        );
    }
    Ok(sum)
}

/// Evidence for whoever asked for it.
fn tell(sum: &Sum, passed: u64, failed: u64) -> Result<()> {
    let Some(path) = std::env::var_os("ACKBOX_EVIDENCE") else {
        return Ok(());
    };
    let how = |what: &str| {
        format!(
            "Crash-state enumeration: {} scripts crashed at {} moments, {what}; \
             recovery was always legal, and a second one changed nothing.",
            passed + failed,
            sum.moments
        )
    };
    let proves = |promise: &str, what: &str, runs: u64| json!({ "promise": promise, "how": how(what), "runs": runs, "failures": failed });
    let evidence = json!({
        "figures": {
            "crash states enumerated": sum.states,
            "of them with writes that are whole or not there": sum.whole(),
            "of them with torn writes": sum.torn,
            "of them power cuts in the weaker mode": sum.weak,
            "moments of crashes": sum.moments,
        },
        "proves": [
            proves(
                "power-loss",
                "every subset of the writes, cuts and removals that were not confirmed, each of them whole or not there",
                sum.whole(),
            ),
            proves(
                "power-loss",
                "with `durability: 'process-crash'`, every end and (of up to 12 sectors, else the extreme ones) every subset of the \
                 sectors of the segment that was being written",
                sum.weak,
            ),
            proves(
                "torn-write",
                "writes torn at 512 and 4,096 bytes (every subset of up to 12 sectors, of more those that lack or have at most two), \
                 filled with zeros and noise, at the old and every new length",
                sum.torn,
            ),
        ],
        "skipped": [],
    });
    std::fs::write(&path, format!("{evidence:#}\n"))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut arguments = Arguments {
        script: None,
        drawn: None,
        first: false,
    };
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word}: expected a value"))
        };
        match word.as_str() {
            "--first" => arguments.first = true,
            "--script" => arguments.script = Some(value()?),
            "--drawn" => {
                let number = value()?;
                let number = number.parse();
                arguments.drawn = Some(number.context("--drawn: expected a number")?);
            }
            _ => bail!("no such option: `{word}`, expected --script, --drawn or --first"),
        }
    }
    Ok(arguments)
}
