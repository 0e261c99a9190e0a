//! One number for everything that a world did: two runs of a seed must agree on it.

use std::fmt::{self, Write};
use std::hash::Hasher;

use ackbox_core::effect::Effect;
use siphasher::sip::SipHasher13;

/// Gathers what happens, in order.
#[derive(Debug)]
pub struct Digest {
    hasher: SipHasher13,
    echoes: bool,
}

impl Digest {
    /// Nothing yet. `echoes`: everything is printed as well, for a person.
    #[must_use]
    pub fn new(echoes: bool) -> Self {
        Self {
            hasher: SipHasher13::new_with_keys(0, 0),
            echoes,
        }
    }
}

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hasher.write(text.as_bytes());
        Ok(())
    }
}

impl Digest {
    /// Something that is described.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        if self.echoes {
            println!("    {what}");
        }
        self.write_fmt(what).expect("a hash takes everything");
        self.hasher.write_u8(0);
    }

    /// An effect of the engine; what it appends counts byte by byte.
    pub fn effect(&mut self, effect: &Effect) {
        if self.echoes {
            println!("    {}", brief(effect));
        }
        match effect {
            Effect::Append { segment, bytes } => {
                self.hasher.write_u32(*segment);
                self.hasher.write(bytes);
            }
            Effect::Deliver(delivery) => {
                self.hasher.write_u64(delivery.token.0);
                self.hasher.write_u64(delivery.number);
                self.hasher.write_u32(delivery.attempt);
                self.hasher.write(delivery.content.body());
            }
            other => {
                self.write_fmt(format_args!("{other:?}"))
                    .expect("a hash takes everything");
            }
        }
    }

    /// What has been gathered.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.hasher.finish()
    }
}

/// An effect in a line that a person can read.
fn brief(effect: &Effect) -> String {
    match effect {
        Effect::Append { segment, bytes } => {
            format!("append {} bytes to segment {segment}", bytes.len())
        }
        Effect::Deliver(delivery) => format!(
            "deliver number {} ({}), attempt {}, token {}",
            delivery.number, delivery.id, delivery.attempt, delivery.token.0
        ),
        other => format!("{other:?}"),
    }
}
