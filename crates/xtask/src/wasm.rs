//! The WebAssembly engine: compiled, given its JavaScript glue, optimised, put beside the package.
//!
//! The target needs a standard library. Where rustup can download, it is one component; where it cannot,
//! Debian's toolchain builds it from source (`debian`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::debian::Debian;
use crate::stamp::Stamp;
use crate::step::{Progress, Step, StepFailed};
use crate::{cargo, debian, files, tools};

const TARGET: &str = "wasm32-unknown-unknown";
/// Writes the module as text, from the root of the repository.
const INLINE: &str = "npm/ackbox/scripts/inline-wasm.mjs";
/// A download that takes longer than this is one that does not come: a closed network may let it hang.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(180);
/// The language features that every engine has had for years and that rustc uses: wasm-opt must know them.
const FEATURES: [&str; 7] = [
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// What compiles to WebAssembly on this machine.
pub(crate) enum Toolchain {
    /// The Rust that runs xtask has the target's standard library.
    Current,
    /// Debian's Rust, with the standard library built from source.
    Debian(Debian),
}

impl Toolchain {
    /// Its Cargo, with this command, for the target; `library` names crates of the standard library that are needed.
    pub(crate) fn cargo(&self, command: &str, library: &str) -> Command {
        match self {
            Self::Current => {
                let mut cargo = cargo::cargo();
                cargo.args([command, "--target", TARGET]);
                cargo
            }
            Self::Debian(debian) => {
                let mut cargo = debian.cargo();
                cargo.args([command, "--target", TARGET]);
                cargo.arg(format!("-Zbuild-std={library}"));
                cargo
            }
        }
    }
}

/// Finds what compiles to WebAssembly, or installs it.
pub(crate) fn toolchain(progress: &Progress) -> Result<Toolchain, StepFailed> {
    progress.step("wasm-toolchain", "WebAssembly toolchain", find_toolchain)
}

/// Builds `npm/ackbox/dist/wasm/{ackbox.js, ackbox_bg.wasm}`. Needs the npm packages of `npm/`.
pub(crate) fn build(progress: &Progress) -> Result<(), StepFailed> {
    let toolchain = toolchain(progress)?;
    let compiled = progress.step("wasm", "WebAssembly engine", |step| {
        compile(step, &toolchain)
    })?;
    progress.step("wasm-glue", "WebAssembly glue", |step| {
        link(step, &compiled)
    })
}

fn find_toolchain(step: &mut Step) -> Result<Toolchain> {
    if has_standard_library() {
        step.outcome(format!("{TARGET} is installed"));
        return Ok(Toolchain::Current);
    }
    // Once Debian's toolchain had to be taken, rustup is not asked again at every run.
    if let Some(debian) = debian::chosen() {
        step.outcome(debian.describe());
        return Ok(Toolchain::Debian(debian));
    }
    let mut rustup = cargo::tool("rustup");
    rustup.args(["target", "add", TARGET]);
    let rustup = match step.run_within(DOWNLOAD_LIMIT, &mut rustup) {
        Ok(()) if has_standard_library() => {
            step.outcome(format!("{TARGET} added by rustup"));
            return Ok(Toolchain::Current);
        }
        Ok(()) => "rustup added it to another toolchain than the one in use".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    step.note(&format!(
        "no {TARGET} from rustup ({rustup}), trying Debian's packages"
    ))?;
    match debian::install(step) {
        Ok(debian) => {
            step.outcome(debian.describe());
            Ok(Toolchain::Debian(debian))
        }
        Err(debian) => bail!(
            "expected Rust's standard library for {TARGET}, found none, and installing it failed: \
             {rustup}; {debian:#}.\n  \
             Install it with `rustup target add {TARGET}`, on Debian with `{}`, \
             or with your distribution's package of it.",
            debian::INSTALL
        ),
    }
}

/// Whether the Rust in use, from wherever it comes, has the target's standard library.
fn has_standard_library() -> bool {
    let mut rustc = cargo::tool("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    tools::version_of(&mut rustc).is_some_and(|folder| Path::new(&folder).is_dir())
}

fn compile(step: &mut Step, toolchain: &Toolchain) -> Result<PathBuf> {
    let mut command = toolchain.cargo("build", "std,panic_abort");
    command.args(["--profile", "wasm", "--package", "ackbox-wasm"]);
    cargo::build_library(step, &mut command, "ackbox_wasm", "wasm")
}

/// Glue and optimisation, which only depend on the compiled module and the tools' versions.
fn link(step: &mut Step, compiled: &Path) -> Result<()> {
    let root = files::root();
    let module = files::dist().join("wasm/ackbox_bg.wasm");
    let inputs = [
        compiled.to_path_buf(),
        root.join("crates/xtask/glue"),
        root.join("crates/xtask/src/wasm.rs"),
        root.join("npm/package-lock.json"),
        root.join(INLINE),
    ];
    let stamp = Stamp::of("wasm-glue", &inputs)?;
    let inlined = module.with_file_name("inline.js");
    let outputs = [
        module.clone(),
        module.with_file_name("ackbox.js"),
        inlined.clone(),
    ];
    if stamp.is_current(&outputs) {
        step.outcome("up to date");
        return Ok(());
    }
    let folder = files::target().join("xtask/wasm");
    let mut glue = cargo::cargo();
    glue.args(["run", "--package", "xtask-glue", "--"])
        .args([compiled, &folder]);
    step.run(&mut glue)?;
    let optimized = folder.join("optimized.wasm");
    step.run(
        wasm_opt(&root)
            .arg(folder.join("ackbox_bg.wasm"))
            .arg("-o")
            .arg(&optimized),
    )?;

    let content = fs::read(&optimized).context("wasm-opt wrote no module")?;
    files::replace(&module, &content)?;
    for name in ["ackbox.js", "ackbox.d.ts", "ackbox_bg.wasm.d.ts"] {
        let content =
            fs::read(folder.join(name)).with_context(|| format!("no {name} in the glue"))?;
        files::replace(&module.with_file_name(name), &content)?;
    }
    step.run(
        cargo::tool("node")
            .arg(root.join(INLINE))
            .args([&module, &inlined]),
    )?;
    step.outcome(format!("ackbox_bg.wasm, {} KiB", content.len() / 1024));
    stamp.save()
}

fn wasm_opt(root: &Path) -> Command {
    let mut command = cargo::tool("node");
    command
        .arg(root.join("npm/node_modules/binaryen/bin/wasm-opt"))
        .arg("-O3")
        .args(FEATURES);
    command
}
