//! An allocator that counts, so that "no length allocates without bound" is something that a run can check.
//!
//! What a target may hold at once is a fixed part (tables of a box, buffers of a storage) and a multiple of what
//! it was given. A single request above [`REQUEST_MAX`] is refused, which ends the process as a lack of memory
//! does: a length that was believed must not take the machine with it.

#![expect(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The largest request that is granted.
pub const REQUEST_MAX: usize = 256 << 20;
/// What any input may hold at once.
const FIXED: usize = 8 << 20;
/// And what each of its bytes may.
const PER_BYTE: usize = 4 << 10;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
#[derive(Debug)]
pub struct Counting;

// SAFETY: every call goes to the system's allocator as it came; beside it only numbers are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > REQUEST_MAX {
            return std::ptr::null_mut();
        }
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller keeps what the trait asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps what the trait asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Does something with so many bytes of input.
///
/// # Panics
/// When it held more memory at once than such an input may. Without the counting allocator it never does.
pub fn bounded(bytes: usize, work: impl FnOnce()) {
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    work();
    let held = PEAK.load(Relaxed).saturating_sub(before);
    let allowed = FIXED + PER_BYTE * bytes;
    assert!(
        held <= allowed,
        "{bytes} bytes of input held {held} bytes of memory, expected at most {allowed}"
    );
}
