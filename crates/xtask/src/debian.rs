//! Debian's Rust as the WebAssembly toolchain, for networks that have Debian's packages but not rustup's.
//!
//! `rustc-web` is kept current in Debian's stable releases, and `rust-web-src` is the source of its
//! standard library, which Cargo then builds for the target. Its artifacts lie in `target/wasm`: two
//! compilers in one folder would build everything anew at every turn.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::step::Step;
use crate::{apt, cargo, files, tools};

/// What a person would type.
pub(crate) const INSTALL: &str = "apt-get install rustc-web cargo-web rust-web-src lld-22";

const PACKAGES: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// Linkers that are known to work, the preferred one first.
const LINKER_PACKAGES: [&str; 2] = ["lld-22", "lld-19"];
const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LIBRARY_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/Cargo.lock";
/// Left in `target/wasm` by the first choice of this toolchain.
const CHOSEN: &str = ".chosen";

/// An installed toolchain.
pub(crate) struct Debian {
    version: String,
    linker: PathBuf,
}

/// The toolchain, if an earlier run had to choose it and it is still complete.
pub(crate) fn chosen() -> Option<Debian> {
    folder().join(CHOSEN).exists().then(find)?.ok()
}

/// Finds the toolchain, installing its packages where they are missing.
pub(crate) fn install(step: &Step) -> Result<Debian> {
    if find().is_err() {
        install_packages(step)?;
    }
    let toolchain = find()?;
    fs::create_dir_all(folder())?;
    fs::write(folder().join(CHOSEN), "")?;
    Ok(toolchain)
}

impl Debian {
    /// Its Cargo, shielded from the rustup toolchain that runs xtask.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo::tool(CARGO);
        for name in [
            "CARGO",
            "LD_LIBRARY_PATH",
            "RUSTC",
            "RUSTDOC",
            "RUSTFLAGS",
            "RUSTUP_TOOLCHAIN",
        ] {
            command.env_remove(name);
        }
        let path = env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("/usr/bin:{path}"))
            // Building the standard library from source is an unstable option of a stable compiler.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &self.linker)
            .env("CARGO_TARGET_DIR", folder());
        command
    }

    pub(crate) fn describe(&self) -> String {
        let version: Vec<&str> = self.version.split(' ').take(2).collect();
        format!(
            "Debian's {}, linked by {}",
            version.join(" "),
            self.linker.display()
        )
    }
}

fn folder() -> PathBuf {
    files::target().join("wasm")
}

fn find() -> Result<Debian> {
    for needed in [CARGO, RUSTC, LIBRARY_SOURCE] {
        if !Path::new(needed).exists() {
            bail!("{needed} is missing");
        }
    }
    let oldest = env!("CARGO_PKG_RUST_VERSION");
    let version = tools::version_of(
        cargo::tool(RUSTC)
            .env_remove("LD_LIBRARY_PATH")
            .arg("--version"),
    )
    .unwrap_or_default();
    let number = version.split(' ').nth(1).and_then(tools::parse_version);
    if number < tools::parse_version(oldest) {
        bail!("expected {RUSTC} {oldest} or later, found `{version}`");
    }
    let Some(linker) = linker() else {
        bail!("no wasm-ld in /usr/bin");
    };
    Ok(Debian { version, linker })
}

/// `wasm-ld` of the highest version, or the one that came with the Rust in use.
fn linker() -> Option<PathBuf> {
    let entries = fs::read_dir("/usr/bin").ok()?.flatten();
    let versions = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        name.strip_prefix("wasm-ld-")?.parse::<u32>().ok()
    });
    match versions.max() {
        Some(version) => Some(PathBuf::from(format!("/usr/bin/wasm-ld-{version}"))),
        None => linker_of_rust(),
    }
}

fn linker_of_rust() -> Option<PathBuf> {
    let libraries = tools::version_of(cargo::tool("rustc").args(["--print", "target-libdir"]))?;
    let linker = Path::new(&libraries).parent()?.join("bin/rust-lld");
    linker.exists().then_some(linker)
}

fn install_packages(step: &Step) -> Result<()> {
    apt::update(step)?;
    apt::install(step, &PACKAGES)?;
    if linker().is_some()
        || LINKER_PACKAGES
            .iter()
            .any(|package| apt::install(step, &[package]).is_ok())
    {
        return Ok(());
    }
    bail!("none of {} can be installed", LINKER_PACKAGES.join(", "))
}
