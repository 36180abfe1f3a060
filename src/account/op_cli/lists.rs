//! What was listed for one request: its parts ask for the same list from several sides, and each
//! answer takes a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use zeroize::Zeroizing;

use super::{child::Order, session::Connection};
use crate::account::Result;

/// What `op` printed, or is about to print.
type Answer = Shared<BoxFuture<'static, Result<Arc<Zeroizing<String>>>>>;

/// The answers by the arguments that they were asked for with.
#[derive(Default)]
pub(super) struct Lists(Mutex<HashMap<Vec<String>, Answer>>);

impl Lists {
    /// Runs a command, or gives again what it gave before. Whatever changes something ends what is
    /// known.
    pub(super) async fn run(
        &self,
        order: Order,
        connection: &Connection,
    ) -> Result<Arc<Zeroizing<String>>> {
        if order.is_for_a_list() {
            let answer = {
                let mut known = self.lock();
                let known = known.entry(order.arguments());
                let connection = connection.clone();
                let ask = || async move { connection.run(order).await }.boxed().shared();
                known.or_insert_with(ask).clone()
            };
            return answer.await;
        }
        // Also if nobody waits for the end.
        let _end = (!order.only_looks()).then_some(Forgetting(self));
        connection.run(order).await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<String>, Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets everything when it is dropped.
struct Forgetting<'a>(&'a Lists);

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        self.0.lock().clear();
    }
}
