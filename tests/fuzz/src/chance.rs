//! Arbitrary bytes as a row of choices. Behind the last byte every choice is the first one.

use arbitrary::Unstructured;

/// Numbers at which something often ends.
const EDGES: [u64; 10] = [
    0,
    1,
    2,
    u32::MAX as u64 - 1,
    u32::MAX as u64,
    1 << 32,
    (1 << 53) - 1,
    1 << 53,
    u64::MAX - 1,
    u64::MAX,
];

/// The choices.
#[derive(Debug)]
pub struct Chance<'a> {
    bytes: Unstructured<'a>,
}

impl<'a> Chance<'a> {
    /// Those of these bytes.
    #[must_use]
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            bytes: Unstructured::new(data),
        }
    }

    /// Whether all bytes are used up.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A number below this one.
    pub fn below(&mut self, end: usize) -> usize {
        self.bytes.int_in_range(0..=end - 1).unwrap_or(0)
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes.arbitrary().unwrap_or(0)
    }

    /// A small number mostly, now and then one at which something ends, seldom any.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            byte @ 0..=239 => u64::from(byte % 16),
            240..=251 => self.pick(&EDGES),
            _ => self.bytes.arbitrary().unwrap_or(0),
        }
    }

    /// So many bytes as are left, at most this many.
    pub fn bytes(&mut self, max: usize) -> &'a [u8] {
        let length = self.below(max + 1).min(self.bytes.len());
        self.bytes.bytes(length).unwrap_or_default()
    }

    /// All that is left.
    #[must_use]
    pub fn rest(self) -> &'a [u8] {
        self.bytes.take_rest()
    }
}
