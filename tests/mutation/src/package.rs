//! Bugs of the file storage, which is JavaScript: a copy of the built package and of its tests, in which one
//! text is another.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::watch::Watch;

/// A bug of the package.
pub(crate) struct TextBug {
    pub(crate) name: &'static str,
    /// What goes wrong.
    pub(crate) what: &'static str,
    /// In which file of `dist`.
    file: &'static str,
    /// What stands there once.
    text: &'static str,
    /// And what then stands there.
    instead: &'static str,
    /// The tests that notice it.
    tests: &'static str,
}

/// All of them.
pub(crate) const TEXT_BUGS: [TextBug; 4] = [
    TextBug {
        name: "skip-flush",
        what: "an append resolves while its bytes are with the operating system only",
        file: "storage/file-io.js",
        text: "? constants.O_DSYNC : undefined",
        instead: "? 0 : undefined",
        tests: "conformance/storage/file-flushes.test.ts",
    },
    TextBug {
        name: "forget-folder-flush",
        what: "the names of new segments are not flushed",
        file: "storage/file-io.js",
        text: "await withFile(directory, 'r', (handle) => flushWhole(handle.fd));",
        instead: "",
        tests: "conformance/storage/file-flushes.test.ts",
    },
    TextBug {
        name: "ignore-short-write",
        what: "a write that did less than it was asked to counts as done",
        file: "storage/file-io.js",
        text: "if (done === bytes.byteLength)\n",
        instead: "if (done > 0)\n",
        tests: "conformance/storage/file-failure.test.ts",
    },
    TextBug {
        name: "forget-failure",
        what: "an append behind one that failed is tried",
        file: "storage/file.js",
        text: "throw (opened.failure = this.#failed(what, error));",
        instead: "throw this.#failed(what, error);",
        tests: "conformance/storage/file-failure.test.ts",
    },
];

/// A copy of the package and of its tests, for bugs to be planted in.
pub(crate) struct Copy {
    folder: PathBuf,
    original: PathBuf,
}

impl Copy {
    /// Copies what is built in the repository at `root`.
    pub(crate) fn make(root: &Path, folder: PathBuf) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let original = root.join("npm/ackbox");
        let package = folder.join("npm/ackbox");
        copy_folder(&original.join("dist"), &package.join("dist"))?;
        fs::copy(original.join("package.json"), package.join("package.json"))?;
        copy_folder(&root.join("tests"), &folder.join("tests"))?;
        let modules = folder.join("tests/node_modules");
        fs::create_dir_all(&modules)?;
        for entry in fs::read_dir(root.join("tests/node_modules"))? {
            let entry = entry?;
            if entry.file_name() != "ackbox" {
                symlink(entry.path(), modules.join(entry.file_name()))?;
            }
        }
        symlink(&package, modules.join("ackbox"))?;
        Ok(Self { folder, original })
    }

    /// Plants a bug; whatever was planted in the same file before is gone.
    pub(crate) fn plant(&self, bug: &TextBug) -> Result<()> {
        let path = self.original.join("dist").join(bug.file);
        let text = fs::read_to_string(&path)?;
        if text.matches(bug.text).count() != 1 {
            bail!(
                "{}: expected once `{}`",
                path.display(),
                bug.text.trim_end()
            );
        }
        let planted = self.folder.join("npm/ackbox/dist").join(bug.file);
        fs::write(planted, text.replace(bug.text, bug.instead)).context("cannot plant it")
    }

    /// Takes a bug away again.
    pub(crate) fn restore(&self, bug: &TextBug) -> Result<()> {
        let place = Path::new("dist").join(bug.file);
        fs::copy(
            self.original.join(&place),
            self.folder.join("npm/ackbox").join(place),
        )?;
        Ok(())
    }

    /// Who notices it.
    pub(crate) fn watch(&self, bug: &TextBug) -> Watch {
        let words = [
            "node_modules/vitest/vitest.mjs",
            "run",
            "--project",
            "native",
            bug.tests,
        ];
        Watch {
            name: bug
                .tests
                .replace('/', "-")
                .trim_end_matches(".test.ts")
                .to_owned(),
            program: PathBuf::from("node"),
            arguments: words.map(str::to_owned).to_vec(),
            directory: self.folder.join("tests"),
        }
    }
}

/// Copies the files of a folder, but for the packages that it uses.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != "node_modules" && entry.file_name() != "target" {
            copy_folder(&path, &copy)?;
        } else if kind.is_file() {
            fs::copy(&path, &copy)?;
        }
    }
    Ok(())
}
