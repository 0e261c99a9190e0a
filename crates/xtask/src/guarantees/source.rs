//! Of what a run ran: a commit that others can get, or what the run saw is no evidence.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::files;

/// What somebody uses: changes of anything else leave a run as good as it was.
const PRODUCT: [&str; 4] = ["crates", "bindings", "npm/ackbox/src", ":!crates/xtask"];
/// What a proof writes itself, tier by tier.
const WRITTEN: [&str; 2] = [
    ":!npm/ackbox/docs/guarantees.json",
    ":!npm/ackbox/docs/guarantees.md",
];

/// The commit that is checked out, with nothing changed beside it.
pub(crate) struct Source {
    root: PathBuf,
    commit: String,
}

impl Source {
    /// Refuses a tree that is no commit's.
    pub(crate) fn of_this_tree() -> Result<Self> {
        Self::of(&files::root())
    }

    fn of(root: &Path) -> Result<Self> {
        let source = Self {
            root: root.to_owned(),
            commit: head(root)
                .context("expected a clone of the repository, git knows no commit here")?,
        };
        source.check()?;
        Ok(source)
    }

    /// Refuses what was changed since, and a commit that was left behind.
    pub(super) fn check(&self) -> Result<()> {
        let changed = git(&self.root, &["status", "--porcelain", "--", "."], &WRITTEN)
            .context("git cannot tell what was changed")?;
        if let Some(first) = changed.lines().next() {
            let count = changed.lines().count();
            bail!(
                "expected a commit with nothing changed beside it, {count} files differ: `{first}` first"
            );
        }
        if behind(&self.root, &self.commit).is_none() {
            bail!(
                "the commit {} that ran is no ancestor of what is checked out now",
                self.commit
            );
        }
        Ok(())
    }

    pub(super) fn commit(&self) -> &str {
        &self.commit
    }
}

/// How many commits changed the product since that one; none if that one is not in this history.
pub(super) fn behind_head(commit: &str) -> Option<u64> {
    behind(&files::root(), commit)
}

fn behind(root: &Path, commit: &str) -> Option<u64> {
    // It also refuses the mark of a tree that was changed.
    git(root, &["merge-base", "--is-ancestor", commit, "HEAD"], &[])?;
    let range = format!("{commit}..HEAD");
    let count = git(root, &["rev-list", "--count", &range, "--"], &PRODUCT)?;
    count.trim().parse().ok()
}

fn head(root: &Path) -> Option<String> {
    let name = git(root, &["rev-parse", "--short=10", "HEAD"], &[])?;
    Some(name.trim().to_owned())
}

/// What git says, if it succeeds.
fn git(root: &Path, words: &[&str], more: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    let output = command
        .current_dir(root)
        .args(words)
        .args(more)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A repository with one commit, in a folder that is gone afterwards.
    struct Clone(PathBuf);

    impl Clone {
        fn new(name: &str) -> Self {
            let root = files::target().join(format!("xtask/source-{name}-{}", std::process::id()));
            fs::create_dir_all(&root).expect("a folder");
            let clone = Self(root);
            clone.git(&["init", "--quiet", "--initial-branch=main"]);
            clone.commit("crates/core.rs");
            clone
        }

        fn git(&self, words: &[&str]) {
            let who = [
                "-c",
                "user.name=Somebody",
                "-c",
                "user.email=somebody@example.com",
            ];
            git(&self.0, &who, words).unwrap_or_else(|| panic!("git {words:?}"));
        }

        fn write(&self, file: &str) {
            let path = self.0.join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
            fs::write(path, "changed").expect("it is written");
        }

        fn commit(&self, file: &str) {
            self.write(file);
            self.git(&["add", "--all"]);
            self.git(&["commit", "--quiet", "--message", file]);
        }

        fn refusal(&self) -> String {
            let source = Source::of(&self.0);
            source
                .err()
                .map_or_else(String::new, |error| error.to_string())
        }
    }

    impl Drop for Clone {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_changed_tree_is_no_source() {
        let clone = Clone::new("changed");
        assert_eq!(clone.refusal(), "");
        // The page is written while the tiers run.
        clone.write("npm/ackbox/docs/guarantees.md");
        assert_eq!(clone.refusal(), "");
        clone.write("tests/new.mjs");
        assert!(
            clone
                .refusal()
                .contains("1 files differ: `?? tests/` first"),
            "{}",
            clone.refusal()
        );
    }

    #[test]
    fn commits_of_the_product_count_and_others_do_not() {
        let clone = Clone::new("behind");
        let source = Source::of(&clone.0).expect("nothing is changed");
        clone.commit("README.md");
        clone.commit("crates/xtask/main.rs");
        assert_eq!(behind(&clone.0, source.commit()), Some(0));
        clone.commit("npm/ackbox/src/box.ts");
        clone.commit("bindings/node/lib.rs");
        assert_eq!(behind(&clone.0, source.commit()), Some(2));
        assert!(source.check().is_ok());
    }

    #[test]
    fn a_commit_that_was_left_behind_is_no_source() {
        let clone = Clone::new("left");
        clone.git(&["checkout", "--quiet", "-b", "side"]);
        clone.commit("crates/side.rs");
        let source = Source::of(&clone.0).expect("nothing is changed");
        clone.git(&["checkout", "--quiet", "main"]);
        assert_eq!(behind(&clone.0, source.commit()), None);
        assert_eq!(behind(&clone.0, &format!("{}+", source.commit())), None);
        let refused = source.check().expect_err("it is on no way to here");
        assert!(refused.to_string().contains("no ancestor"), "{refused}");
    }
}
