//! House rules that a machine can check, as tests: what every source file holds to, which crate may know
//! which, and what lies at the top of the repository.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{cargo, files};

const LINES_MAX: usize = 600;
/// All that may lie in the root: the layout, and beside it what tools force.
const TOP_LEVEL: [&str; 9] = [
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "bindings",
    "crates",
    "npm",
    "tests",
];
/// Which crates of the workspace each crate may depend on. Tools and tests may use everything.
const MAY_DEPEND: [(&str, &[&str]); 5] = [
    ("ackbox-core", &[]),
    ("ackbox-cold", &["ackbox-core"]),
    ("ackbox-wire", &["ackbox-cold", "ackbox-core"]),
    ("ackbox-node", &["ackbox-core", "ackbox-wire"]),
    ("ackbox-wasm", &["ackbox-core", "ackbox-wire"]),
];

/// A source file: its name from the root, and its text.
struct Source {
    name: String,
    text: String,
}

impl Source {
    fn is(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.name.ends_with(ending))
    }

    fn is_generated(&self) -> bool {
        self.name.ends_with(".gen.ts")
    }

    fn begins_with_its_contract(&self) -> Result<(), String> {
        let mut lines = self.text.lines().filter(|line| !line.starts_with("#!/"));
        let first = lines.next().unwrap_or_default();
        let expected: &[&str] = if self.is(&[".rs"]) {
            &["//!"]
        } else {
            &["/**", "// "]
        };
        // A test file says what it is for in the names of its tests.
        let opens = expected.iter().any(|opening| first.starts_with(opening));
        if opens || self.is(&[".test.ts"]) {
            return Ok(());
        }
        let expected = expected.join("` or `");
        Err(format!(
            "{}: expected to begin with `{expected}` and what the file is for",
            self.name
        ))
    }

    fn is_short(&self) -> Result<(), String> {
        let lines = self.text.lines().count();
        if self.is_generated() || lines <= LINES_MAX {
            return Ok(());
        }
        Err(format!(
            "{}: {lines} lines, expected at most {LINES_MAX}",
            self.name
        ))
    }

    fn holds_no_leftovers(&self) -> Result<(), String> {
        // Taken apart, so that this file does not hold what it looks for.
        let rust: &[&[&str]] = &[
            &["dbg", "!("],
            &["to", "do!("],
            &["unimpl", "emented!("],
            &["#[ign", "ore"],
        ];
        let script: &[&[&str]] = &[
            &["it.", "only("],
            &["it.", "skip("],
            &["test.", "only("],
            &["test.", "skip("],
            &["describe.", "only("],
            &["describe.", "skip("],
            &["debug", "ger\n"],
        ];
        let marks = if self.is(&[".rs"]) { rust } else { script };
        match marks
            .iter()
            .map(|parts| parts.concat())
            .find(|mark| self.text.contains(mark))
        {
            Some(mark) => Err(format!("{}: holds a leftover `{}`", self.name, mark.trim())),
            None => Ok(()),
        }
    }
}

fn sources() -> Vec<Source> {
    let root = files::root();
    let folders = ["bindings", "crates", "npm", "tests"].map(|folder| root.join(folder));
    let all = folders.iter().filter(|folder| folder.exists());
    let mut sources = Vec::new();
    for path in
        all.flat_map(|folder| files::walk(folder).expect("a folder of the layout is readable"))
    {
        let name = path
            .strip_prefix(&root)
            .expect("a file of the repository")
            .display()
            .to_string();
        if [".rs", ".ts", ".mjs"]
            .iter()
            .any(|ending| name.ends_with(ending))
        {
            let text = fs::read_to_string(&path).expect("a source is readable text");
            sources.push(Source { name, text });
        }
    }
    sources
}

fn all_hold(rule: fn(&Source) -> Result<(), String>) {
    let sources = sources();
    assert!(
        sources.len() > 10,
        "expected the sources of the repository, found {}",
        sources.len()
    );
    let violations: Vec<String> = sources
        .iter()
        .filter_map(|source| rule(source).err())
        .collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn source(name: &str, text: impl Into<String>) -> Source {
    Source {
        name: name.to_owned(),
        text: text.into(),
    }
}

#[test]
fn every_source_begins_with_its_contract() {
    all_hold(Source::begins_with_its_contract);
    assert!(
        source("a.rs", "//! Time.\n")
            .begins_with_its_contract()
            .is_ok()
    );
    assert!(
        source("a.mjs", "#!/usr/bin/env node\n/** Time. */")
            .begins_with_its_contract()
            .is_ok()
    );
    assert!(
        source("a.rs", "use std::fs;\n")
            .begins_with_its_contract()
            .is_err()
    );
    assert!(
        source("a.ts", "import 'x'\n")
            .begins_with_its_contract()
            .is_err()
    );
    assert!(source("a.ts", "").begins_with_its_contract().is_err());
}

#[test]
fn no_source_is_too_long() {
    all_hold(Source::is_short);
    assert!(source("a.rs", "\n".repeat(LINES_MAX)).is_short().is_ok());
    assert!(
        source("a.rs", "\n".repeat(LINES_MAX + 1))
            .is_short()
            .is_err()
    );
    assert!(
        source("a.gen.ts", "\n".repeat(LINES_MAX + 1))
            .is_short()
            .is_ok()
    );
}

#[test]
fn no_source_holds_leftovers() {
    all_hold(Source::holds_no_leftovers);
    assert!(
        source("a.rs", ["to", "do!()"].concat())
            .holds_no_leftovers()
            .is_err()
    );
    assert!(source("a.rs", "lines.skip(1)").holds_no_leftovers().is_ok());
    assert!(
        source("a.ts", ["it.", "skip('x')"].concat())
            .holds_no_leftovers()
            .is_err()
    );
}

#[test]
fn crates_depend_in_one_direction() {
    let violations = against_the_direction(&workspace());
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

fn workspace() -> Value {
    let output = cargo::cargo()
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo describes the workspace")
}

/// The fuzzers are no part of the workspace, so no other check builds them with their lock file.
#[test]
fn the_lock_file_of_the_fuzzers_knows_our_crates_as_they_are() {
    let path = files::root().join("tests/fuzz/libfuzzer/Cargo.lock");
    let locked = fs::read_to_string(path).expect("the fuzzers have a lock file");
    let stale = stale(&locked, &workspace());
    assert!(
        stale.is_empty(),
        "`cargo update --workspace` in tests/fuzz/libfuzzer mends this:\n{}\n",
        stale.join("\n")
    );
}

#[test]
fn a_stale_lock_file_is_found() {
    let locked = "[[package]]\nname = \"ours\"\nversion = \"1.0.0\"\ndependencies = [\n \"gone\",\n \"kept 2.0.0\",\n]\n";
    let of = |dependencies: &[&str], version: &str| {
        let dependencies = dependencies
            .iter()
            .map(|name| serde_json::json!({ "name": name, "kind": null, "optional": false }));
        let dependencies: Vec<Value> = dependencies.collect();
        let package =
            serde_json::json!({ "name": "ours", "version": version, "dependencies": dependencies });
        stale(locked, &serde_json::json!({ "packages": [package] })).len()
    };
    assert_eq!(of(&["gone", "kept"], "1.0.0"), 0);
    assert_eq!(of(&["kept"], "1.0.0"), 1);
    assert_eq!(of(&["gone", "kept", "new"], "1.0.0"), 1);
    assert_eq!(of(&["gone", "kept"], "1.1.0"), 1);
}

/// What a lock file says of the workspace's crates, and is not so.
fn stale(locked: &str, metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let mut violations = Vec::new();
    for entry in locked.split("[[package]]").skip(1) {
        let quoted: Vec<&str> = entry.split('"').skip(1).step_by(2).collect();
        let [name, version, known @ ..] = quoted.as_slice() else {
            continue;
        };
        let is_it = |package: &&Value| package["name"] == *name;
        let Some(package) = packages.iter().find(is_it) else {
            continue;
        };
        if package["version"] != *version {
            violations.push(format!("{name} is not {version}"));
        }
        let names = known.iter().filter_map(|known| known.split(' ').next());
        let names: Vec<&str> = names.collect();
        let declared = package["dependencies"].as_array().into_iter().flatten();
        let declared = declared.filter(|dependency| dependency["kind"] != "dev");
        let declared: Vec<(&str, bool)> = declared
            .filter_map(|dependency| {
                let name = dependency["name"].as_str()?;
                Some((name, dependency["optional"] == true))
            })
            .collect();
        let is_declared = |name: &&str| declared.iter().any(|(declared, _)| declared == name);
        let gone = names.iter().filter(|name| !is_declared(name));
        violations.extend(gone.map(|gone| format!("{name} does not depend on {gone}")));
        let missing = declared
            .iter()
            .filter(|(declared, is_optional)| !is_optional && !names.contains(declared));
        violations.extend(missing.map(|(missing, _)| format!("{name} depends on {missing}")));
    }
    violations
}

#[test]
fn a_dependency_against_the_direction_is_found() {
    let dependency = serde_json::json!([{ "name": "ackbox-wire" }, { "name": "serde" }]);
    let of = |name: &str| {
        let package = serde_json::json!({ "name": name, "dependencies": dependency });
        let others = [
            "ackbox-cold",
            "ackbox-core",
            "ackbox-wire",
            "ackbox-node",
            "ackbox-wasm",
        ]
        .into_iter()
        .filter(|other| *other != name)
        .map(|other| serde_json::json!({ "name": other, "dependencies": [] }));
        let packages: Vec<Value> = others.chain([package]).collect();
        against_the_direction(&serde_json::json!({ "packages": packages }))
    };
    assert_eq!(of("ackbox-core"), ["ackbox-core depends on ackbox-wire"]);
    assert!(of("ackbox-node").is_empty());
}

fn against_the_direction(metadata: &Value) -> Vec<String> {
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let mut violations = Vec::new();
    for (name, allowed) in MAY_DEPEND {
        let package = packages.iter().find(|package| package["name"] == name);
        let package = package.unwrap_or_else(|| panic!("no crate `{name}` in the workspace"));
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        let ours = dependencies
            .filter(|dependency| dependency["kind"] != "dev")
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|dependency| {
                packages
                    .iter()
                    .any(|package| package["name"] == *dependency)
            });
        let wrong = ours.filter(|dependency| !allowed.contains(dependency));
        violations.extend(wrong.map(|dependency| format!("{name} depends on {dependency}")));
    }
    violations
}

#[test]
fn the_top_level_is_the_layout() {
    let strangers = strangers(&files::root());
    assert!(strangers.is_empty(), "not in the layout: {strangers:?}");
}

fn strangers(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).expect("the root is readable").flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut strangers: Vec<String> = names
        .filter(|name| name != "target" && !name.starts_with('.'))
        .filter(|name| !TOP_LEVEL.contains(&name.as_str()))
        .collect();
    strangers.sort();
    strangers
}
