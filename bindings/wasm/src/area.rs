//! Memory that JavaScript views.

/// Every record, and so every area, starts on a multiple of this.
const ALIGNMENT: usize = 8;

/// Bytes that start on a multiple of 8 and stay where they are until they grow.
pub(crate) struct Area {
    bytes: Vec<u8>,
    start: usize,
}

impl Area {
    pub(crate) fn new(length: usize) -> Self {
        let bytes = vec![0; length + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT);
        Self { bytes, start }
    }

    pub(crate) fn length(&self) -> usize {
        self.bytes.len() - ALIGNMENT
    }

    /// Makes the area at least this long; what it held comes along.
    pub(crate) fn reserve(&mut self, length: usize) {
        if length > self.length() {
            let mut larger = Self::new(length.next_power_of_two());
            let held = self.length();
            larger.bytes_mut()[..held].copy_from_slice(self.bytes());
            *self = larger;
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.start + self.length()]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let end = self.start + self.length();
        &mut self.bytes[self.start..end]
    }

    /// Its address in the memory of this module, whose addresses have 32 bits.
    pub(crate) fn pointer(&self) -> u32 {
        self.bytes().as_ptr().addr() as u32
    }
}
