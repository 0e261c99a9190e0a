//! Turns panics into errors, and keeps what panicked from ever being used again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ackbox_wire::panic;
use napi::Error;

/// An error whose `code` property is the status.
pub(crate) type CodedError = Error<String>;

/// Something that is dead after its first panic.
pub(crate) enum Guard<T> {
    /// It never panicked.
    Alive(T),
    /// It panicked with this text, or was freed.
    Dead(String),
}

impl<T> Guard<T> {
    /// Runs `use_it`; a panic in it, or in an earlier call, is an `ERR_ENGINE`.
    pub(crate) fn with<R>(&mut self, use_it: impl FnOnce(&mut T) -> R) -> Result<R, CodedError> {
        let inner = match self {
            Self::Alive(inner) => inner,
            Self::Dead(message) => return Err(broken(message)),
        };
        guarded(|| use_it(inner)).map_err(|message| {
            let error = broken(&message);
            *self = Self::Dead(message);
            error
        })
    }

    /// Drops it now. What is dead stays so, with its first reason.
    pub(crate) fn free(&mut self) {
        if let Self::Alive(_) = self {
            *self = Self::Dead("it was freed".to_owned());
        }
    }
}

/// Runs `make`; a panic in it is an `ERR_ENGINE`.
pub(crate) fn making<R>(make: impl FnOnce() -> R) -> Result<R, CodedError> {
    guarded(make).map_err(|message| broken(&message))
}

/// Nothing that a panic leaves half-done is looked at again, which is what makes unwinding safe.
fn guarded<R>(run: impl FnOnce() -> R) -> Result<R, String> {
    panic::record();
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| panic::message())
}

fn broken(message: &str) -> CodedError {
    Error::new("ERR_ENGINE".to_owned(), message)
}
