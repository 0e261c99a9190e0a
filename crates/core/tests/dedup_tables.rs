//! The deduplication index, sequence by sequence, from `testdata/dedup`. The commands are explained
//! in `life.txt`.

use std::collections::BTreeMap;

use ackbox_core::command::MessageState;
use ackbox_core::hash;
use ackbox_core::journal::Place;
use ackbox_core::ledger::dedup::{Dedup, End, Entry, Status, kept_of};
use ackbox_core::time::Timestamp;

const KEY: [u8; 16] = *b"key of the tests";

#[test]
fn every_sequence_holds() {
    for (file, text, sequences_min) in [
        ("life.txt", include_str!("../testdata/dedup/life.txt"), 9),
        (
            "journal.txt",
            include_str!("../testdata/dedup/journal.txt"),
            7,
        ),
    ] {
        let mut sequences = 0;
        let mut world = World::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with("===") {
                world = World::default();
                sequences += 1;
                continue;
            }
            let (command, expected) = line.split_once(" -> ").expect("a command and its answer");
            assert_eq!(world.run(command), expected, "{file}:{}: {line}", at + 1);
        }
        assert!(
            sequences >= sequences_min,
            "{file} holds {sequences} sequences"
        );
    }
}

/// An index, and the ids behind its hashes.
#[derive(Default)]
struct World {
    dedup: Dedup,
    ids: BTreeMap<u128, String>,
}

/// A command after its name: words, and `name=value` fields.
struct Arguments<'a> {
    words: Vec<&'a str>,
    fields: BTreeMap<&'a str, &'a str>,
}

impl World {
    fn run(&mut self, command: &str) -> String {
        let mut words = command.split_whitespace();
        let name = words.next().expect("a command");
        let (fields, words): (Vec<_>, Vec<_>) = words.partition(|word| word.contains('='));
        let fields = fields
            .into_iter()
            .filter_map(|field| field.split_once('='))
            .collect();
        let arguments = Arguments { words, fields };
        match name {
            "insert" => self.insert(&arguments),
            "find" => self
                .entry(&arguments)
                .map_or("free".into(), |entry| self.describe(entry)),
            "compare" => self.compare(&arguments),
            "finish" => self.finish(&arguments),
            "place" => self.place(&arguments),
            "relive" => self.relive(&arguments),
            "remove" => self.remove(&arguments),
            "expire" => self.expire(&arguments),
            "clean" => self.clean(arguments.word(0)),
            "cut" => {
                self.dedup.cut_ends(Timestamp(arguments.field("now")));
                "cut".into()
            }
            "count" => self.count(arguments.word(0)),
            _ => panic!("unknown command {name:?}"),
        }
    }

    fn insert(&mut self, arguments: &Arguments<'_>) -> String {
        let (queue, id) = (arguments.word(0), arguments.words[1]);
        let hash = hash::id_hash(&KEY, queue, id.as_bytes());
        self.ids.insert(hash, id.to_owned());
        let fingerprint = hash::fingerprint(&KEY, arguments.fields["body"].as_bytes());
        let entry = self
            .dedup
            .insert_live(queue, hash, fingerprint, arguments.field("slot"));
        self.describe(entry)
    }

    fn compare(&self, arguments: &Arguments<'_>) -> String {
        let fingerprint = kept_of(hash::fingerprint(&KEY, arguments.fields["body"].as_bytes()));
        let is_same = self.dedup.fingerprint(self.taken(arguments)) == fingerprint;
        if is_same {
            "same".into()
        } else {
            "different".into()
        }
    }

    fn finish(&mut self, arguments: &Arguments<'_>) -> String {
        let entry = self.taken(arguments);
        let state = match arguments.fields.get("as").copied() {
            None | Some("completed") => MessageState::Completed,
            Some("dead") => MessageState::Dead,
            Some("cancelled") => MessageState::Cancelled,
            Some(other) => panic!("unknown state {other:?}"),
        };
        let at = Timestamp(arguments.field("at"));
        let end = End {
            at,
            state,
            number: arguments.field("number"),
            attempt: 1,
            tells: arguments.fields.contains_key("tells"),
        };
        self.dedup.finish(entry, end);
        assert_eq!(
            self.dedup.place(entry),
            Place::default(),
            "its record has no place yet"
        );
        self.describe(entry)
    }

    fn place(&mut self, arguments: &Arguments<'_>) -> String {
        let entry = self.taken(arguments);
        let (segment, rest) = arguments.words[2].split_once(':').expect("a place");
        let (offset, length) = rest.split_once('+').expect("a place");
        let place = Place {
            segment: number(segment),
            offset: number(offset),
            length: number(length),
        };
        self.dedup.set_place(entry, place);
        let Place {
            segment,
            offset,
            length,
        } = self.dedup.place(entry);
        format!("{segment}:{offset}+{length}")
    }

    fn relive(&mut self, arguments: &Arguments<'_>) -> String {
        let entry = self.taken(arguments);
        self.dedup.relive(entry, arguments.field("slot"));
        assert_eq!(
            self.dedup.place(entry),
            Place::default(),
            "its record says nothing any more"
        );
        self.describe(entry)
    }

    fn remove(&mut self, arguments: &Arguments<'_>) -> String {
        let removed = self.dedup.remove(self.taken(arguments));
        let tells = if removed.tells() { " tells" } else { "" };
        format!("{}{tells}", describe(&removed))
    }

    fn expire(&mut self, arguments: &Arguments<'_>) -> String {
        let (now, window) = (
            arguments.field::<u64>("now"),
            arguments.field::<u64>("window"),
        );
        let mut expired = Vec::new();
        while let Some((entry, at)) = self.dedup.oldest_finished(arguments.word(0)) {
            if at.plus(window).0 > now {
                break;
            }
            expired.push(self.dedup.remove(entry).hash());
        }
        self.names(&expired)
    }

    /// Takes entries from the front of the journal's order, then starts over with what was left.
    fn clean(&self, segment: u32) -> String {
        let mut dedup = self.dedup.clone();
        let mut found = Vec::new();
        while let Some((entry, place)) = dedup.oldest_place() {
            if place.segment > segment {
                break;
            }
            found.push(dedup.remove(entry).hash());
        }
        self.names(&found)
    }

    fn count(&self, queue: u32) -> String {
        let finished = self.dedup.finished_count(queue);
        format!(
            "{} live, {finished} finished",
            self.dedup.count(queue) - finished
        )
    }

    fn entry(&self, arguments: &Arguments<'_>) -> Option<u32> {
        let queue = arguments.word(0);
        self.dedup.find(
            queue,
            hash::id_hash(&KEY, queue, arguments.words[1].as_bytes()),
        )
    }

    fn taken(&self, arguments: &Arguments<'_>) -> u32 {
        self.entry(arguments)
            .unwrap_or_else(|| panic!("{:?} is free", arguments.words))
    }

    fn describe(&self, entry: u32) -> String {
        describe(self.dedup.get(entry).expect("an entry"))
    }

    fn names(&self, hashes: &[u128]) -> String {
        let names: Vec<&str> = hashes.iter().map(|hash| self.ids[hash].as_str()).collect();
        if names.is_empty() {
            "none".into()
        } else {
            names.join(" ")
        }
    }
}

fn describe(entry: &Entry) -> String {
    match entry.status() {
        Status::Live { message } => format!("live {message}"),
        Status::Finished {
            at, state, number, ..
        } => {
            format!("{} {number} @{}", format!("{state:?}").to_lowercase(), at.0)
        }
    }
}

impl Arguments<'_> {
    fn word<N: std::str::FromStr>(&self, at: usize) -> N {
        number(self.words.get(at).expect("another word"))
    }

    fn field<N: std::str::FromStr>(&self, name: &str) -> N {
        number(
            self.fields
                .get(name)
                .unwrap_or_else(|| panic!("expected {name}=…")),
        )
    }
}

fn number<N: std::str::FromStr>(text: &str) -> N {
    text.parse()
        .unwrap_or_else(|_| panic!("expected a number, got {text:?}"))
}
