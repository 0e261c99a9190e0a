//! Counts how often something is looked at, so that tests can tell bounded work from a walk.
//!
//! Whatever lies in a [`slab`](crate::slab) (messages, ids, deliveries) counts each time it is looked
//! up; a walk over anything else says so with [`look`]. Counts are kept a thread, and only in builds
//! with debug assertions: in others all of this is nothing.

#[cfg(debug_assertions)]
thread_local! {
    static LOOKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Something was looked at.
#[inline]
pub fn look() {
    #[cfg(debug_assertions)]
    LOOKS.with(|looks| looks.set(looks.get() + 1));
}

/// How often this thread has looked at something so far.
#[cfg(debug_assertions)]
#[must_use]
pub fn looks() -> u64 {
    LOOKS.with(std::cell::Cell::get)
}
