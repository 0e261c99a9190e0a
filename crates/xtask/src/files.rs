//! Places in the repository, and walking them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    // At run time where Cargo says it: a compiled xtask may have been moved along with the repository.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let crates = manifest.parent().expect("xtask lies in crates/xtask");
    crates
        .parent()
        .expect("xtask lies in crates/xtask")
        .to_path_buf()
}

/// Where Cargo builds: `CARGO_TARGET_DIR`, or `target` in the root.
pub(crate) fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The compiled package: what its users get.
pub(crate) fn dist() -> PathBuf {
    root().join("npm/ackbox/dist")
}

/// Every file under `start`, or `start` itself if it is a file, in a stable order. Leaves out what tools
/// install or generate, and hidden entries.
pub(crate) fn walk(start: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    visit(start, &mut found)?;
    found.sort();
    Ok(found)
}

fn visit(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        found.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let generated = ["node_modules", "dist", "target"].contains(&name.as_ref());
        // A link is never followed: npm links workspace packages into folders that hold them.
        if !generated && !name.starts_with('.') && !entry.file_type()?.is_symlink() {
            visit(&entry.path(), found)?;
        }
    }
    Ok(())
}

/// Writes a file by renaming a finished copy into place: a process that has the old one mapped, such as a
/// loaded native addon, keeps it. Does nothing where the content is the same.
pub(crate) fn replace(target: &Path, content: &[u8]) -> Result<()> {
    if fs::read(target).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let folder = target.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let name = target
        .file_name()
        .context("a file has a name")?
        .to_string_lossy();
    let copy = folder.join(format!(".{name}.{}", std::process::id()));
    fs::write(&copy, content).with_context(|| format!("cannot write {}", copy.display()))?;
    fs::rename(&copy, target).with_context(|| format!("cannot write {}", target.display()))
}
