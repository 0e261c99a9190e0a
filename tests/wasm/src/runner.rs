//! The side of the module: tests by their numbers, and what is told of them.

extern crate test;

use std::panic;

use test::{ShouldPanic, TestDescAndFn, TestFn};

#[link(wasm_import_module = "runner")]
unsafe extern "C" {
    /// A test: its number, its name, and whether it is to be left out or should panic (0: neither, 1, 2).
    safe fn declare(number: usize, name: *const u8, length: usize, kind: u32);
    /// What the test that runs is to say in its panic.
    safe fn expect(number: usize, text: *const u8, length: usize);
    /// Which test is next; beyond the last: no more.
    safe fn next() -> usize;
    /// The test has returned: well, or with an error that was told before.
    safe fn returned(number: usize, is_well: u32);
    /// Of a panic, or an error.
    safe fn say(text: *const u8, length: usize);
}

/// What the compiler calls instead of its own runner.
pub fn run(tests: &[&TestDescAndFn]) {
    panic::set_hook(Box::new(|panic| tell(&panic.to_string())));
    for (number, test) in tests.iter().enumerate() {
        let name = test.desc.name.as_slice();
        let kind = match test.desc.should_panic {
            _ if test.desc.ignore => 1,
            ShouldPanic::No => 0,
            ShouldPanic::Yes | ShouldPanic::YesWithMessage(_) => 2,
        };
        declare(number, name.as_ptr(), name.len(), kind);
        if let ShouldPanic::YesWithMessage(text) = test.desc.should_panic {
            expect(number, text.as_ptr(), text.len());
        }
    }
    loop {
        let number = next();
        let Some(test) = tests.get(number) else {
            return;
        };
        let TestFn::StaticTestFn(function) = test.testfn else {
            unreachable!("the compiler makes no other tests")
        };
        let outcome = function();
        if let Err(error) = &outcome {
            tell(error);
        }
        returned(number, outcome.is_ok().into());
    }
}

fn tell(text: &str) {
    say(text.as_ptr(), text.len());
}

/// Randomness for tests that draw: the same in each run, for a failure is to be seen again.
///
/// # Safety
///
/// `bytes` is writable for `length` bytes, as `getrandom` promises.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    bytes: *mut u8,
    length: usize,
) -> Result<(), getrandom::Error> {
    // SAFETY: see above.
    unsafe { bytes.write_bytes(0x5a, length) };
    Ok(())
}
