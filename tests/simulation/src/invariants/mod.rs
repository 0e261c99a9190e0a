//! What must hold whenever the engine tells something. The numbers are those of the promises:
//!
//! | | |
//! |---|---|
//! | I1 | what was accepted is acknowledged, dead, or withdrawn in the end; never nothing |
//! | I2 | nothing is delivered that was not sent, and its bytes are equal |
//! | I3 | nothing is delivered after its end was told |
//! | I4 | one lease a message; a stale token has no effect; no token is given twice |
//! | I5 | attempts are never too low, and at most one too high for each crash |
//! | I6 | what is recovered is a prefix of what was asked, with everything in it that was told |
//! | I7 | an id in its window is a duplicate, any other message is accepted |
//! | I8 | a group keeps its order |
//! | I9 | after a failure of the storage, nothing is told to have succeeded |
//! | I10 | behind an open circuit nothing runs but a few probes; who asks to be left alone is |
//! | I11 | nothing is delivered early, nothing is started late, no input panics |
//! | exactly-once | a recorded step is never called again, and its key never changes |

mod deliveries;
mod order;
mod receipts;

use std::fmt;

pub use receipts::Told;

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Breaks off unless something holds.
#[macro_export]
macro_rules! must {
    ($holds:expr, $($what:tt)*) => {
        if !$holds {
            return Err($crate::invariants::Violation(format!($($what)*)).into());
        }
    };
}

type Checked<T = ()> = Result<T, Violation>;
