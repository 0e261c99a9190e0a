//! Ids of messages whose caller named none.
//!
//! A generated id tells by itself whether it was accepted: it holds the number of its message and
//! the run that gave it, so it needs no place in the deduplication index. Its text has
//! [`TEXT_BYTES`] characters of lower-case Crockford base32, most significant first:
//!
//! | characters | field | bits |
//! |---|---|---|
//! | 10 | milliseconds since the Unix epoch | 50 |
//! | 10 | message number | 50 |
//! | 6 | number of the run | 30 |
//! | 6 | tag of box and queue | 30 |
//!
//! The alphabet ascends with its values and the width is fixed, so texts sort bytewise by time and
//! number.

use std::fmt;

/// Length of the text form.
pub const TEXT_BYTES: usize = 32;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const WIDE: usize = 10;
const NARROW: usize = 6;
const WIDE_MAX: u64 = (1 << 50) - 1;
const NARROW_MAX: u32 = (1 << 30) - 1;
/// Sets the tags of neighbouring queues far apart (the odd constant of Fibonacci hashing).
const SPREAD: u32 = 0x9E37_79B1;
/// Its inverse modulo 2^32, by Newton's iteration.
const UNSPREAD: u32 = {
    let mut inverse: u32 = 1;
    let mut round = 0;
    while round < 5 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(SPREAD.wrapping_mul(inverse)));
        round += 1;
    }
    inverse
};

/// What a generated id says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct GeneratedId {
    /// When it was given. Written as at most 2^50 - 1, some 35,000 years from now.
    pub ms: u64,
    /// Number of its message, below 2^50.
    pub number: u64,
    /// The number of the run that gave it, below 2^30: drawn, the same for no other known run.
    pub open: u32,
    /// Whose it is: [`GeneratedId::tag_in`] its box and queue, below 2^30.
    pub tag: u32,
}

impl GeneratedId {
    /// The highest number of a run.
    pub const OPEN_MAX: u32 = NARROW_MAX;

    /// The part of a box id that its generated ids carry.
    #[must_use]
    pub const fn tag_of(box_id: &[u8; 16]) -> u32 {
        u32::from_le_bytes([box_id[0], box_id[1], box_id[2], box_id[3]]) & NARROW_MAX
    }

    /// The tag of the ids that a queue generates. Every queue of a box has another.
    #[must_use]
    pub const fn tag_in(box_tag: u32, queue: u32) -> u32 {
        box_tag.wrapping_add(queue.wrapping_mul(SPREAD)) & NARROW_MAX
    }

    /// The queue that generated it, if it is of the box with this tag; else any number.
    #[must_use]
    pub const fn queue_in(&self, box_tag: u32) -> u32 {
        self.tag.wrapping_sub(box_tag).wrapping_mul(UNSPREAD) & NARROW_MAX
    }

    /// The text form.
    ///
    /// # Panics
    /// As [`letters`](Self::letters).
    #[must_use]
    pub fn write(&self) -> String {
        let letters = self.letters();
        str::from_utf8(&letters)
            .expect("the alphabet is ASCII")
            .to_owned()
    }

    /// The bytes of the text form.
    ///
    /// # Panics
    /// When a counter does not fit: two ids must never share a text.
    #[must_use]
    pub fn letters(&self) -> [u8; TEXT_BYTES] {
        assert!(
            self.number <= WIDE_MAX,
            "message number {} needs more than 50 bits",
            self.number
        );
        assert!(
            self.open <= NARROW_MAX,
            "run {} needs more than 30 bits",
            self.open
        );
        assert!(
            self.tag <= NARROW_MAX,
            "box tag {} needs more than 30 bits",
            self.tag
        );
        let mut digits = [0; TEXT_BYTES];
        let (ms, rest) = digits.split_at_mut(WIDE);
        let (number, rest) = rest.split_at_mut(WIDE);
        let (open, tag) = rest.split_at_mut(NARROW);
        put_digits(ms, self.ms.min(WIDE_MAX));
        put_digits(number, self.number);
        put_digits(open, self.open.into());
        put_digits(tag, self.tag.into());
        digits
    }

    /// Reads a text form; none if the text is anything else. The id may be of another box, or made
    /// up by a caller: compare `tag`, then `open` and `number` with what the box knows.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text: &[u8; TEXT_BYTES] = text.as_bytes().try_into().ok()?;
        let (ms, rest) = text.split_at(WIDE);
        let (number, rest) = rest.split_at(WIDE);
        let (open, tag) = rest.split_at(NARROW);
        Some(Self {
            ms: read_digits(ms)?,
            number: read_digits(number)?,
            open: u32::try_from(read_digits(open)?).ok()?,
            tag: u32::try_from(read_digits(tag)?).ok()?,
        })
    }
}

impl fmt::Display for GeneratedId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.write())
    }
}

/// All pairs of digits: every field has an even number of them.
const PAIRS: [[u8; 2]; 1 << 10] = {
    let mut pairs = [[0; 2]; 1 << 10];
    let mut value = 0;
    while value < pairs.len() {
        pairs[value] = [ALPHABET[value >> 5], ALPHABET[value & 31]];
        value += 1;
    }
    pairs
};

fn put_digits(digits: &mut [u8], mut value: u64) {
    for pair in digits.rchunks_exact_mut(2) {
        pair.copy_from_slice(&PAIRS[value as usize % PAIRS.len()]);
        value >>= 10;
    }
}

/// Exactly the digits that are written: aliases of Crockford's alphabet would give one message two ids.
fn read_digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |value, &digit| {
        Some(value << 5 | u64::from(value_of(digit)?))
    })
}

const fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'h' => Some(digit - b'a' + 10),
        b'j' | b'k' => Some(digit - b'j' + 18),
        b'm' | b'n' => Some(digit - b'm' + 20),
        b'p'..=b't' => Some(digit - b'p' + 22),
        b'v'..=b'z' => Some(digit - b'v' + 27),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: GeneratedId = GeneratedId {
        ms: 1_700_000_000_000,
        number: 123_456_789,
        open: 33,
        tag: 0x3fff_ffff,
    };

    #[test]
    fn the_tag_tells_the_queue_within_its_box() {
        let box_tag = GeneratedId::tag_of(&[0xFF; 16]);
        for queue in [0, 1, 2, 1000, 65_535] {
            let tag = GeneratedId::tag_in(box_tag, queue);
            assert_eq!(GeneratedId { tag, ..ID }.queue_in(box_tag), queue);
        }
        assert_ne!(
            GeneratedId::tag_in(box_tag, 0),
            GeneratedId::tag_in(box_tag, 1)
        );
    }

    #[test]
    fn the_text_form_is_fixed() {
        assert_eq!(ID.write(), "01hf7yat0000003nqk8n000011zzzzzz");
        assert_eq!(ID.to_string(), ID.write());
        let all_ones = GeneratedId {
            ms: WIDE_MAX,
            number: WIDE_MAX,
            open: NARROW_MAX,
            tag: NARROW_MAX,
        };
        assert_eq!(all_ones.write(), "z".repeat(TEXT_BYTES));
        assert_eq!(
            GeneratedId {
                ms: 0,
                number: 0,
                open: 0,
                tag: 0
            }
            .write(),
            "0".repeat(TEXT_BYTES)
        );
    }

    #[test]
    fn a_late_clock_is_written_as_the_latest() {
        let late = GeneratedId { ms: u64::MAX, ..ID };
        assert_eq!(
            GeneratedId::parse(&late.write()),
            Some(GeneratedId { ms: WIDE_MAX, ..ID })
        );
    }

    #[test]
    #[should_panic(expected = "message number 1125899906842624 needs more than 50 bits")]
    fn a_number_that_does_not_fit_is_never_cut() {
        let _ = GeneratedId {
            number: 1 << 50,
            ..ID
        }
        .write();
    }

    #[test]
    fn only_the_text_form_is_an_id() {
        let text = ID.write();
        assert_eq!(GeneratedId::parse(&text), Some(ID));
        for other in [
            "",
            &text[1..],
            &format!("{text}0"),
            &text.to_uppercase(),
            &text.replace('0', "o"),
        ] {
            assert_eq!(GeneratedId::parse(other), None, "{other:?}");
        }
        for digit in ['i', 'l', 'o', 'u', 'A', '-', ' ', 'é'] {
            let other = text.replacen('y', &digit.to_string(), 1);
            assert_eq!(GeneratedId::parse(&other), None, "{other:?}");
        }
    }

    #[test]
    fn a_tag_is_the_first_thirty_bits_of_the_box_id() {
        let mut box_id = [0xff; 16];
        assert_eq!(GeneratedId::tag_of(&box_id), NARROW_MAX);
        box_id[0] = 0;
        assert_eq!(GeneratedId::tag_of(&box_id), 0x3fff_ff00);
    }

    fn any_id() -> impl Strategy<Value = GeneratedId> {
        (0..=WIDE_MAX, 0..=WIDE_MAX, 0..=NARROW_MAX, 0..=NARROW_MAX).prop_map(
            |(ms, number, open, tag)| GeneratedId {
                ms,
                number,
                open,
                tag,
            },
        )
    }

    proptest! {
        #[test]
        fn an_id_survives_its_text(id in any_id()) {
            let text = id.write();
            prop_assert_eq!(text.len(), TEXT_BYTES);
            prop_assert_eq!(GeneratedId::parse(&text), Some(id));
        }

        #[test]
        fn texts_sort_as_time_and_number(one in any_id(), other in any_id(), same_ms: bool) {
            let other = GeneratedId { ms: if same_ms { one.ms } else { other.ms }, ..other };
            prop_assert_eq!(one.write().cmp(&other.write()), one.cmp(&other));
        }

        #[test]
        fn an_accepted_text_is_written_again(text in "[0-9a-z]{32}") {
            if let Some(id) = GeneratedId::parse(&text) {
                prop_assert_eq!(id.write(), text);
            }
        }
    }
}
