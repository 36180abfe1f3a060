//! What the harness's servers saw, in order: from it comes what a start spent its time on.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

/// One exchange, between the program under measurement and somebody.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// A path of the account's, or an operation of AWS.
    pub what: String,
    /// When the request came to the harness, and when it went on from there.
    pub came: Instant,
    pub sent_on: Instant,
    /// When the answer came to the harness, and when it went on from there.
    pub answered: Instant,
    pub delivered: Instant,
}

impl Exchange {
    /// One that came just now.
    pub fn begin(what: &str, came: Instant) -> Self {
        Self {
            what: what.to_owned(),
            came,
            sent_on: came,
            answered: came,
            delivered: came,
        }
    }
}

#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<Exchange>>>);

impl Seen {
    /// Writes it down; the answer is its place.
    pub fn begin(&self, exchange: Exchange) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(exchange);
        all.len() - 1
    }

    /// Writes down what else became known of it.
    pub fn update(&self, place: usize, change: impl FnOnce(&mut Exchange)) {
        // What belongs to a start that was taken away is of no use any more.
        if let Some(exchange) = self.0.lock().unwrap().get_mut(place) {
            change(exchange);
        }
    }

    /// Everything so far; the next start begins with nothing.
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
