//! What changed between two sets of options, for people.

use serde_json::{Map, Value};

use super::settings::Settings;
use crate::effect::OptionChange;

/// Options that are groups of options.
const GROUPS: [&str; 3] = ["dedup", "dead", "history"];

impl Settings {
    /// Options whose value in force is another one in `newer`, by name.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Vec<OptionChange> {
        let (mut old, new) = (values(self), values(newer));
        let mut changes: Vec<OptionChange> = new
            .into_iter()
            .map(|(option, to)| OptionChange {
                from: old.remove(&option),
                to: Some(to),
                option,
            })
            .collect();
        changes.extend(old.into_iter().map(|(option, from)| OptionChange {
            option,
            from: Some(from),
            to: None,
        }));
        changes.retain(|change| change.from != change.to);
        changes.sort_by(|one, other| one.option.cmp(&other.option));
        changes
    }
}

/// All values in force, those of groups under names like `dedup.windowMs`.
fn values(settings: &Settings) -> Map<String, Value> {
    let Ok(Value::Object(options)) = serde_json::to_value(settings.in_force()) else {
        unreachable!("options are an object")
    };
    let mut values = Map::new();
    for (name, value) in options {
        match value {
            Value::Object(group) if GROUPS.contains(&name.as_str()) => {
                let members = group.into_iter();
                values.extend(members.map(|(member, value)| (format!("{name}.{member}"), value)));
            }
            value => drop(values.insert(name, value)),
        }
    }
    values
}
