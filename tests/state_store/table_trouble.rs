//! What goes wrong between the bridge and Table Storage: each write is done once all the same.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::to_bytes,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use scim_bridge::{
    outbound,
    state::{
        Claim, ConfirmationStatus, CreationEnd, CreationKey, Guard, StateStore,
        table_storage::TableStore,
    },
};
use tokio::net::TcpListener;

use crate::{
    azurite,
    contract::{START, after, confirmation, entry, group_known_as, known_as},
    table_storage::name,
};

/// What becomes of a request when it is sent for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It is not looked at.
    Refused,
    /// It is carried out, and the answer is an error.
    Lost,
    /// It has to come back in a second.
    Busy,
    /// It is answered, and none of its writes was made.
    Within,
    /// It is carried out, and there is no answer.
    Silence,
    /// No page has more than two entities.
    SmallPages,
}

#[derive(Clone)]
struct Way {
    to: &'static str,
    client: reqwest::Client,
    trouble: Trouble,
    seen: Arc<Mutex<HashSet<(Method, String, String)>>>,
    /// How many more transactions are refused within their answers.
    refusals: Arc<AtomicUsize>,
}

impl Way {
    /// Whether this is one of the next few that are refused, too.
    fn again(&self) -> bool {
        let more = |left: usize| left.checked_sub(1);
        let left = self.refusals.fetch_update(Relaxed, Relaxed, more);
        left.is_ok()
    }
}

/// A store with trouble on the way to its table.
async fn store(trouble: Trouble) -> Option<(TableStore, Way)> {
    let to = azurite::url()?.trim_end_matches("/devstoreaccount1");
    let table = azurite::table(&name()).await;
    let way = Way {
        to,
        client: outbound::client(None).unwrap(),
        trouble,
        seen: Arc::default(),
        refusals: Arc::new(AtomicUsize::new(20)),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let from = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(forward).with_state(way.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let table = table.replace(to, &from).parse().unwrap();
    let http = outbound::client(None).unwrap();
    Some((TableStore::new(table, http, |_| None), way))
}

async fn forward(State(way): State<Way>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let path = parts.uri.to_string();
    let is_new = {
        let mut seen = way.seen.lock().unwrap();
        // What takes seconds is done to the first write of each kind only.
        let slow = matches!(way.trouble, Trouble::Busy | Trouble::Silence);
        let only_reads = way.trouble == Trouble::Within && parts.method != Method::POST;
        let spared = only_reads || slow && (parts.method != Method::POST || seen.len() == 6);
        !spared && seen.insert((parts.method.clone(), path.clone(), without_name(&body)))
    };
    match way.trouble {
        Trouble::Refused if is_new => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Trouble::Busy if is_new => {
            let wait = [("retry-after", "1")];
            return (StatusCode::SERVICE_UNAVAILABLE, wait).into_response();
        }
        _ => {}
    }
    if way.trouble == Trouble::Within && (is_new || way.again()) {
        let answer = "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
                      Content-Type: application/http\r\n\r\nHTTP/1.1 503 Service Unavailable\r\n\
                      \r\n{\"odata.error\":{\"code\":\"ServerBusy\",\"message\":{\"value\":\"0:x\"}}}\r\n\
                      --b--\r\n--a--\r\n";
        return (StatusCode::ACCEPTED, answer).into_response();
    }
    let path = match way.trouble {
        Trouble::SmallPages => path.replace("top=1000", "top=2"),
        _ => path,
    };
    let mut headers = parts.headers;
    headers.remove("host");
    let onward = way
        .client
        .request(parts.method, format!("{}{path}", way.to))
        .headers(headers)
        .body(body);
    let answer = onward.send().await.unwrap();
    match way.trouble {
        Trouble::Lost if is_new => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Trouble::Silence if is_new => std::future::pending().await,
        _ => {
            let (status, mut headers) = (answer.status(), answer.headers().clone());
            headers.remove("transfer-encoding");
            (status, headers, answer.bytes().await.unwrap()).into_response()
        }
    }
}

/// A body as it is when it is sent again: a transaction then has another name.
fn without_name(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let first = text.lines().next().unwrap_or_default();
    match first.strip_prefix("--batch_") {
        Some(name) => text.replace(name, ""),
        None => text.into_owned(),
    }
}

async fn everything_is_done_once(trouble: Trouble) {
    let Some((store, way)) = store(trouble).await else {
        return;
    };
    tokio::join!(
        people(&store),
        groups(&store),
        confirmations(&store),
        guard(&store),
        claims(&store),
        audit(&store),
    );
    assert!(way.seen.lock().unwrap().len() >= 6);
}

async fn people(store: &TableStore) {
    store.put_person("A", &known_as("x"), 0).await.unwrap();
    store.put_person("A", &known_as("y"), 1).await.unwrap();
    let read = store.person("A").await.unwrap().unwrap();
    assert_eq!((read.value, read.version), (known_as("y"), 2));
    assert_eq!(store.person_by_external_id("x").await, Ok(None));
    let owner = store.person_by_external_id("y").await;
    assert_eq!(owner, Ok(Some("A".to_owned())));
    store.remove_person("A").await.unwrap();
    assert_eq!(store.person("A").await, Ok(None));
}

async fn groups(store: &TableStore) {
    for (id, external_id) in [("a", "x"), ("b", "y"), ("c", "z")] {
        let group = group_known_as(external_id);
        store.put_managed_group(id, &group, 0).await.unwrap();
    }
    let all = ["a", "b", "c"].map(str::to_owned).to_vec();
    assert_eq!(store.managed_groups(0, 9).await, Ok((all, 3)));
    store.remove_managed_group("b").await.unwrap();
    let left = ["a", "c"].map(str::to_owned).to_vec();
    assert_eq!(store.managed_groups(0, 9).await, Ok((left, 2)));
}

async fn confirmations(store: &TableStore) {
    let waiting = confirmation(ConfirmationStatus::waiting());
    let over = confirmation(ConfirmationStatus::Over);
    store.put_confirmation("A", &waiting, 0).await.unwrap();
    let open = store.open_confirmations(None, 9).await.unwrap();
    assert_eq!((open.len(), open[0].1.version), (1, 1));
    store.put_confirmation("A", &over, 1).await.unwrap();
    assert_eq!(store.open_confirmations(None, 9).await, Ok(Vec::new()));
    let read = store.confirmation("A").await.unwrap().unwrap();
    assert_eq!(read.version, 2);
}

async fn guard(store: &TableStore) {
    let guard = Guard::default();
    store.put_guard(&guard, 0).await.unwrap();
    store.put_guard(&guard, 1).await.unwrap();
    assert_eq!(store.guard().await.unwrap().version, 2);
}

async fn claims(store: &TableStore) {
    let key = CreationKey::Group("Finance".to_owned());
    let claim = async |attempt| {
        let claim = store.claim_creation(&key, attempt, START, after(30));
        claim.await.unwrap()
    };
    let ours = |attempt: &str| Claim::Ours(attempt.to_owned());
    assert_eq!(claim("one").await, ours("one"));
    assert_eq!(claim("two").await, Claim::Held);
    let (interrupted, done) = (CreationEnd::Interrupted, CreationEnd::Done);
    store.end_creation(&key, interrupted).await.unwrap();
    assert_eq!(claim("three").await, ours("one"));
    store.end_creation(&key, done).await.unwrap();
    assert_eq!(claim("four").await, ours("four"));
}

async fn audit(store: &TableStore) {
    for seconds in [10, 20, 30] {
        let line = entry(after(seconds), "A");
        store.append_audit(&line, START).await.unwrap();
    }
    let (lines, _) = store.audit(START, None, 1000).await.unwrap();
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn what_is_refused_is_sent_again() {
    everything_is_done_once(Trouble::Refused).await;
}

#[tokio::test]
async fn what_was_done_although_the_answer_was_lost_is_recognised() {
    everything_is_done_once(Trouble::Lost).await;
}

#[tokio::test]
async fn a_transaction_that_was_too_much_is_sent_again() {
    everything_is_done_once(Trouble::Within).await;
}

#[tokio::test]
async fn who_is_asked_to_wait_waits() {
    everything_is_done_once(Trouble::Busy).await;
}

#[tokio::test]
async fn silence_is_not_waited_for_for_ever() {
    everything_is_done_once(Trouble::Silence).await;
}

#[tokio::test]
async fn lists_are_read_page_by_page() {
    everything_is_done_once(Trouble::SmallPages).await;
}
