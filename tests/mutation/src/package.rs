//! Bugs of the file storage, which is JavaScript: a copy of the built package and of its tests, in which one
//! text is another.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::watch::{LONG_LIMIT, Watch};

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
    /// Who notices it, each of them.
    noticed_by: &'static [Noticer],
}

/// Somebody that looks at the built package.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Noticer {
    /// Tests of a file, written for it.
    Tests(&'static str),
    /// A box whose power is cut.
    PowerCuts,
    /// A box whose calls to the file system fail, each in turn.
    Faults,
}

const FLUSHES: Noticer = Noticer::Tests("conformance/storage/file-flushes.test.ts");
const FAILURES: Noticer = Noticer::Tests("conformance/storage/file-failure.test.ts");

/// All of them.
pub(crate) const TEXT_BUGS: [TextBug; 4] = [
    TextBug {
        name: "skip-flush",
        what: "an append resolves while its bytes are with the operating system only",
        file: "storage/file-io.js",
        text: "? constants.O_DSYNC : undefined",
        instead: "? 0 : undefined",
        noticed_by: &[FLUSHES, Noticer::PowerCuts],
    },
    TextBug {
        name: "forget-folder-flush",
        what: "the names of new segments are not flushed",
        file: "storage/file-io.js",
        text: "await withFile(directory, 'r', (handle) => flushWhole(handle.fd));",
        instead: "",
        // No power cut on ext4 shows it: a new file that is flushed takes its name along.
        noticed_by: &[FLUSHES],
    },
    TextBug {
        name: "ignore-short-write",
        what: "a write that did less than it was asked to counts as done",
        file: "storage/file-io.js",
        text: "if (done === bytes.byteLength)\n",
        instead: "if (done > 0)\n",
        noticed_by: &[FAILURES, Noticer::Faults],
    },
    TextBug {
        name: "forget-failure",
        what: "an append behind one that failed is tried",
        file: "storage/file.js",
        text: "throw (opened.failure = this.#failed(what, error));",
        instead: "throw this.#failed(what, error);",
        noticed_by: &[FAILURES],
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

    /// Who notices it: each of them must.
    pub(crate) fn watches(&self, bug: &TextBug) -> Vec<Watch> {
        let noticers = bug.noticed_by.iter();
        noticers.map(|noticer| self.watch(*noticer)).collect()
    }

    fn watch(&self, noticer: Noticer) -> Watch {
        let (name, words) = match noticer {
            Noticer::Tests(file) => {
                let words = [
                    "node_modules/vitest/vitest.mjs",
                    "run",
                    "--project",
                    "native",
                    file,
                ];
                (file.replace('/', "-"), words.map(str::to_owned).to_vec())
            }
            Noticer::PowerCuts => ("power-cuts".to_owned(), vec!["power/main.mjs".to_owned()]),
            Noticer::Faults => ("faults".to_owned(), vec!["faults/main.mjs".to_owned()]),
        };
        Watch {
            name: name.trim_end_matches(".test.ts").to_owned(),
            program: PathBuf::from("node"),
            arguments: words,
            directory: self.folder.join("tests"),
            limit: LONG_LIMIT,
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
