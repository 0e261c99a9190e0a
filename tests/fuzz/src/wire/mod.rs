//! What comes across the boundary: bytes that may be records or not ([`records`]), and an engine behind flat
//! memory that is told anything that a driver can say, at any moment ([`host`]).

mod host;
mod records;
mod requests;

use crate::chance::Chance;

pub(crate) fn take(data: &[u8]) {
    let mut chance = Chance::new(data);
    if chance.once_in(4) {
        records::take(chance.rest());
    } else {
        host::take(chance);
    }
}
