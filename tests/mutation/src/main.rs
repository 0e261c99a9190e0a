//! Checks the checks: plants known bugs in the engine, one at a time, and runs who is to notice.
//!
//! `mutation [NAME...]`: all bugs, or those that are named. The last line counts bugs as `cargo test` counts
//! tests: one that any of those missed who are named beside it has failed, whoever else noticed it. Who hangs has
//! noticed nothing. `ACKBOX_LENGTH=full` adds the bugs that only tests of the engine notice and those of the package, and has the
//! simulation and the enumeration look at every bug; without it those are passed over, and counted so.

mod bugs;
mod building;
mod package;
mod report;
mod watch;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use bugs::{BUGS, Tier};
use package::{Copy, TEXT_BUGS};
use report::{Looks, Sum};
use watch::{LIMIT, Seen, Watch};

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

/// Who has been run without a bug, and why it cannot look here if it cannot.
type Calm = BTreeMap<String, Option<String>>;

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
    let mut calm = Calm::new();
    for bug in BUGS.iter().filter(|bug| is_wanted(bug.name)) {
        let watches = lab.watches(bug.tier)?;
        if watches.is_empty() {
            sum.passed_over += 1;
            continue;
        }
        let looks = lab.plant(bug.name, &watches, &mut calm)?;
        sum.count(bug.name, bug.what, &looks, &[bug.tier.name()]);
    }
    let copy = match lab.is_full {
        true => Some(Copy::make(&lab.root, lab.folder.join("package"))?),
        false => None,
    };
    for bug in TEXT_BUGS.iter().filter(|bug| is_wanted(bug.name)) {
        let Some(copy) = &copy else {
            sum.passed_over += 1;
            continue;
        };
        let watches = copy.watches(bug);
        for watch in &watches {
            lab.make_calm(watch, &mut calm)?;
        }
        copy.plant(bug)?;
        let looks = lab.plant(bug.name, &watches, &mut calm)?;
        copy.restore(bug)?;
        let named: Vec<String> = watches.into_iter().map(|watch| watch.name).collect();
        sum.count(bug.name, bug.what, &looks, &named);
    }
    sum.tell(lab.is_full)?;
    let Sum {
        caught,
        survived,
        passed_over,
        ..
    } = sum;
    let verdict = if survived == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {caught} passed; {survived} failed; {passed_over} ignored");
    Ok(if survived == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
            let files = fs::read_dir(self.root.join(folder));
            let files = files.with_context(|| {
                format!("what is released is not in {folder}: `cargo xtask build` first")
            })?;
            let files: Vec<_> = files.collect::<Result<_, _>>()?;
            if files.is_empty() {
                bail!(
                    "what is released is not in {folder}, it is empty: `cargo xtask build` first"
                );
            }
            for file in files {
                let path = file.path();
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

    /// Has those look at a bug who may notice it.
    fn plant(&self, bug: &str, watches: &[Watch], calm: &mut Calm) -> Result<Looks> {
        let mut looks = Looks::default();
        for watch in watches {
            if let Some(why) = self.make_calm(watch, calm)? {
                looks.unable.insert(watch.name.clone(), why);
                continue;
            }
            let Seen {
                failed,
                hung,
                sign,
                seconds,
            } = watch.look(Some(bug), &self.log(bug, watch))?;
            let tier = watch.name.clone();
            match (failed, hung) {
                (true, _) => looks
                    .caught
                    .push((tier, format!("in {seconds:.1} s: {sign}"))),
                (false, true) => looks.hung.push(tier),
                (false, false) => {}
            }
        }
        Ok(looks)
    }

    /// Sees to it, once, that somebody has nothing to say without a bug; why, if it cannot look here.
    fn make_calm(&self, watch: &Watch, calm: &mut Calm) -> Result<Option<String>> {
        if let Some(known) = calm.get(&watch.name) {
            return Ok(known.clone());
        }
        let unable = watch.check_calm(&self.log("no-bug", watch))?;
        calm.insert(watch.name.clone(), unable.clone());
        Ok(unable)
    }

    fn log(&self, bug: &str, watch: &Watch) -> PathBuf {
        self.folder.join(format!("{bug}-{}.log", watch.name))
    }

    fn watches(&self, tier: Tier) -> Result<Vec<Watch>> {
        let mut watches = Vec::new();
        if self.is_full || tier == Tier::Simulation {
            let options = ["--seed", "1", "--seeds", SEEDS, "--first", "yes"];
            watches.push(self.watch(Tier::Simulation, "ackbox-simulation", &options)?);
        }
        if self.is_full || tier == Tier::Enumeration {
            let options = ["--first", "--drawn", DRAWN];
            watches.push(self.watch(Tier::Enumeration, "ackbox-enumeration", &options)?);
        }
        if let (true, Tier::Core { target, filter }) = (self.is_full, tier) {
            watches.push(self.watch(tier, target, &[filter])?);
        }
        Ok(watches)
    }

    fn watch(&self, tier: Tier, program: &str, arguments: &[&str]) -> Result<Watch> {
        Ok(Watch {
            name: tier.name(),
            program: self.program(program)?,
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
            directory: self.root.join("crates/core"),
            limit: LIMIT,
        })
    }
}

fn contains(bytes: &[u8], name: &str) -> bool {
    bytes
        .windows(name.len())
        .any(|window| window == name.as_bytes())
}
