//! Who may notice a bug: a program that is run with it, and must fail.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Names the planted bug to the engine.
const VARIABLE: &str = "ACKBOX_BUG";
/// A program of the engine that runs so long hangs; without a bug it takes a few seconds.
pub(crate) const LIMIT: Duration = Duration::from_secs(40);
/// One that drives real processes and disks.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(400);
/// How often a program is looked at.
const TICK: Duration = Duration::from_millis(10);
/// Letters of a sign that are shown.
const SIGN_MAX: usize = 140;

/// A program that looks for bugs.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// Its tier, as a person knows it.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Where it runs.
    pub(crate) directory: PathBuf,
    /// When it is taken for one that hangs.
    pub(crate) limit: Duration,
}

/// What a program made of a bug.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// It failed by itself: it has noticed the bug.
    pub(crate) failed: bool,
    /// It did not come to its end. A machine that is busy looks like that too, so nothing was noticed.
    pub(crate) hung: bool,
    /// The first thing that it said of it: which world, script or test.
    pub(crate) sign: String,
    pub(crate) seconds: f64,
}

impl Watch {
    /// Runs it with a bug, or without one.
    pub(crate) fn look(&self, bug: Option<&str>, log: &Path) -> Result<Seen> {
        let started = Instant::now();
        let output =
            File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .current_dir(&self.directory)
            .env_remove("ACKBOX_EVIDENCE")
            .env_remove(VARIABLE)
            .env_remove("FORCE_COLOR")
            .env("ACKBOX_LENGTH", "short")
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0")
            // What fails because of a planted bug is no case to be tried again.
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        if let Some(bug) = bug {
            command.env(VARIABLE, bug);
        }
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break Some(status);
            }
            if started.elapsed() > self.limit {
                child.kill()?;
                child.wait()?;
                break None;
            }
            thread::sleep(TICK);
        };
        let text = String::from_utf8_lossy(&fs::read(log)?).into_owned();
        let sign = match status {
            None => format!("it does not end within {} s", self.limit.as_secs()),
            Some(status) => first_sign(&text).unwrap_or_else(|| status.to_string()),
        };
        Ok(Seen {
            failed: status.is_some_and(|status| !status.success()),
            hung: status.is_none(),
            sign,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Without a bug it has nothing to say, and it did look; what it says of itself if it cannot look here.
    pub(crate) fn check_calm(&self, log: &Path) -> Result<Option<String>> {
        let seen = self.look(None, log)?;
        if seen.failed || seen.hung {
            bail!("{} fails without any bug: {}", self.name, seen.sign);
        }
        let text = fs::read_to_string(log)?;
        let looked = text
            .lines()
            .any(|line| is_count(line.trim_start()) && !line.contains(" 0 passed"));
        let skipped = text.lines().find(|line| line.starts_with("skipped: "));
        if let (false, Some(why)) = (looked, skipped) {
            return Ok(Some(why.to_owned()));
        }
        if !looked {
            bail!("{} ran no test: see {}", self.name, log.display());
        }
        Ok(None)
    }
}

/// The line that counts tests, of Cargo or of vitest.
fn is_count(line: &str) -> bool {
    line.starts_with("test result: ok. ") || (line.starts_with("Tests ") && line.contains("passed"))
}

/// The first line that tells of a world, a script or a test that failed.
fn first_sign(text: &str) -> Option<String> {
    let is_sign = |line: &&str| {
        let line = line.trim_start();
        let is_world = line.starts_with("seed ") && line.contains(", operation ");
        is_world
            || line.starts_with("FAILED ")
            || line.starts_with("FAIL ")
            || line.ends_with("... FAILED")
    };
    let sign = text.lines().find(is_sign)?;
    Some(sign.trim_start().chars().take(SIGN_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Watch {
        Watch {
            name: "shell".to_owned(),
            program: PathBuf::from("sh"),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            directory: PathBuf::from("."),
            limit,
        }
    }

    fn log(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("ackbox-watch-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_program_that_does_not_end_has_noticed_nothing() {
        let log = log("hung");
        let seen = shell("exec sleep 1000", Duration::ZERO).look(Some("bug"), &log);
        let seen = seen.expect("it starts");
        assert!(seen.hung && !seen.failed, "{seen:?}");
        let seen = shell("exit 1", LIMIT).look(Some("bug"), &log);
        let seen = seen.expect("it starts");
        assert!(seen.failed && !seen.hung, "{seen:?}");
        fs::remove_file(log).expect("it was written");
    }

    #[test]
    fn who_cannot_look_says_why() {
        let log = log("skipped");
        let watch = shell(
            "echo 'skipped: no mounts'; echo 'test result: ok. 0 passed; 0 failed; 1 ignored'",
            LIMIT,
        );
        let why = watch.check_calm(&log).expect("it is calm");
        assert_eq!(why.as_deref(), Some("skipped: no mounts"));
        assert!(
            shell("true", LIMIT).check_calm(&log).is_err(),
            "nobody looked"
        );
        fs::remove_file(log).expect("it was written");
    }

    #[test]
    fn a_sign_names_a_world_a_script_or_a_test() {
        let world = "100 crashes\nseed 7, operation 3: I1: lost\n";
        assert_eq!(
            first_sign(world).as_deref(),
            Some("seed 7, operation 3: I1: lost")
        );
        assert_eq!(
            first_sign("ok\nFAILED steps: lost").as_deref(),
            Some("FAILED steps: lost")
        );
        assert_eq!(
            first_sign("test a::b ... FAILED").as_deref(),
            Some("test a::b ... FAILED")
        );
        assert_eq!(first_sign("seed 7: passed"), None);
    }
}
