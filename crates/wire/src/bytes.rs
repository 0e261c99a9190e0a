//! Reading and writing the parts of one record: little-endian numbers in fixed places, tails behind.

/// The bytes up to the next multiple of 8.
#[must_use]
pub(crate) const fn aligned(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

/// How a fixed field is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldKind {
    /// Four bytes, 1 or 0.
    Flag,
    /// Four bytes.
    U32,
    /// Eight bytes.
    F64,
    /// Eight bytes; not-a-number is none.
    Maybe,
}

impl FieldKind {
    /// Bytes in the record.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Flag | Self::U32 => 4,
            Self::F64 | Self::Maybe => 8,
        }
    }
}

/// How a tail is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TailKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Bytes,
}

/// A type that fits a fixed field.
pub(crate) trait Field: Sized {
    const KIND: FieldKind;
    fn write(&self, to: &mut Sink<'_>);
    fn read(from: &mut Source<'_>) -> Self;
}

impl Field for u32 {
    const KIND: FieldKind = FieldKind::U32;
    fn write(&self, to: &mut Sink<'_>) {
        to.put(&self.to_le_bytes());
    }
    fn read(from: &mut Source<'_>) -> Self {
        Self::from_le_bytes(from.array())
    }
}

impl Field for bool {
    const KIND: FieldKind = FieldKind::Flag;
    fn write(&self, to: &mut Sink<'_>) {
        u32::from(*self).write(to);
    }
    fn read(from: &mut Source<'_>) -> Self {
        u32::read(from) != 0
    }
}

impl Field for f64 {
    const KIND: FieldKind = FieldKind::F64;
    fn write(&self, to: &mut Sink<'_>) {
        to.put(&self.to_le_bytes());
    }
    fn read(from: &mut Source<'_>) -> Self {
        Self::from_le_bytes(from.array())
    }
}

impl Field for Option<f64> {
    const KIND: FieldKind = FieldKind::Maybe;
    fn write(&self, to: &mut Sink<'_>) {
        self.unwrap_or(f64::NAN).write(to);
    }
    fn read(from: &mut Source<'_>) -> Self {
        Some(f64::read(from)).filter(|value| !value.is_nan())
    }
}

/// A type that fits a tail.
pub(crate) trait Tail<'a>: Sized {
    const KIND: TailKind;
    fn bytes(&self) -> &[u8];
    fn from_bytes(bytes: &'a [u8]) -> Option<Self>;
}

impl<'a> Tail<'a> for &'a str {
    const KIND: TailKind = TailKind::Text;
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
    fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()
    }
}

impl<'a> Tail<'a> for &'a [u8] {
    const KIND: TailKind = TailKind::Bytes;
    fn bytes(&self) -> &[u8] {
        self
    }
    fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        Some(bytes)
    }
}

/// Writes one record from its start. The caller has made sure that it fits.
pub(crate) struct Sink<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Sink<'a> {
    pub(crate) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// The output area is reused, so padding is written: equal effects are equal bytes.
    pub(crate) fn align(&mut self) {
        let end = aligned(self.at);
        self.out[self.at..end].fill(0);
        self.at = end;
    }
}

/// Reads one record from its start. The caller has made sure that its fixed part is there.
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let start = self.at;
        self.at += N;
        self.bytes[start..self.at]
            .try_into()
            .expect("a slice of N bytes is an array of N bytes")
    }

    pub(crate) fn align(&mut self) {
        self.at = aligned(self.at);
    }

    pub(crate) fn tail(&mut self, length: u32) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length as usize)?;
        let bytes = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }
}
