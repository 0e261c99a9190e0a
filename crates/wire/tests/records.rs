//! Every record keeps what it is given, and no bytes can confuse a decoder.
//!
//! The bytes are made here from the layouts alone, by the plainest possible encoder, so that the
//! generated one is compared with something else than itself.

use ackbox_wire::input::Input;
use ackbox_wire::output::Output;
use ackbox_wire::record::{Layout, Malformed};
use ackbox_wire::{FieldKind, TailKind};
use proptest::collection::vec;
use proptest::prelude::*;

/// Values for the parts of any record; each record takes as many as it has.
#[derive(Clone, Debug)]
struct Values {
    key: f64,
    u32s: Vec<u32>,
    f64s: Vec<f64>,
    texts: Vec<String>,
    bytes: Vec<Vec<u8>>,
}

const PARTS_MAX: usize = 16;

fn values() -> impl Strategy<Value = Values> {
    let number = prop_oneof![0.0..9e15_f64, Just(f64::INFINITY)];
    (
        number.clone(),
        vec(any::<u32>(), PARTS_MAX),
        vec(number, PARTS_MAX),
        vec(any::<String>(), PARTS_MAX),
        vec(vec(any::<u8>(), 0..40), PARTS_MAX),
    )
        .prop_map(|(key, u32s, f64s, texts, bytes)| Values {
            key,
            u32s,
            f64s,
            texts,
            bytes,
        })
}

fn encode(layout: &Layout, values: &Values) -> Vec<u8> {
    let tails: Vec<&[u8]> = (layout.tails.iter().enumerate())
        .map(|(index, tail)| match tail.kind {
            TailKind::Text => values.texts[index].as_bytes(),
            TailKind::Bytes => &values.bytes[index],
        })
        .collect();
    let mut record = vec![0; layout.fixed_bytes()];
    let key = if layout.key.is_some() {
        values.key
    } else {
        0.0
    };
    record[..4].copy_from_slice(&layout.kind.to_le_bytes());
    record[8..16].copy_from_slice(&key.to_le_bytes());
    for (index, field) in layout.fields.iter().enumerate() {
        let value: Vec<u8> = match field.kind {
            FieldKind::Flag => (values.u32s[index] % 2).to_le_bytes().into(),
            FieldKind::U32 => values.u32s[index].to_le_bytes().into(),
            FieldKind::F64 => values.f64s[index].to_le_bytes().into(),
            FieldKind::Maybe if values.u32s[index].is_multiple_of(2) => {
                f64::NAN.to_le_bytes().into()
            }
            FieldKind::Maybe => values.f64s[index].to_le_bytes().into(),
        };
        let at = layout.field_offset(index);
        record[at..at + value.len()].copy_from_slice(&value);
    }
    for (index, tail) in tails.iter().enumerate() {
        let at = layout.length_offset(index);
        record[at..at + 4].copy_from_slice(&(tail.len() as u32).to_le_bytes());
        record.extend_from_slice(tail);
    }
    record.resize(record.len().next_multiple_of(8), 0);
    let size = record.len() as u32;
    record[4..8].copy_from_slice(&size.to_le_bytes());
    record
}

/// Encodes what was decoded into an area full of rubbish, as a reused one is.
macro_rules! again {
    ($direction:ident, $bytes:expr) => {{
        let (record, size) = $direction::decode($bytes).unwrap();
        let mut out = vec![0xAA; record.size()];
        record.encode(&mut out);
        (out, size)
    }};
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_input_record_round_trips(values in values()) {
        for layout in Input::LAYOUTS {
            let bytes = encode(layout, &values);
            prop_assert_eq!(again!(Input, &bytes), (bytes.clone(), bytes.len()), "{}", layout.name);
        }
    }

    #[test]
    fn every_output_record_round_trips(values in values()) {
        for layout in Output::LAYOUTS {
            let bytes = encode(layout, &values);
            prop_assert_eq!(again!(Output, &bytes), (bytes.clone(), bytes.len()), "{}", layout.name);
        }
    }

    #[test]
    fn a_record_that_is_cut_off_is_refused(values in values()) {
        for layout in Input::LAYOUTS {
            let bytes = encode(layout, &values);
            for end in 0..bytes.len() {
                prop_assert_eq!(Input::decode(&bytes[..end]), Err(Malformed::Short), "{}", layout.name);
            }
        }
    }

    #[test]
    fn a_size_that_does_not_fit_the_tails_is_refused(values in values(), longer in 1..4_u32) {
        for layout in Input::LAYOUTS {
            let mut bytes = encode(layout, &values);
            bytes.resize(bytes.len() + 8 * longer as usize, 0);
            let size = bytes.len() as u32;
            bytes[4..8].copy_from_slice(&size.to_le_bytes());
            prop_assert_eq!(Input::decode(&bytes), Err(Malformed::Tails), "{}", layout.name);
        }
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(mut bytes in vec(any::<u8>(), 0..200), kind in 0..50_u32) {
        if let Some(start) = bytes.get_mut(..4) {
            start.copy_from_slice(&kind.to_le_bytes());
        }
        let (_, _) = (Input::decode(&bytes).is_ok(), Output::decode(&bytes).is_ok());
        if bytes.len() >= 8 {
            let size = (bytes.len() & !7) as u32;
            bytes[4..8].copy_from_slice(&size.to_le_bytes());
            let (_, _) = (Input::decode(&bytes).is_ok(), Output::decode(&bytes).is_ok());
        }
    }
}

#[test]
fn a_record_of_the_other_direction_is_refused() {
    for layout in Output::LAYOUTS {
        let mut header = vec![0; 16];
        header[..4].copy_from_slice(&layout.kind.to_le_bytes());
        header[4] = 16;
        assert_eq!(Input::decode(&header), Err(Malformed::Kind(layout.kind)));
    }
}

#[test]
fn kinds_are_told_apart() {
    let mut kinds: Vec<u32> = Input::LAYOUTS
        .iter()
        .chain(Output::LAYOUTS)
        .map(|layout| layout.kind)
        .collect();
    let all = kinds.len();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), all);
}
