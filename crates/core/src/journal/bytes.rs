//! Little-endian fields, written to a buffer and read back with every length checked.

/// What a payload lacks, as an error text.
macro_rules! cut_inside {
    ($field:literal) => {
        concat!("the record ends inside its ", $field)
    };
}
pub(super) use cut_inside;

/// Appends a byte string after its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // Longer ones cannot be in a frame, which `FrameBuilder` refuses before this length is read.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Appends a number.
pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a number.
pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a number.
pub(super) fn put_u128(out: &mut Vec<u8>, value: u128) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// The number at `offset`. The caller has checked that it is there.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, offset))
}

/// The number at `offset`. The caller has checked that it is there.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, offset))
}

/// The `N` bytes at `offset`. The caller has checked that they are there.
pub(super) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[offset..offset + N]);
    array
}

/// Takes fields off the front of a payload. Each method is told what to say when bytes are missing.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn array<const N: usize>(&mut self, missing: &'static str) -> Result<[u8; N], &'static str> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(missing)?;
        self.rest = rest;
        Ok(*array)
    }

    pub(super) fn u8(&mut self, missing: &'static str) -> Result<u8, &'static str> {
        self.array::<1>(missing).map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self, missing: &'static str) -> Result<u32, &'static str> {
        self.array(missing).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, missing: &'static str) -> Result<u64, &'static str> {
        self.array(missing).map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self, missing: &'static str) -> Result<u128, &'static str> {
        self.array(missing).map(u128::from_le_bytes)
    }

    /// A byte string after its length.
    pub(super) fn bytes(&mut self, missing: &'static str) -> Result<&'a [u8], &'static str> {
        let length = self.u32(missing)? as usize;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(missing)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// A string after its length.
    pub(super) fn str(
        &mut self,
        missing: &'static str,
        not_utf8: &'static str,
    ) -> Result<&'a str, &'static str> {
        std::str::from_utf8(self.bytes(missing)?).map_err(|_| not_utf8)
    }

    /// A byte of flags of which only those in `known` may be set.
    pub(super) fn flags(&mut self, known: u8) -> Result<u8, &'static str> {
        let flags = self.u8(cut_inside!("flags"))?;
        if flags & !known == 0 {
            Ok(flags)
        } else {
            Err("a flag is set that this format does not have")
        }
    }

    /// Everything that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), &'static str> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err("the record is longer than its fields")
        }
    }
}
