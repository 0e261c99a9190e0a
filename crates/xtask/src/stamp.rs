//! Remembers what a step was done from, so that the next run does it only if something changed.
//!
//! A stamp is a hash over names and contents of the inputs, kept under `target/xtask/stamps`. Hashes of
//! the standard library may differ between Rust releases: then everything is built once more.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::files;

/// The state of a step's inputs, beside the state at which the step was last done.
pub(crate) struct Stamp {
    path: PathBuf,
    digest: String,
}

impl Stamp {
    /// Hashes the inputs: files, or folders with everything in them.
    pub(crate) fn of(name: &str, inputs: &[PathBuf]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        for input in inputs {
            for file in files::walk(input)? {
                let content =
                    fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
                let name = file
                    .strip_prefix(files::root())
                    .unwrap_or(&file)
                    .to_string_lossy();
                hasher.write_usize(name.len());
                hasher.write(name.as_bytes());
                hasher.write_usize(content.len());
                hasher.write(&content);
            }
        }
        let path = files::target().join("xtask/stamps").join(name);
        Ok(Self {
            path,
            digest: format!("{:016x}", hasher.finish()),
        })
    }

    /// Whether the step was done from these very inputs and every output is still there.
    pub(crate) fn is_current<P: AsRef<Path>>(&self, outputs: &[P]) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|last| last == self.digest)
            && outputs.iter().all(|output| output.as_ref().exists())
    }

    /// Remembers that the step was done from these inputs.
    pub(crate) fn save(&self) -> Result<()> {
        files::replace(&self.path, self.digest.as_bytes())
    }
}
