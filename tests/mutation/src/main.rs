//! Checks the checks: plants known bugs in the engine, one at a time, and runs who is to notice.
//!
//! `mutation [NAME...]`: all bugs, or those that are named. The last line counts bugs as `cargo test` counts
//! tests: one that nobody noticed has failed. `ACKBOX_LENGTH=full` adds the bugs that only tests of the
//! engine notice, and has all tiers look at every bug; without it those are passed over, and counted so.

mod bugs;
mod building;
mod package;
mod watch;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;

use bugs::{BUGS, Tier};
use package::{Copy, TEXT_BUGS};
use watch::{Seen, Watch};

/// Worlds that a bug may take to be noticed.
const SEEDS: &str = "600";
/// Scripts that are drawn, beside those that were written.
const DRAWN: &str = "10";
/// Test programs of the engine that notice what the tiers of faults do not.
const TESTS: [&str; 3] = ["engine", "breaker_traces", "backoff_properties"];
/// What is released.
const RELEASED: [&str; 2] = ["npm/ackbox/dist/native", "npm/ackbox/dist/wasm"];

/// Programs and where they write.
struct Lab {
    root: PathBuf,
    folder: PathBuf,
    programs: Vec<(String, PathBuf)>,
    is_full: bool,
}

#[derive(Default)]
struct Sum {
    caught: u64,
    survived: u64,
    passed_over: u64,
}

fn main() -> Result<ExitCode> {
    if let Some(code) = building::wrap()? {
        return Ok(code);
    }
    let named: Vec<String> = env::args().skip(1).collect();
    let names = BUGS.iter().map(|bug| bug.name);
    let known: Vec<&str> = names.chain(TEXT_BUGS.iter().map(|bug| bug.name)).collect();
    if let Some(name) = named.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("no such bug: `{name}`");
    }
    let is_wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    let started = Instant::now();
    let lab = Lab::build(BUGS.iter().any(|bug| is_wanted(bug.name)))?;
    println!("built in {:.0} s", started.elapsed().as_secs_f64());
    let mut sum = Sum::default();
    let mut calm: Vec<String> = Vec::new();
    for bug in BUGS.iter().filter(|bug| is_wanted(bug.name)) {
        let caught_by = match lab.watches(bug.tier)? {
            watches if watches.is_empty() => None,
            watches => Some(lab.plant(bug.name, &watches, &mut calm)?),
        };
        sum.count(bug.name, bug.what, caught_by);
    }
    let copy = match lab.is_full {
        true => Some(Copy::make(&lab.root, lab.folder.join("package"))?),
        false => None,
    };
    for bug in TEXT_BUGS.iter().filter(|bug| is_wanted(bug.name)) {
        let Some(copy) = &copy else {
            sum.count(bug.name, bug.what, None);
            continue;
        };
        let watch = copy.watch(bug);
        lab.make_calm(&watch, &mut calm)?;
        copy.plant(bug)?;
        let caught_by = lab.plant(bug.name, &[watch], &mut calm)?;
        copy.restore(bug)?;
        sum.count(bug.name, bug.what, Some(caught_by));
    }
    let Sum {
        caught,
        survived,
        passed_over,
    } = sum;
    tell(&sum, lab.is_full)?;
    let verdict = if survived == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {caught} passed; {survived} failed; {passed_over} ignored");
    Ok(if survived == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Sum {
    /// `caught_by`: what those said who noticed it; none if nobody looked.
    fn count(&mut self, name: &str, what: &str, caught_by: Option<Vec<String>>) {
        let Some(caught_by) = caught_by else {
            self.passed_over += 1;
            return;
        };
        println!("bug = \"{name}\" ({what})");
        for line in &caught_by {
            println!("    caught by {line}");
        }
        if caught_by.is_empty() {
            println!("    NOT CAUGHT");
            self.survived += 1;
        } else {
            self.caught += 1;
        }
    }
}

impl Lab {
    /// Builds what a bug of the engine is looked for with, if one is to be planted.
    fn build(plants_engine: bool) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let root = root.canonicalize().context("no repository")?;
        let folder = root.join("target/xtask/mutation");
        let is_full = env::var("ACKBOX_LENGTH").is_ok_and(|length| length == "full");
        let tiers = [
            "build",
            "--profile",
            "simulation",
            "-p",
            "ackbox-simulation",
            "-p",
            "ackbox-enumeration",
        ];
        let mut programs = Vec::new();
        if plants_engine {
            programs.extend(building::build(&root, &folder, &tiers)?);
        }
        if plants_engine && is_full {
            let mut tests = vec!["test", "--no-run", "-p", "ackbox-core"];
            tests.extend(TESTS.iter().flat_map(|target| ["--test", target]));
            programs.extend(building::build(&root, &folder, &tests)?);
        }
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let lab = Self {
            root,
            folder,
            programs,
            is_full,
        };
        if plants_engine {
            lab.check_released()?;
        }
        Ok(lab)
    }

    /// No bug is in what is released, and every one is in what is tested here.
    fn check_released(&self) -> Result<()> {
        for folder in RELEASED {
            let Ok(files) = fs::read_dir(self.root.join(folder)) else {
                continue;
            };
            for file in files {
                let path = file?.path();
                let bytes = fs::read(&path)?;
                if let Some(bug) = BUGS.iter().find(|bug| contains(&bytes, bug.name)) {
                    bail!("{} contains the bug `{}`", path.display(), bug.name);
                }
            }
        }
        let bytes = fs::read(self.program("ackbox-simulation")?)?;
        let missing = BUGS.iter().find(|bug| !contains(&bytes, bug.name));
        // A name that nothing asks for would pass for a bug that is never noticed.
        if let Some(bug) = missing.filter(|bug| matches!(bug.tier, Tier::Simulation)) {
            bail!("the bug `{}` was not built", bug.name);
        }
        Ok(())
    }

    fn program(&self, name: &str) -> Result<PathBuf> {
        let program = self.programs.iter().find(|(known, _)| known == name);
        let (_, path) = program.with_context(|| format!("`{name}` was not built"))?;
        Ok(path.clone())
    }

    /// Has those look at a bug who may notice it; what they said.
    fn plant(&self, bug: &str, watches: &[Watch], calm: &mut Vec<String>) -> Result<Vec<String>> {
        let mut caught_by = Vec::new();
        for watch in watches {
            self.make_calm(watch, calm)?;
            let seen = watch.look(Some(bug), &self.log(bug, watch))?;
            if seen.failed {
                let Seen { sign, seconds, .. } = seen;
                caught_by.push(format!("{} in {seconds:.1} s: {sign}", watch.name));
            }
        }
        Ok(caught_by)
    }

    /// Sees to it, once, that somebody has nothing to say without a bug.
    fn make_calm(&self, watch: &Watch, calm: &mut Vec<String>) -> Result<()> {
        if !calm.contains(&watch.name) {
            watch.check_calm(&self.log("no-bug", watch))?;
            calm.push(watch.name.clone());
        }
        Ok(())
    }

    fn log(&self, bug: &str, watch: &Watch) -> PathBuf {
        self.folder.join(format!("{bug}-{}.log", watch.name))
    }

    fn watches(&self, tier: Tier) -> Result<Vec<Watch>> {
        let mut watches = Vec::new();
        if self.is_full || tier == Tier::Simulation {
            let options = ["--seed", "1", "--seeds", SEEDS, "--first", "yes"];
            watches.push(self.watch("simulation", "ackbox-simulation", &options)?);
        }
        if self.is_full || tier == Tier::Enumeration {
            let options = ["--first", "--drawn", DRAWN];
            watches.push(self.watch("enumeration", "ackbox-enumeration", &options)?);
        }
        if let (true, Tier::Core { target, filter }) = (self.is_full, tier) {
            let name = format!("{target}-{filter}");
            watches.push(self.watch(&name, target, &[filter])?);
        }
        Ok(watches)
    }

    fn watch(&self, name: &str, program: &str, arguments: &[&str]) -> Result<Watch> {
        Ok(Watch {
            name: name.trim_end_matches('-').to_owned(),
            program: self.program(program)?,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            directory: self.root.join("crates/core"),
        })
    }
}

fn contains(bytes: &[u8], name: &str) -> bool {
    bytes
        .windows(name.len())
        .any(|window| window == name.as_bytes())
}

/// Evidence for whoever asked for it.
fn tell(sum: &Sum, is_full: bool) -> Result<()> {
    let Some(path) = env::var_os("ACKBOX_EVIDENCE") else {
        return Ok(());
    };
    let mut skipped = Vec::new();
    if !is_full {
        skipped.push(format!(
            "{} bugs that only tests of the engine notice are planted at full length",
            sum.passed_over
        ));
    }
    let evidence = json!({
        "figures": {
            "bugs planted": sum.caught + sum.survived,
            "bugs that a tier noticed": sum.caught,
        },
        "proves": [],
        "skipped": skipped,
    });
    fs::write(&path, format!("{evidence:#}\n"))
        .with_context(|| format!("cannot write {}", path.display()))
}
