//! Headers of segments: what is ours, what is not, and what is too new.

mod journal_support;

use ackbox_core::error::{ErrorCode, Failure};
use ackbox_core::journal::{FORMAT_VERSION, JournalError, SEGMENT_HEADER_BYTES, SegmentHeader};
use journal_support::{Disk, Writer};
use proptest::prelude::*;

fn header() -> SegmentHeader {
    Writer::new().header(5)
}

/// The header's bytes with other ones at `offset`, and a checksum that holds.
fn patched(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut encoded = header().encode();
    encoded[offset..offset + bytes.len()].copy_from_slice(bytes);
    let checksum = crc32fast::hash(&encoded[..124]);
    encoded[124..].copy_from_slice(&checksum.to_le_bytes());
    encoded
}

proptest! {
    #[test]
    fn a_header_comes_back_as_it_was(
        ids in any::<[[u8; 16]; 3]>(),
        numbers in any::<[u64; 5]>(),
        small in any::<[u32; 2]>(),
    ) {
        let header = SegmentHeader {
            box_id: ids[0],
            hash_key: ids[1],
            jitter_seed: ids[2],
            segment: small[0],
            first_frame: numbers[0],
            last_number: numbers[1],
            last_token: numbers[2],
            deaths: numbers[3],
            run: small[1],
            time: numbers[4],
        };
        prop_assert_eq!(header.encode().len(), SEGMENT_HEADER_BYTES as usize);
        prop_assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(SegmentHeader::decode(&bytes).is_err());
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let encoded = header().encode();
    for at in 0..encoded.len() {
        for bit in 0..8 {
            let mut flipped = encoded.clone();
            flipped[at] ^= 1 << bit;
            assert!(
                SegmentHeader::decode(&flipped).is_err(),
                "byte {at}, bit {bit}"
            );
        }
    }
}

#[test]
fn a_damaged_header_names_the_segment_that_it_claims() {
    let mut encoded = header().encode();
    encoded[127] ^= 1;
    let error = SegmentHeader::decode(&encoded).unwrap_err();
    assert!(
        matches!(error, JournalError::Corrupt { segment: 5, .. }),
        "{error}"
    );
}

#[test]
fn every_cut_is_noticed() {
    let encoded = header().encode();
    for length in 0..encoded.len() {
        let error = SegmentHeader::decode(&encoded[..length]).unwrap_err();
        assert!(
            matches!(error, JournalError::Corrupt { offset: 0, .. }),
            "{length}: {error}"
        );
    }
}

#[test]
fn another_magic_number_is_foreign() {
    let text = b"{\"this\":\"is\",\"a\":\"JSON file that somebody put where the segments are\"}";
    for bytes in [
        &text[..],
        b"\x89ACKBOX\r",
        b"x",
        b"\x89PNG\r\n\x1a\n",
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ] {
        let disk = Disk {
            segments: [(3, bytes.to_vec())].into(),
        };
        let error = disk.recover().unwrap_err();
        assert_eq!(error, JournalError::Foreign { segment: 3 }, "{bytes:?}");
        let failure = Failure::from(error);
        assert_eq!(
            (failure.code, failure.segment, failure.offset),
            (ErrorCode::Corrupt, Some(3), Some(0))
        );
        assert!(
            failure.message.contains("segment 3 is no ackbox journal"),
            "{}",
            failure.message
        );
    }
}

#[test]
fn a_newer_version_is_told_apart_whatever_follows_it() {
    let newer = (FORMAT_VERSION + 1).to_le_bytes();
    let mut without_checksum = header().encode();
    without_checksum[8..12].copy_from_slice(&newer);
    for bytes in [
        patched(8, &newer),
        patched(8, &newer)[..12].to_vec(),
        without_checksum,
    ] {
        let disk = Disk {
            segments: [(5, bytes)].into(),
        };
        let error = disk.recover().unwrap_err();
        assert_eq!(
            error,
            JournalError::NewerFormat {
                segment: 5,
                version: 2
            }
        );
        let failure = Failure::from(error);
        assert_eq!(
            (failure.code, failure.segment),
            (ErrorCode::NewerFormat, Some(5))
        );
        assert!(
            failure.message.contains("journal format 2"),
            "{}",
            failure.message
        );
    }
}

#[test]
fn a_version_or_length_that_never_was_is_damage() {
    for (offset, value) in [(8, 0_u32), (12, 127), (12, 256)] {
        let disk = Disk {
            segments: [(5, patched(offset, &value.to_le_bytes()))].into(),
        };
        let error = disk.recover().unwrap_err();
        assert!(
            matches!(error, JournalError::Corrupt { segment: 5, .. }),
            "{error}"
        );
    }
}

/// What is not known to be ours is not removed, not even behind a torn tail.
#[test]
fn a_foreign_or_newer_segment_behind_a_torn_tail_is_an_error() {
    let mut writer = Writer::new();
    writer.begin_segment(4);
    writer.append(&[]);
    writer.disk.segments.get_mut(&4).unwrap().push(1);
    let newer = patched(8, &9_u32.to_le_bytes());
    for (bytes, error) in [
        (
            b"somebody's notes".to_vec(),
            JournalError::Foreign { segment: 5 },
        ),
        (
            newer,
            JournalError::NewerFormat {
                segment: 5,
                version: 9,
            },
        ),
    ] {
        let mut disk = writer.disk.clone();
        disk.segments.insert(5, bytes);
        assert_eq!(disk.recover().unwrap_err(), error);
    }
}
