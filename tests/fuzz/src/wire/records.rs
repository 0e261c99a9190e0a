//! Any bytes are records or an error, in both directions. What was decoded says the same when it is encoded and
//! decoded again.

use ackbox_wire::decode::Messages;
use ackbox_wire::input::Input;
use ackbox_wire::output::Output;
use ackbox_wire::record::Malformed;

pub(super) fn take(data: &[u8]) {
    all::<Input<'_>>(data, Input::decode, |record| {
        let mut bytes = vec![0xAA; record.size()];
        record.encode(&mut bytes);
        let (again, size) = Input::decode(&bytes).expect("what was encoded is a record");
        assert_eq!(size, bytes.len());
        assert_eq!(format!("{again:?}"), format!("{record:?}"));
    });
    all::<Output<'_>>(data, Output::decode, |record| {
        let mut bytes = vec![0xAA; record.size()];
        record.encode(&mut bytes);
        let (again, size) = Output::decode(&bytes).expect("what was encoded is a record");
        assert_eq!(size, bytes.len());
        assert_eq!(format!("{again:?}"), format!("{record:?}"));
    });
    for message in Messages::new(data) {
        if message.is_err() {
            break;
        }
    }
}

/// Every record in a row, until the bytes end or are none.
fn all<'a, R>(
    data: &'a [u8],
    decode: impl Fn(&'a [u8]) -> Result<(R, usize), Malformed>,
    check: impl Fn(&R),
) {
    let mut rest = data;
    while !rest.is_empty() {
        let Ok((record, size)) = decode(rest) else {
            return;
        };
        assert!((8..=rest.len()).contains(&size), "a record of {size} bytes");
        check(&record);
        rest = &rest[size..];
    }
}
