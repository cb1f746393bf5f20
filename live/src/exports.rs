//! What the page calls. It writes a text where [`room`] says, calls one of the others, and reads
//! the answer, as JSON, at [`answer`].

#![expect(unsafe_code, reason = "a name that the page finds is an unsafe attribute")]

use std::cell::RefCell;

use serde::Serialize;

use crate::Played;
use crate::practise::practise;

thread_local! {
    static ASKED: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
}

// With this, a call of one of the others is only that: the page has called this once. Otherwise the
// linker would have each of them begin and end a program.
// SAFETY: the linker makes this function, which takes nothing and returns nothing.
#[cfg(target_family = "wasm")]
unsafe extern "C" {
    safe fn __wasm_call_ctors();
}

/// What the page calls first.
// SAFETY: no other function of this program has this name.
#[cfg(target_family = "wasm")]
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    __wasm_call_ctors();
}

/// Where the page writes a text of so many bytes.
// SAFETY: no other function of this program has this name.
#[unsafe(no_mangle)]
pub extern "C" fn room(len: usize) -> *mut u8 {
    ASKED.with_borrow_mut(|asked| {
        *asked = vec![0; len];
        asked.as_mut_ptr()
    })
}

/// Plays the scenario that has been written, and returns how long the answer is.
// SAFETY: no other function of this program has this name.
#[unsafe(no_mangle)]
pub extern "C" fn play() -> usize {
    let scenario = ASKED.take();
    match str::from_utf8(&scenario) {
        Ok(scenario) => keep(crate::play(scenario)),
        Err(_) => keep(Err::<Played, _>("this is no text".into())),
    }
}

/// Makes practice number `seed`, and returns how long the answer is.
// SAFETY: no other function of this program has this name.
#[unsafe(no_mangle)]
pub extern "C" fn practice(seed: u32) -> usize {
    keep(Ok(practise(seed.into())))
}

/// Where the answer is.
// SAFETY: no other function of this program has this name.
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> *const u8 {
    ANSWER.with_borrow(|answer| answer.as_ptr())
}

fn keep(result: Result<impl Serialize, String>) -> usize {
    let text = json(result);
    let len = text.len();
    ANSWER.set(text.into_bytes());
    len
}

/// The answer as the page gets it. What has gone wrong is in `error`.
pub fn json(result: Result<impl Serialize, String>) -> String {
    #[derive(Serialize)]
    struct Wrong {
        error: String,
    }
    let text = match result {
        Ok(it) => serde_json::to_string(&it),
        Err(error) => serde_json::to_string(&Wrong { error }),
    };
    text.expect("it has names for keys, and no more")
}
