//! Steps: what the person sees, and where a tool's output goes.
//!
//! A step prints one line when it starts and its duration when it is done. The tools it runs are quiet:
//! their output goes to `target/xtask/logs/<step>.log`, and only a failure shows the end of it. On a
//! terminal the line of a running step is alive: time so far and the last line of the log.

use std::cell::Cell;
use std::env;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::files;

/// How often a running tool is looked at.
const TICK: Duration = Duration::from_millis(25);
/// How many ticks pass between two states of the live line.
const TICKS_PER_FRAME: u32 = 4;
/// How many lines of a failed step's log are shown.
const TAIL_LINES: usize = 40;
/// A live line that wraps cannot be taken back, so it stays within the narrowest usual terminal.
const LINE_CHARS: usize = 78;

/// Where the steps of one command report.
pub(crate) struct Progress {
    logs: PathBuf,
    live: bool,
}

/// A running step.
pub(crate) struct Step {
    title: String,
    log: PathBuf,
    started: Instant,
    live: bool,
    outcome: String,
    /// Whether the log is of this run: a step without a tool to run leaves the last one alone.
    has_output: Cell<bool>,
}

/// A step that failed and has already been reported.
#[derive(Debug)]
pub(crate) struct StepFailed {
    /// What failed, for a summary.
    pub(crate) title: String,
    /// The full output of its tools, if it came to running any.
    pub(crate) log: Option<PathBuf>,
}

impl Progress {
    /// Reports to standard output; live only on a terminal, and never in CI.
    pub(crate) fn new() -> Result<Self> {
        let logs = files::target().join("xtask/logs");
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let live = io::stdout().is_terminal() && env::var_os("CI").is_none();
        Ok(Self { logs, live })
    }

    /// Runs `work` as the step `name`; its failure has been shown when this returns.
    pub(crate) fn step<T>(
        &self,
        name: &str,
        title: &str,
        work: impl FnOnce(&mut Step) -> Result<T>,
    ) -> Result<T, StepFailed> {
        let mut step = Step {
            title: title.to_owned(),
            log: self.logs.join(format!("{name}.log")),
            started: Instant::now(),
            live: self.live,
            outcome: "done".to_owned(),
            has_output: Cell::new(false),
        };
        step.begin();
        match work(&mut step) {
            Ok(value) => {
                step.end();
                Ok(value)
            }
            Err(error) => Err(step.fail(&error)),
        }
    }

    /// A line between steps.
    pub(crate) fn say(&self, line: &str) {
        println!("{line}");
    }
}

impl Step {
    /// What the last line says instead of `done`: counts, versions, `up to date`.
    pub(crate) fn outcome(&mut self, outcome: impl Into<String>) {
        self.outcome = outcome.into();
    }

    /// Runs a tool to its end, its output in the log; fails unless it succeeds.
    pub(crate) fn run(&self, command: &mut Command) -> Result<()> {
        let status = self.attempt(command)?;
        succeeded(command, status)
    }

    /// Runs a tool to its end, its output in the log, and leaves its exit status to the caller.
    pub(crate) fn attempt(&self, command: &mut Command) -> Result<ExitStatus> {
        let output = self.open_log(command)?;
        let child = start(command.stdout(output.try_clone()?).stderr(output))?;
        self.wait(child, None)
    }

    /// Like [`run`](Self::run), but ends the tool after `limit`.
    pub(crate) fn run_within(&self, limit: Duration, command: &mut Command) -> Result<()> {
        let output = self.open_log(command)?;
        let child = start(command.stdout(output.try_clone()?).stderr(output))?;
        let status = self.wait(child, Some(limit))?;
        succeeded(command, status)
    }

    /// Runs a tool and returns its standard output; what it says on standard error goes to the log.
    pub(crate) fn capture(&self, command: &mut Command) -> Result<String> {
        let output = self.log.with_extension("out");
        let file =
            File::create(&output).with_context(|| format!("cannot write {}", output.display()))?;
        let log = self.open_log(command)?;
        let child = start(command.stdout(file).stderr(log))?;
        let status = self.wait(child, None)?;
        succeeded(command, status)?;
        fs::read_to_string(&output).with_context(|| format!("cannot read {}", output.display()))
    }

    /// Everything that the tools of this step have said so far.
    pub(crate) fn output(&self) -> Result<String> {
        let bytes =
            fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A place beside the log for a report that a tool writes.
    pub(crate) fn report_path(&self, extension: &str) -> PathBuf {
        self.log.with_extension(extension)
    }

    /// Adds a line to the log.
    pub(crate) fn note(&self, line: &str) -> Result<()> {
        writeln!(self.append()?, "{line}").context("cannot write the log")
    }

    fn append(&self) -> Result<File> {
        let mut options = File::options();
        if self.has_output.replace(true) {
            options.append(true);
        } else {
            options.write(true).create(true).truncate(true);
        }
        let file = options.open(&self.log);
        file.with_context(|| format!("cannot write {}", self.log.display()))
    }

    fn open_log(&self, command: &Command) -> Result<File> {
        let mut file = self.append()?;
        writeln!(file, "$ {}", line_of(command))?;
        Ok(file)
    }

    fn wait(&self, mut child: Child, limit: Option<Duration>) -> Result<ExitStatus> {
        let started = Instant::now();
        for tick in 0_u32.. {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if limit.is_some_and(|limit| started.elapsed() > limit) {
                child.kill()?;
                child.wait()?;
                bail!(
                    "not finished after {} s, ended",
                    started.elapsed().as_secs()
                );
            }
            if self.live && tick % TICKS_PER_FRAME == 0 {
                self.show(tick / TICKS_PER_FRAME);
            }
            thread::sleep(TICK);
        }
        unreachable!("a tool ends or is ended before the ticks run out (3 years)")
    }

    fn begin(&self) {
        if self.live {
            self.show(0);
        } else {
            println!("{} ...", self.title);
        }
    }

    fn show(&self, frame: u32) {
        const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
        let spinner = SPINNER[frame as usize % SPINNER.len()];
        let seconds = self.started.elapsed().as_secs();
        let last = self.has_output.get().then(|| tail_of(&self.log));
        let last = last.flatten().unwrap_or_default();
        let line = format!("{spinner} {}  {seconds} s  {last}", self.title);
        let line: String = line
            .chars()
            .filter(|c| !c.is_control())
            .take(LINE_CHARS)
            .collect();
        print!("\r\x1b[2K{line}");
        // A terminal that cannot be written to loses only the decoration.
        let _ = io::stdout().flush();
    }

    fn end(&self) {
        self.last_line('✔', &self.outcome);
    }

    fn fail(self, error: &anyhow::Error) -> StepFailed {
        self.last_line('✘', "failed");
        let log = self.has_output.get().then_some(&self.log);
        let output = log.map_or_else(String::new, |_| self.output().unwrap_or_default());
        let lines: Vec<&str> = output.lines().collect();
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            println!("  | {line}");
        }
        println!("  {error:#}");
        if let Some(log) = log {
            println!("  full log: {}", log.display());
        }
        StepFailed {
            log: log.cloned(),
            title: self.title,
        }
    }

    fn last_line(&self, mark: char, outcome: &str) {
        let line = format!("{}: {outcome}", self.title);
        let seconds = self.started.elapsed().as_secs_f64();
        if self.live {
            println!("\r\x1b[2K{mark} {line} ({seconds:.1} s)");
        } else {
            println!("{line} ({seconds:.1} s)");
        }
    }
}

impl fmt::Display for StepFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} failed", self.title)
    }
}

impl std::error::Error for StepFailed {}

fn start(command: &mut Command) -> Result<Child> {
    // A log is read in editors and CI, where colours are noise.
    let quiet = command.stdin(Stdio::null()).env("NO_COLOR", "1");
    let child = quiet.env_remove("FORCE_COLOR").spawn();
    child.with_context(|| format!("cannot start `{}`", command.get_program().display()))
}

fn succeeded(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}`: {status}", line_of(command));
    }
    Ok(())
}

fn line_of(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name();
    let words = program.into_iter().chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last line that says something, from the last few hundred bytes of a growing file.
fn tail_of(path: &Path) -> Option<String> {
    const WINDOW: u64 = 512;
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))
        .ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}
