//! Frames: building, taking back, sealing, and single records read back. [S17]

mod journal_support;

use ackbox_core::journal::{
    FRAME_HEADER_BYTES, FrameBuilder, MAX_FRAME_BYTES, Place, Position, RECORD_HEADER_BYTES,
    Record, Seal, Span, verify,
};
use journal_support::records::{encoded, parts, plain_message};
use journal_support::{BOX_ID, Writer};
use proptest::prelude::*;

fn seal() -> Seal {
    Seal {
        box_id: BOX_ID,
        segment: 1,
        number: 1,
        time: 5,
        stable_to: Position {
            segment: 1,
            offset: 128,
        },
    }
}

proptest! {
    #[test]
    fn a_frame_holds_its_records_where_their_spans_say(parts in proptest::collection::vec(parts(30), 1..8)) {
        let mut builder = FrameBuilder::new();
        let spans: Vec<Span> = parts.iter().map(|parts| builder.push(&parts.record())).collect();
        for (span, parts) in spans.iter().zip(&parts) {
            prop_assert_eq!(builder.payload(*span), encoded(&parts.record()));
        }
        prop_assert_eq!(builder.records() as usize, parts.len());
        let bytes = builder.bytes();
        let frame = builder.seal(&seal());
        prop_assert_eq!(frame.len(), bytes);
        prop_assert_eq!(frame.len() % 8, 0);
        for (span, parts) in spans.iter().zip(&parts) {
            let start = span.offset as usize;
            prop_assert_eq!(start % 8, 0);
            let record = &frame[start..start + (RECORD_HEADER_BYTES + span.length) as usize];
            prop_assert_eq!(verify(record).map(<[u8]>::to_vec), Some(encoded(&parts.record())));
        }
    }

    /// A batch that is taken back leaves no trace, whatever follows it.
    #[test]
    fn records_that_were_taken_back_leave_no_trace(
        kept in proptest::collection::vec(parts(30), 0..4),
        batch in proptest::collection::vec(parts(30), 0..4),
        later in proptest::collection::vec(parts(30), 0..4),
    ) {
        let mut plain = FrameBuilder::new();
        let mut other = FrameBuilder::new();
        for parts in &kept {
            plain.push(&parts.record());
            other.push(&parts.record());
        }
        let mark = other.mark();
        for parts in &batch {
            other.push(&parts.record());
        }
        other.truncate_to(mark);
        prop_assert_eq!(other.is_empty(), kept.is_empty());
        prop_assert_eq!(other.bytes(), plain.bytes());
        for parts in &later {
            prop_assert_eq!(other.push(&parts.record()), plain.push(&parts.record()));
        }
        prop_assert_eq!(other.seal(&seal()), plain.seal(&seal()));
    }

    #[test]
    fn a_record_read_back_with_any_flipped_bit_is_noticed(
        parts in parts(30),
        at in any::<proptest::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let mut builder = FrameBuilder::new();
        let span = builder.push(&parts.record());
        let frame = builder.seal(&seal());
        let start = span.offset as usize;
        let mut record = frame[start..start + (RECORD_HEADER_BYTES + span.length) as usize].to_vec();
        let at = at.index(record.len());
        record[at] ^= 1_u8 << bit;
        prop_assert_eq!(verify(&record), None);
    }

    #[test]
    fn any_bytes_verify_or_do_not(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assert!(verify(&bytes).is_none_or(|payload| payload == &bytes[8..]));
    }
}

#[test]
fn a_builder_is_empty_again_after_a_seal() {
    let mut builder = FrameBuilder::new();
    assert!(builder.is_empty());
    assert_eq!(builder.bytes(), FRAME_HEADER_BYTES as usize);
    let record = Record::Returned { number: 1 };
    builder.push(&record);
    let first = builder.seal(&seal());
    assert!(builder.is_empty());
    assert_eq!(
        (builder.records(), builder.bytes()),
        (0, FRAME_HEADER_BYTES as usize)
    );
    builder.push(&record);
    assert_eq!(builder.seal(&seal()), first);
}

#[test]
fn a_frame_without_records_is_a_frame() {
    let mut writer = Writer::new();
    writer.begin_segment(1);
    writer.append(&[]);
    writer.append(&[Record::Returned { number: 1 }]);
    let frames = writer.frames.clone();
    assert_eq!(frames[0].length, u64::from(FRAME_HEADER_BYTES));
    journal_support::expect_whole(&writer.disk, &frames);
}

#[test]
fn the_frame_of_one_small_record_is_72_bytes() {
    let mut builder = FrameBuilder::new();
    builder.push(&Record::Returned { number: 1 });
    assert_eq!(builder.seal(&seal()).len(), 48 + 8 + 16);
}

#[test]
fn a_span_becomes_a_place() {
    let span = Span {
        offset: 48,
        length: 9,
    };
    assert_eq!(
        span.at(3, 128),
        Place {
            segment: 3,
            offset: 176,
            length: 9
        }
    );
}

#[test]
#[should_panic(expected = "above the limit")]
fn a_frame_that_could_not_be_read_back_is_not_built() {
    let body = vec![0; MAX_FRAME_BYTES as usize];
    FrameBuilder::new().push(&Record::Message(plain_message(1, "id", &body)));
}
