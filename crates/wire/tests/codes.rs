//! Names on the wire are the names of the objects: one state has one name, however it travels.

use ackbox_core::command::{MessageState, Reason};
use ackbox_core::policy::breaker::State;
use ackbox_wire::codes;

#[test]
fn reasons_have_the_names_that_objects_give_them() {
    for (name, code) in codes::REASONS.entries {
        let reason: Reason = serde_json::from_value((*name).into()).unwrap();
        assert_eq!(reason as u32, *code);
        assert_eq!(codes::reason(*code), Some(reason));
    }
    assert_eq!(codes::reason(0), None);
    assert_eq!(codes::reason(codes::REASONS.entries.len() as u32 + 1), None);
}

#[test]
fn states_have_the_names_that_objects_give_them() {
    for (name, code) in codes::STATES.entries {
        let state: MessageState = serde_json::from_value((*name).into()).unwrap();
        assert_eq!(state as u32, *code);
    }
}

#[test]
fn states_of_circuits_have_the_names_that_objects_give_them() {
    for (name, code) in codes::CIRCUITS.entries {
        let state: State = serde_json::from_value((*name).into()).unwrap();
        assert_eq!(state as u32, *code);
    }
}
