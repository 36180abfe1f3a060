//! An account behind the stand-in, and what waits.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use scim_bridge::{
    account::op_cli::{OpAccount, Program, SignIn},
    onepassword::secret_text::SecretText,
};

use crate::op::{EMAIL, PASSWORD, Place, SECRET_KEY};

/// An account in a directory of its own. At its end it asserts that no command saw what it should
/// not.
pub struct World {
    pub dir: tempfile::TempDir,
    pub op: Place,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let op = Place::found(dir.path());
        Self { dir, op }
    }

    pub fn account(&self) -> OpAccount {
        OpAccount::new(sign_in(), Program::new(self.op.program()))
    }

    pub fn calls(&self) -> usize {
        self.op.with(|account| account.calls.len())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let seen = self.op.with(|account| account.violations.clone());
        assert!(seen.is_empty(), "{seen:?}");
    }
}

pub fn sign_in() -> SignIn {
    SignIn {
        address: "test.1password.com".to_owned(),
        email: EMAIL.to_owned(),
        secret_key: SecretText::new(SECRET_KEY.to_owned()),
        password: SecretText::new(PASSWORD.to_owned()),
    }
}

/// Asks until there is an answer; a test that waits 30 seconds has failed.
pub async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "never {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A test that waits.
pub fn trial<T: Future<Output = ()> + 'static>(name: &str, test: fn() -> T) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.block_on(test());
        Ok(())
    })
}
