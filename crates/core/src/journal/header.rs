//! The header of a segment.

use super::bytes::{array_at, put_u32, put_u64, u32_at, u64_at};
use super::error::JournalError;

/// A segment's header.
pub const SEGMENT_HEADER_BYTES: u32 = 128;

/// The format that this version writes, and the latest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// First bytes of a segment: not UTF-8, and changed by whatever rewrites line ends.
const MAGIC: [u8; 8] = *b"\x89ACKBOX\n";

const LENGTH: usize = SEGMENT_HEADER_BYTES as usize;
const CHECKSUM: usize = LENGTH - 4;

/// What a segment says of itself and of everything before it, so that older ones can be removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentHeader {
    /// Drawn when the box was created.
    pub box_id: [u8; 16],
    /// Key of the hashes of ids and bodies; drawn when the box was created.
    pub hash_key: [u8; 16],
    /// Seed of all jitter; drawn when the box was created.
    pub jitter_seed: [u8; 16],
    /// Its number.
    pub segment: u32,
    /// Number of its first frame.
    pub first_frame: u64,
    /// Last message number given before it.
    pub last_number: u64,
    /// Last token given before it.
    pub last_token: u64,
    /// Deaths of messages counted before it.
    pub deaths: u64,
    /// The run that began it.
    pub run: u32,
    /// When it was begun, in ms.
    pub time: u64,
}

/// What a segment begins with.
pub(super) enum Beginning {
    /// An intact header.
    Sound(SegmentHeader),
    /// A header that was not written whole, or is damaged: how.
    Torn(&'static str),
}

impl SegmentHeader {
    /// Its [`SEGMENT_HEADER_BYTES`] bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(LENGTH);
        out.extend_from_slice(&MAGIC);
        put_u32(&mut out, FORMAT_VERSION);
        put_u32(&mut out, SEGMENT_HEADER_BYTES);
        out.extend_from_slice(&self.box_id);
        out.extend_from_slice(&self.hash_key);
        out.extend_from_slice(&self.jitter_seed);
        put_u32(&mut out, self.segment);
        put_u32(&mut out, 0);
        put_u64(&mut out, self.first_frame);
        put_u64(&mut out, self.last_number);
        put_u64(&mut out, self.last_token);
        put_u64(&mut out, self.deaths);
        put_u32(&mut out, self.run);
        put_u32(&mut out, 0);
        put_u64(&mut out, self.time);
        out.resize(CHECKSUM, 0);
        let checksum = crc32fast::hash(&out);
        put_u32(&mut out, checksum);
        out
    }

    /// Reads the header that begins `bytes`.
    ///
    /// # Errors
    /// [`JournalError::Foreign`] or [`JournalError::NewerFormat`] by the magic number and version,
    /// [`JournalError::Corrupt`] when it is too short or its checksum does not hold. All name the
    /// segment that the header claims, 0 if it is too short for that.
    pub fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let segment = if bytes.len() < LENGTH {
            0
        } else {
            u32_at(bytes, 64)
        };
        match begin(bytes, segment)? {
            Beginning::Sound(header) => Ok(header),
            Beginning::Torn(what) => Err(JournalError::Corrupt {
                segment,
                offset: 0,
                what,
            }),
        }
    }

    fn read(bytes: &[u8]) -> Self {
        Self {
            box_id: array_at(bytes, 16),
            hash_key: array_at(bytes, 32),
            jitter_seed: array_at(bytes, 48),
            segment: u32_at(bytes, 64),
            first_frame: u64_at(bytes, 72),
            last_number: u64_at(bytes, 80),
            last_token: u64_at(bytes, 88),
            deaths: u64_at(bytes, 96),
            run: u32_at(bytes, 104),
            time: u64_at(bytes, 112),
        }
    }
}

/// Tells what `bytes`, the beginning of a segment and all of it if it is shorter than a header, are.
///
/// A file system may show a file whose bytes never reached the disk as zeros, so zeros count as a
/// header that was not written, and any other wrong magic number as somebody else's file.
pub(super) fn begin(bytes: &[u8], segment: u32) -> Result<Beginning, JournalError> {
    let bytes = &bytes[..bytes.len().min(LENGTH)];
    if bytes.iter().all(|&byte| byte == 0) {
        return Ok(Beginning::Torn("the segment has no header"));
    }
    let magic = bytes.len().min(MAGIC.len());
    if bytes[..magic] != MAGIC[..magic] {
        return Err(JournalError::Foreign { segment });
    }
    // A later format may have another header, but never another place for its version.
    if bytes.len() >= 12 && u32_at(bytes, 8) > FORMAT_VERSION {
        return Err(JournalError::NewerFormat {
            segment,
            version: u32_at(bytes, 8),
        });
    }
    if bytes.len() < LENGTH {
        return Ok(Beginning::Torn("the segment ends inside its header"));
    }
    if crc32fast::hash(&bytes[..CHECKSUM]) != u32_at(bytes, CHECKSUM) {
        return Ok(Beginning::Torn(
            "the checksum of the segment's header does not hold",
        ));
    }
    if u32_at(bytes, 8) != FORMAT_VERSION || u32_at(bytes, 12) != SEGMENT_HEADER_BYTES {
        return Err(JournalError::Corrupt {
            segment,
            offset: 8,
            what: "the segment's header has a version or length that no format has",
        });
    }
    Ok(Beginning::Sound(SegmentHeader::read(bytes)))
}
