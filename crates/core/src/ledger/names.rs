//! Names that many messages share (destinations), kept once and counted.

use std::hash::Hasher;
use std::rc::Rc;

use siphasher::sip::SipHasher13;

use crate::index::Index;
use crate::ledger::message::NONE;
use crate::slab::Slab;

#[derive(Debug)]
struct Name {
    text: Rc<str>,
    uses: u32,
}

/// A counted set of names, each with a small number.
#[derive(Debug)]
pub(super) struct Names {
    names: Slab<Name>,
    index: Index,
    empty: Rc<str>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            names: Slab::default(),
            index: Index::default(),
            empty: Rc::from(""),
        }
    }
}

impl Names {
    /// The number of `text`, with one more use; [`NONE`] for the empty text.
    pub(super) fn acquire(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return NONE;
        }
        let hash = text_hash(text.as_bytes());
        let found = self
            .index
            .find(hash, |slot| &*self.names[slot].text == text);
        if let Some(slot) = found {
            self.names[slot].uses += 1;
            return slot;
        }
        let slot = self.names.insert(Name {
            text: Rc::from(text),
            uses: 1,
        });
        self.index.insert(hash, slot);
        slot
    }

    /// One use less; the last one forgets the name.
    pub(super) fn release(&mut self, slot: u32) {
        if slot == NONE {
            return;
        }
        let name = &mut self.names[slot];
        name.uses -= 1;
        if name.uses == 0 {
            self.index.remove(slot);
            self.names.remove(slot);
        }
    }

    /// The text of a number; empty for [`NONE`].
    #[must_use]
    pub(super) fn text(&self, slot: u32) -> Rc<str> {
        if slot == NONE {
            Rc::clone(&self.empty)
        } else {
            Rc::clone(&self.names[slot].text)
        }
    }
}

/// Hash of a name for an in-memory index. It never leaves the process, so its key may be fixed.
pub(crate) fn text_hash(text: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(text);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use crate::ledger::Ledger;

    #[test]
    fn a_name_is_forgotten_with_its_last_use() {
        let mut ledger = Ledger::new(&[0; 16], [0; 16], [0; 16]);
        let name = ledger.acquire_destination("a");
        assert_eq!(ledger.acquire_destination("a"), name);
        ledger.keep_destination(name);
        for _ in 0..2 {
            ledger.release_destination(name);
            assert_eq!(&*ledger.destination_text(name), "a");
        }
        ledger.release_destination(name);
        assert_eq!(ledger.destinations.names.len(), 0);
    }
}
