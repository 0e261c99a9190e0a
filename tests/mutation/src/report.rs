//! What became of planted bugs: who noticed each, and who should have.

use std::collections::BTreeMap;
use std::env;
use std::fs;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// What became of one bug.
#[derive(Default)]
pub(crate) struct Looks {
    /// Who noticed it, and what they said.
    pub(crate) caught: Vec<(String, String)>,
    /// Who did not come to its end, which is no catch.
    pub(crate) hung: Vec<String>,
    /// Who could not look here, and why.
    pub(crate) unable: BTreeMap<String, String>,
}

/// What became of all bugs.
#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) caught: u64,
    pub(crate) survived: u64,
    pub(crate) passed_over: u64,
    /// Each bug, and who noticed it.
    report: Vec<Value>,
    skipped: Vec<String>,
}

impl Looks {
    /// Who of those that are named beside the bug has not noticed it. Who could not look is excused, if another noticed it.
    fn failed<'a>(&self, named: &'a [String]) -> Vec<&'a str> {
        let is_caught_by = |tier: &String| self.caught.iter().any(|(name, _)| name == tier);
        let is_excused = |tier: &String| !self.caught.is_empty() && self.unable.contains_key(tier);
        let failed = named
            .iter()
            .filter(|tier| !is_caught_by(tier) && !is_excused(tier));
        failed.map(String::as_str).collect()
    }
}

impl Sum {
    /// Counts a bug as noticed only if all did whom it names; whoever else did is told as well.
    pub(crate) fn count(&mut self, name: &str, what: &str, looks: &Looks, named: &[String]) {
        println!("bug = \"{name}\" ({what})");
        for (tier, said) in &looks.caught {
            println!("    caught by {tier} {said}");
        }
        for tier in &looks.hung {
            println!("    hung, which is no catch: {tier}");
        }
        let failed = looks.failed(named);
        if failed.is_empty() {
            self.caught += 1;
        } else {
            println!("    NOT CAUGHT by {}", failed.join(", "));
            self.survived += 1;
        }
        let tiers: Vec<&String> = looks.caught.iter().map(|(tier, _)| tier).collect();
        self.report.push(json!({
            "bug": name, "what": what, "caughtBy": tiers, "hung": looks.hung, "missedBy": failed,
        }));
        for (tier, why) in &looks.unable {
            self.skipped
                .push(format!("{name}: {tier} cannot look: {why}"));
        }
    }

    /// Evidence for whoever asked for it.
    pub(crate) fn tell(&self, is_full: bool) -> Result<()> {
        let Some(path) = env::var_os("ACKBOX_EVIDENCE") else {
            return Ok(());
        };
        let mut skipped = self.skipped.clone();
        if !is_full {
            skipped.push(format!(
                "{} bugs that only tests of the engine or of the package notice are planted at full length",
                self.passed_over
            ));
        }
        let evidence = json!({
            "figures": {
                "bugs planted": self.caught + self.survived,
                "bugs that were noticed by all whom they name": self.caught,
            },
            "proves": [],
            "bugs": self.report,
            "skipped": skipped,
        });
        fs::write(&path, format!("{evidence:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn whoever_else_noticed_it_is_no_excuse_for_one_that_is_named() {
        let looks = Looks {
            caught: vec![("simulation".to_owned(), "seed 2".to_owned())],
            hung: names(&["enumeration"]),
            ..Looks::default()
        };
        assert!(looks.failed(&names(&["simulation"])).is_empty());
        assert_eq!(looks.failed(&names(&["enumeration"])), ["enumeration"]);
        assert_eq!(looks.failed(&names(&["engine"])), ["engine"]);
    }

    #[test]
    fn who_cannot_look_is_excused_if_another_noticed_it() {
        let unable = [("power-cuts".to_owned(), "no mounts".to_owned())];
        let mut looks = Looks {
            unable: unable.into_iter().collect(),
            ..Looks::default()
        };
        let named = names(&["flushes", "power-cuts"]);
        assert_eq!(looks.failed(&named), ["flushes", "power-cuts"]);
        looks.caught.push(("flushes".to_owned(), String::new()));
        assert!(looks.failed(&named).is_empty());
    }

    #[test]
    fn a_bug_that_one_missed_is_not_counted_as_noticed() {
        let mut sum = Sum::default();
        let looks = Looks {
            caught: vec![("simulation".to_owned(), "seed 2".to_owned())],
            ..Looks::default()
        };
        sum.count("a", "it is a", &looks, &names(&["simulation"]));
        sum.count("b", "it is b", &looks, &names(&["enumeration"]));
        assert_eq!((sum.caught, sum.survived), (1, 1));
        assert_eq!(sum.report[1]["missedBy"], json!(["enumeration"]));
    }
}
