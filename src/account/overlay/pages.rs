//! Lists of the account with rows of our own behind them.

use std::ops::Range;

use futures_util::future::BoxFuture;

use crate::account::{Listing, MAX_BATCH, Page, Result, Start};

/// What the keys of our own rows begin with; no connector's keys do.
const OWN: &str = "overlay:";

/// A page of the account's rows, and which of our own follow in it.
pub(super) struct Merged<T> {
    pub(super) items: Vec<T>,
    pub(super) own: Range<usize>,
    total: u64,
    next: Option<String>,
}

impl<T> Merged<T> {
    /// The page, with its own rows.
    pub(super) fn with(self, own: Vec<T>) -> Listing<T> {
        let mut items = self.items;
        items.extend(own);
        Listing {
            items,
            total: self.total,
            next: self.next,
        }
    }
}

/// A list of the account from which some rows are gone, and behind which others stand.
pub(super) struct Merge<'a, R, K> {
    /// Reads a page of the account's list.
    pub(super) read: R,
    /// What shows of one of its rows.
    pub(super) shown: K,
    /// How many of its rows do not show.
    pub(super) gone: u64,
    /// The numbers of the rows behind it, in order, from 1.
    pub(super) own: &'a [u64],
}

impl<'r, R, K> Merge<'_, R, K> {
    /// Finds a page. It costs what it costs without us, unless rows are gone: to find a place by
    /// its offset then takes the list before it, and a last page may lead to an empty one.
    pub(super) async fn page<T>(&self, page: &Page) -> Result<Merged<T>>
    where
        T: 'r,
        R: Fn(Page) -> BoxFuture<'r, Result<Listing<T>>>,
        K: Fn(T) -> Option<T>,
    {
        let mut start = page.start.clone();
        let mut last_own = None;
        match &page.start {
            Start::After(key) => {
                let number = |text: &str| text.parse().unwrap_or(u64::MAX);
                last_own = key.strip_prefix(OWN).map(number);
            }
            Start::Offset(offset) if self.gone > 0 => {
                start = Start::Offset(self.place(*offset).await?);
            }
            Start::Offset(_) => {}
        }
        if let Some(number) = last_own {
            let listing = (self.read)(Page::first(0)).await?;
            let first = self.own.partition_point(|known| *known <= number);
            return Ok(self.behind(Vec::new(), first, listing.total, page.limit));
        }
        let mut items = Vec::new();
        let mut limit = page.limit;
        loop {
            let listing = (self.read)(Page { start, limit }).await?;
            items.extend(listing.items.into_iter().filter_map(&self.shown));
            limit = page.limit - items.len();
            match listing.next {
                None => {
                    let first = match page.start {
                        Start::Offset(offset) => {
                            offset.saturating_sub(listing.total - self.gone.min(listing.total))
                        }
                        Start::After(_) => 0,
                    };
                    let first = usize::try_from(first).unwrap_or(usize::MAX);
                    return Ok(self.behind(items, first, listing.total, page.limit));
                }
                Some(key) if limit > 0 => start = Start::After(key),
                next => {
                    return Ok(Merged {
                        items,
                        own: 0..0,
                        total: self.total(listing.total),
                        next,
                    });
                }
            }
        }
    }

    /// How many of the account's rows come before the one with so many before it that show.
    async fn place<T>(&self, offset: u64) -> Result<u64>
    where
        T: 'r,
        R: Fn(Page) -> BoxFuture<'r, Result<Listing<T>>>,
        K: Fn(T) -> Option<T>,
    {
        let (mut place, mut left) = (0, offset);
        let mut page = Page::first(MAX_BATCH);
        loop {
            let listing = (self.read)(page).await?;
            for row in listing.items {
                if left == 0 {
                    return Ok(place);
                }
                place += 1;
                left -= u64::from((self.shown)(row).is_some());
            }
            let Some(key) = listing.next.filter(|_| left > 0) else {
                return Ok(place);
            };
            page = Page {
                start: Start::After(key),
                limit: MAX_BATCH,
            };
        }
    }

    /// The end of the account's rows, and ours from the one at `first` on.
    fn behind<T>(&self, items: Vec<T>, first: usize, beneath: u64, limit: usize) -> Merged<T> {
        let first = first.min(self.own.len());
        let end = first
            .saturating_add(limit - items.len())
            .min(self.own.len());
        let more = limit > 0 && end < self.own.len();
        let last = end.checked_sub(1).map_or(0, |last| self.own[last]);
        Merged {
            items,
            own: first..end,
            total: self.total(beneath),
            next: more.then(|| format!("{OWN}{last}")),
        }
    }

    fn total(&self, beneath: u64) -> u64 {
        beneath.saturating_sub(self.gone) + self.own.len() as u64
    }
}
