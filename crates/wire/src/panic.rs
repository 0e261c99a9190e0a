//! What a panic said. A panic is a bug, and its text is what a report of it needs: a library does
//! not print it on its own, the binding puts it into the error that it throws.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the text of every panic of this module instance, in place of printing it.
pub fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| MESSAGE.set(info.to_string())));
    });
}

/// The text of the last panic of this thread and its place; empty if there was none.
#[must_use]
pub fn message() -> String {
    MESSAGE.with_borrow(Clone::clone)
}
