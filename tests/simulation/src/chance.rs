//! Where a plan takes its choices from: a seed, or bytes that somebody else chose.

use std::ops::{Bound, RangeBounds};

use arbitrary::Unstructured;

/// A row of choices.
#[derive(Debug)]
pub struct Rng(Source);

#[derive(Debug)]
enum Source {
    Seed(fastrand::Rng),
    /// The bytes, and how many are used up.
    Bytes(Vec<u8>, usize),
}

macro_rules! ranges {
    ($($name:ident)+) => {
        $(
            /// A number of this range. Behind the last byte it is the least one.
            pub fn $name(&mut self, range: impl RangeBounds<$name>) -> $name {
                let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
                let (bytes, used) = match &mut self.0 {
                    Source::Seed(rng) => return rng.$name(bounds),
                    Source::Bytes(bytes, used) => (bytes, used),
                };
                let least = match bounds.0 {
                    Bound::Included(least) => least,
                    Bound::Excluded(below) => below + 1,
                    Bound::Unbounded => $name::MIN,
                };
                let most = match bounds.1 {
                    Bound::Included(most) => most,
                    Bound::Excluded(above) => above - 1,
                    Bound::Unbounded => $name::MAX,
                };
                let mut rest = Unstructured::new(&bytes[*used..]);
                let number = rest.int_in_range(least..=most).unwrap_or(least);
                *used = bytes.len() - rest.len();
                number
            }
        )+
    };
}

impl Rng {
    /// All chance from a seed.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self(Source::Seed(fastrand::Rng::with_seed(seed)))
    }

    /// All chance from these bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Source::Bytes(bytes.to_vec(), 0))
    }

    /// Whether the bytes are used up; a seed never is.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        matches!(&self.0, Source::Bytes(bytes, used) if *used == bytes.len())
    }

    /// Yes or no.
    pub fn bool(&mut self) -> bool {
        match &mut self.0 {
            Source::Seed(rng) => rng.bool(),
            Source::Bytes(..) => self.u8(..2) == 1,
        }
    }

    ranges!(u8 u16 u32 u64 usize);
}
