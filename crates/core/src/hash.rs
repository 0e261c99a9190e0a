//! Keyed hashes: identity of messages, fingerprints of bodies, jitter, secrets of a new box.
//!
//! All are SipHash (Aumasson and Bernstein, <https://www.aumasson.jp/siphash/siphash.pdf>), read
//! little-endian and equal on every target. Where two fields are hashed, the first has a fixed
//! width, so that no two inputs run into the same bytes.

use siphasher::{sip, sip128};

/// Key of a message in the deduplication index: SipHash-2-4-128 of the queue's number (four bytes)
/// and the id. At 128 bits, a million million ids collide with a chance of about 10^-15, and the
/// key keeps callers from choosing ids that do.
#[must_use]
pub fn id_hash(key: &[u8; 16], queue: u32, id: &[u8]) -> u128 {
    hash128(key, &queue.to_le_bytes(), id)
}

/// Tells equal bodies under one id from different ones: SipHash-1-3 of the encoded body.
#[must_use]
pub fn fingerprint(key: &[u8; 16], body: &[u8]) -> u64 {
    sip::SipHasher13::new_with_key(key).hash(body)
}

/// Finds a producer by its name: SipHash-1-3.
#[must_use]
pub fn producer_hash(key: &[u8; 16], name: &[u8]) -> u64 {
    sip::SipHasher13::new_with_key(key).hash(name)
}

/// The random number of one attempt, uniform over all of `u64`: SipHash-2-4 of the attempt (four
/// bytes) and the id. A recovered engine draws the same again.
#[must_use]
pub fn jitter(seed: &[u8; 16], id: &[u8], attempt: u32) -> u64 {
    use std::hash::Hasher;
    let mut hasher = sip::SipHasher24::new_with_key(seed);
    hasher.write(&attempt.to_le_bytes());
    hasher.write(id);
    hasher.finish()
}

/// Names one death of one message for ever: SipHash-2-4-128 of the queue's number (four bytes), the
/// sequence of the death (eight bytes) and the id.
#[must_use]
pub fn death_hash(key: &[u8; 16], queue: u32, death: u64, id: &[u8]) -> u128 {
    let death = [&death.to_le_bytes()[..], id].concat();
    hash128(key, &queue.to_le_bytes(), &death)
}

/// Names one step of one message for the outside world: SipHash-2-4-128 of the message's number (eight
/// bytes), the run that accepted it (four) and the step's name, under a key of its own, so that what is
/// told outside says nothing of [`id_hash`]. A number that was lost with what a crash cut off may be
/// given again, but not by the same run.
#[must_use]
pub fn step_key(key: &[u8; 16], number: u64, run: u32, name: &[u8]) -> u128 {
    let key = hash128(key, b"ackbox step key", &[]).to_le_bytes();
    let name = [&run.to_le_bytes()[..], name].concat();
    hash128(&key, &number.to_le_bytes(), &name)
}

/// Tells a cursor that this box gave for a queue's dead letters from any other text: the low
/// 32 bits of the SipHash-2-4-128 of the queue's number (four bytes) and the two numbers of the cursor.
#[must_use]
pub fn cursor_check(key: &[u8; 16], queue: u32, after: u64, last_death: u64) -> u32 {
    let mut numbers = [0; 16];
    numbers[..8].copy_from_slice(&after.to_le_bytes());
    numbers[8..].copy_from_slice(&last_death.to_le_bytes());
    hash128(key, &queue.to_le_bytes(), &numbers) as u32
}

/// One secret among many from the entropy of the host: SipHash-2-4-128 keyed with its first half,
/// of its second half and the purpose. Different purposes give independent secrets.
#[must_use]
pub fn derive(entropy: &[u8; 32], purpose: &str) -> [u8; 16] {
    let (key, salt) = entropy.split_at(16);
    let key = key.try_into().expect("half of 32 bytes");
    hash128(key, salt, purpose.as_bytes()).to_le_bytes()
}

/// The jitter seed that a user's text stands for: SipHash-2-4-128 under a public key, for it fixes
/// delays and hides nothing.
#[must_use]
pub fn seed_from_text(text: &str) -> [u8; 16] {
    hash128(b"ackbox jitterkey", &[], text.as_bytes()).to_le_bytes()
}

/// What a box draws once, when it is created, and keeps in its journal for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keys {
    /// Of [`id_hash`] and [`fingerprint`].
    pub hash_key: [u8; 16],
    /// Of [`jitter`].
    pub jitter_seed: [u8; 16],
}

impl Keys {
    /// Keys of a new box; a text fixes its jitter and nothing else.
    #[must_use]
    pub fn draw(entropy: &[u8; 32], seed: Option<&str>) -> Self {
        Self {
            hash_key: derive(entropy, "hash key"),
            jitter_seed: seed.map_or_else(|| derive(entropy, "jitter seed"), seed_from_text),
        }
    }
}

fn hash128(key: &[u8; 16], first: &[u8], second: &[u8]) -> u128 {
    use sip128::Hasher128;
    use std::hash::Hasher;
    let mut hasher = sip128::SipHasher24::new_with_key(key);
    hasher.write(first);
    hasher.write(second);
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    /// The vectors of the reference implementation hash 0, 1, 2 … under the key 0, 1, 2 … 15.
    /// Fifteen bytes of that are the first field 0x03020100 and these.
    const FIRST: u32 = 0x0302_0100;
    const REST: [u8; 11] = [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];

    /// `vectors.h` of <https://github.com/veorq/SipHash>, `vectors_sip128[15]`.
    #[test]
    fn id_hash_is_siphash_2_4_128() {
        let expected = [
            0x54, 0x93, 0xe9, 0x99, 0x33, 0xb0, 0xa8, 0x11, 0x7e, 0x08, 0xec, 0x0f, 0x97, 0xcf,
            0xc3, 0xd9,
        ];
        assert_eq!(id_hash(&KEY, FIRST, &REST).to_le_bytes(), expected);
    }

    /// Appendix A of the SipHash paper; also `vectors_sip64[15]`.
    #[test]
    fn jitter_is_siphash_2_4() {
        assert_eq!(jitter(&KEY, &REST, FIRST), 0xa129_ca61_49be_45e5);
    }

    /// `test_siphash_1_3` of the Rust standard library, for 0, 1, 2 and 10 bytes.
    #[test]
    fn fingerprint_is_siphash_1_3() {
        for (length, expected) in [
            (0, [0xdc, 0xc4, 0x0f, 0x05, 0x58, 0x01, 0xac, 0xab]),
            (1, [0x93, 0xca, 0x57, 0x7d, 0xf3, 0x9b, 0xf4, 0xc9]),
            (2, [0x4d, 0xd4, 0xc7, 0x4d, 0x02, 0x9b, 0xcb, 0x82]),
            (10, [0x7f, 0x09, 0xff, 0x92, 0xee, 0x85, 0xde, 0x79]),
        ] {
            assert_eq!(
                fingerprint(&KEY, &KEY[..length]).to_le_bytes(),
                expected,
                "{length} bytes"
            );
        }
    }

    #[test]
    fn derive_hashes_salt_and_purpose_under_the_first_half() {
        let mut entropy = [0; 32];
        entropy[..16].copy_from_slice(&KEY);
        entropy[16..].copy_from_slice(&KEY);
        let mut rest = KEY[4..].to_vec();
        rest.extend_from_slice(b"box id");
        assert_eq!(
            derive(&entropy, "box id"),
            id_hash(&KEY, FIRST, &rest).to_le_bytes()
        );
    }

    #[test]
    fn every_input_counts() {
        let hash = id_hash(&KEY, 1, b"a");
        assert!(
            [
                id_hash(&KEY, 2, b"a"),
                id_hash(&KEY, 1, b"b"),
                id_hash(&[0; 16], 1, b"a")
            ]
            .iter()
            .all(|&other| other != hash)
        );
        let drawn = jitter(&KEY, b"a", 1);
        assert!(
            [
                jitter(&KEY, b"a", 2),
                jitter(&KEY, b"b", 1),
                jitter(&[0; 16], b"a", 1)
            ]
            .iter()
            .all(|&other| other != drawn)
        );
        let (mut first, mut second) = ([7; 32], [7; 32]);
        first[0] = 8;
        second[31] = 8;
        let secret = derive(&[7; 32], "box id");
        assert!(
            [
                derive(&first, "box id"),
                derive(&second, "box id"),
                derive(&[7; 32], "hash key")
            ]
            .iter()
            .all(|&other| other != secret)
        );
    }

    #[test]
    fn a_text_fixes_the_jitter_and_nothing_else() {
        let (one, other) = (
            Keys::draw(&[1; 32], Some("tests")),
            Keys::draw(&[2; 32], Some("tests")),
        );
        assert_eq!(one.jitter_seed, other.jitter_seed);
        assert_eq!(one.jitter_seed, seed_from_text("tests"));
        assert_ne!(one.hash_key, other.hash_key);
        assert_ne!(seed_from_text("tests"), seed_from_text("test"));
        let drawn = Keys::draw(&[1; 32], None);
        assert_eq!(drawn.hash_key, one.hash_key);
        assert_ne!(drawn.jitter_seed, drawn.hash_key);
        assert_ne!(drawn.jitter_seed, Keys::draw(&[2; 32], None).jitter_seed);
    }
}
