//! The store of a bridge on AWS, in a table of the stand-in's.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use scim_bridge::{outbound, state::dynamodb::DynamoStore};

use crate::{contract::Stores, moto};

static TABLES: AtomicUsize = AtomicUsize::new(0);

async fn open() -> Option<Stores> {
    let url = moto::url()?;
    let number = TABLES.fetch_add(1, Ordering::Relaxed);
    let arn = moto::table(url, &format!("contract-{number}")).await;
    let lookup = |name: &str| match name {
        "AWS_ENDPOINT_URL" => Some(url.to_owned()),
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("testing".to_owned()),
        _ => None,
    };
    let store = || {
        let http = outbound::client(None).unwrap();
        Arc::new(DynamoStore::new(arn.parse().unwrap(), http, lookup))
    };
    Some(Stores {
        one: store(),
        other: store(),
        place: Box::new(()),
    })
}

promises!(open);
