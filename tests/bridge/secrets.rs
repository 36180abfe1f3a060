//! Every secret that this test run makes, and the promise that none of them is ever printed.

use std::sync::Mutex;

static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Remembers a secret.
pub fn remember(secret: impl Into<String>) {
    let secret = secret.into();
    assert!(secret.len() >= 16, "too short to be told from other text");
    MADE.lock().unwrap().push(secret);
}

/// Fails if a text that leaves a process, a log or an error, holds one.
#[track_caller]
pub fn assert_none_in(what: &str, text: &str) {
    // A second failure while a test fails would hide the first.
    if std::thread::panicking() {
        return;
    }
    let made = MADE.lock().unwrap().clone();
    for secret in &made {
        assert!(
            !text.contains(secret.as_str()),
            "{what} shows a secret:\n{text}"
        );
    }
}
