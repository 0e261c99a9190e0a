//! Pure calculators: values in, values out, no state of the box.

pub mod backoff;
pub mod breaker;
pub mod budget;
pub mod delay;
pub mod hold;
pub mod line;
mod named_backoff;
pub mod rate;
