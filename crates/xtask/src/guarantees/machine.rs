//! On what a run ran: what a reader would have to have to see the same.

use std::fs;

use serde_json::{Map, Value, json};

use super::output_of;

/// What is known of this machine, by name; what cannot be found out is left out.
pub(super) fn describe() -> Value {
    let cores = std::thread::available_parallelism().ok();
    let facts = [
        ("processor", after("/proc/cpuinfo", "model name")),
        ("cores", cores.map(|cores| cores.to_string())),
        (
            "memory",
            after("/proc/meminfo", "MemTotal").and_then(|memory| gibibytes(&memory)),
        ),
        (
            "system",
            after("/etc/os-release", "PRETTY_NAME").map(|name| name.trim_matches('"').to_owned()),
        ),
        ("kernel", output_of("uname", &["-sr"])),
        (
            "file system",
            output_of("findmnt", &["-no", "FSTYPE", "-T", "."]),
        ),
        ("Node", output_of("node", &["--version"])),
        ("Rust", output_of("rustc", &["--version"])),
    ];
    let known = facts
        .into_iter()
        .filter_map(|(name, fact)| Some((name.to_owned(), json!(fact?))));
    Value::Object(known.collect::<Map<_, _>>())
}

/// What stands behind a name in a file of `name: value` or `name=value` lines.
fn after(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let (_, value) = line.split_once([':', '='])?;
    Some(value.trim().to_owned())
}

fn gibibytes(memory: &str) -> Option<String> {
    let kibibytes: u64 = memory.split_whitespace().next()?.parse().ok()?;
    Some(format!("{} GiB", kibibytes.div_ceil(1 << 20)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_in_gibibytes() {
        assert_eq!(gibibytes("24601234 kB").as_deref(), Some("24 GiB"));
        assert_eq!(gibibytes("much"), None);
    }
}
