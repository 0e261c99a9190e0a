//! Traces of calls against a circuit breaker, and a naive one beside it.

mod reference;
mod trace;

pub(crate) use trace::take;
