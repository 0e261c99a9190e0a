//! Bugs on purpose: what the tests must notice, to be worth something.
//!
//! Each stands where it would have been made, as `bug!("its-name")`, and is asked for by name, one at a
//! time, through the environment. All of that exists in builds with `--cfg ackbox_bugs` only, which no
//! release is; in every other build `bug!` is `false`, and not even the name is left of it. What they are,
//! and who notices, is the list of `tests/mutation`.

/// Whether this bug is wanted: never, in this build.
#[cfg(not(ackbox_bugs))]
macro_rules! bug {
    ($name:literal) => {
        false
    };
}

/// Whether this bug is wanted.
#[cfg(ackbox_bugs)]
macro_rules! bug {
    ($name:literal) => {
        $crate::seeded::is_planted($name)
    };
}

/// Whether the environment names this bug.
#[cfg(ackbox_bugs)]
#[must_use]
pub(crate) fn is_planted(name: &str) -> bool {
    static PLANTED: std::sync::LazyLock<Option<String>> =
        std::sync::LazyLock::new(|| std::env::var("ACKBOX_BUG").ok());
    PLANTED.as_deref() == Some(name)
}
