//! The table: its requests, and what their errors mean (REST, version 2020-12-06).

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{
    Method, RequestBuilder, StatusCode, Url,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde::Deserialize;
use sha2::Sha256;
use time::{OffsetDateTime, format_description::well_known::Rfc2822};
use tokio::time::Instant;

use super::{
    batch::{self, Kind, Outcome, Properties, Refusal, Write},
    url::{EMULATED, TableUrl},
};
use crate::{
    azure_identity::{Audience, Identity, SendError},
    outbound::retry::{self, Answer},
    state::{
        Error, Result,
        records::{pause, random},
    },
};

const API_VERSION: &str = "2020-12-06";

/// The first pause after a transaction that was too much for the service, among those of [`pause`].
const FIRST_PAUSE: u32 = 3;

/// The most entities of one answer.
const PAGE: usize = 1000;

/// The emulator's key, which its documentation publishes: everybody has it.
const PUBLISHED_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// One table.
pub(super) struct Table {
    http: reqwest::Client,
    url: TableUrl,
    caller: Caller,
}

/// Who asks.
enum Caller {
    Identity(Box<Identity>, Audience),
    /// Of the emulator on this machine.
    PublishedKey,
}

/// What came of a transaction.
pub(super) enum Written {
    Done,
    /// Nothing is written: the write at this place met something else than it named.
    Refused(Option<usize>),
}

/// Entities of one partition.
pub(super) struct Query<'a> {
    pub(super) partition: &'a str,
    /// Property, operator and text; all of them hold.
    pub(super) conditions: &'a [(&'a str, &'a str, &'a str)],
    /// The one property that is wanted; `None` for all.
    pub(super) select: Option<&'a str>,
    pub(super) limit: usize,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Properties>,
}

impl Table {
    pub(super) fn new(
        url: TableUrl,
        http: reqwest::Client,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let caller = match url.takes_published_key() {
            true => Caller::PublishedKey,
            false => {
                let identity = Identity::new(http.clone(), lookup);
                Caller::Identity(Box::new(identity), url.audience())
            }
        };
        Self { http, url, caller }
    }

    /// One entity with its ETag, as it is after all writes that were answered before.
    pub(super) async fn get(&self, partition: &str, row: &str) -> Result<Option<Properties>> {
        let request = self.request(Method::GET, self.url.entity(partition, row));
        let answer = self.send(request).await?;
        if answer.status.is_success() {
            return self.read(&answer).map(Some);
        }
        match refusal(&answer) {
            refusal if is_missing_entity(&refusal) => Ok(None),
            refusal => Err(self.error(&refusal)),
        }
    }

    /// The first entities that a query finds, in the order of their row keys.
    pub(super) async fn query(&self, query: &Query<'_>) -> Result<Vec<Properties>> {
        let mut found = Vec::new();
        let mut next = Vec::new();
        loop {
            let left = query.limit.saturating_sub(found.len());
            if left == 0 {
                found.truncate(query.limit);
                return Ok(found);
            }
            let url = query_url(&self.url, query, left.min(PAGE), &next);
            let answer = self.send(self.request(Method::GET, url)).await?;
            if !answer.status.is_success() {
                return Err(self.error(&refusal(&answer)));
            }
            found.extend(self.read::<Page>(&answer)?.value);
            // An answer may hold nothing and go on all the same.
            next = continuation(&answer.headers);
            if next.is_empty() {
                return Ok(found);
            }
        }
    }

    /// Makes all of these writes or none: at most 100, each to another row.
    pub(super) async fn write(&self, partition: &str, mut writes: Vec<Write>) -> Result<Written> {
        let end = Instant::now() + retry::LIMIT;
        let mut busy = 0;
        while !writes.is_empty() {
            let name = random()?;
            let request = self
                .request(Method::POST, self.url.batch())
                .header(CONTENT_TYPE, batch::content_type(&name))
                .body(batch::body(&self.url, partition, &writes, &name));
            let answer = self.send(request).await?;
            if answer.status != StatusCode::ACCEPTED {
                return Err(self.error(&refusal(&answer)));
            }
            let refusal = match batch::outcome(&String::from_utf8_lossy(&answer.body)) {
                Outcome::Done(done) if done == writes.len() => break,
                Outcome::Done(_) | Outcome::Strange => return Err(self.strange()),
                Outcome::Refused(refusal) => refusal,
            };
            // Within the answer, where whoever repeats requests does not see it.
            if matches!(refusal.status, 429 | 500..) && Instant::now() < end {
                pause(FIRST_PAUSE + busy).await;
                busy += 1;
                continue;
            }
            let place = refusal.place.or((writes.len() == 1).then_some(0));
            let refused = place.and_then(|place| writes.get(place));
            if !is_missing_entity(&refusal) {
                return match (refusal.status, refusal.code.as_str()) {
                    (409, "EntityAlreadyExists") | (412, _) => Ok(Written::Refused(place)),
                    _ => Err(self.error(&refusal)),
                };
            }
            // What is not there need not be deleted: once more, without it.
            match (place, refused.map(|write| &write.kind)) {
                (Some(place), Some(Kind::Delete)) => writes.remove(place),
                _ => return Ok(Written::Refused(place)),
            };
        }
        Ok(Written::Done)
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let now = OffsetDateTime::now_utc().format(&Rfc2822);
        let date = now.unwrap_or_default().replace("+0000", "GMT");
        let authorization = match self.caller {
            Caller::Identity(..) => None,
            Caller::PublishedKey => Some(shared_key_lite(&date, url.path())),
        };
        let request = self
            .http
            .request(method, url)
            .header("x-ms-date", date)
            .header("x-ms-version", API_VERSION)
            .header("DataServiceVersion", "3.0")
            .header("MaxDataServiceVersion", "3.0")
            .header(ACCEPT, "application/json;odata=minimalmetadata");
        match authorization {
            None => request,
            Some(authorization) => request.header(AUTHORIZATION, authorization),
        }
    }

    /// Sends a request. A token that was kept may have been revoked: then once more, with a new
    /// one.
    async fn send(&self, request: RequestBuilder) -> Result<Answer> {
        let sent = match &self.caller {
            Caller::PublishedKey => retry::send(request).await.map_err(SendError::from),
            Caller::Identity(identity, audience) => send_as(identity, audience, request).await,
        };
        sent.map_err(|error| self.unavailable(error))
    }

    fn read<T: for<'a> Deserialize<'a>>(&self, answer: &Answer) -> Result<T> {
        serde_json::from_slice(&answer.body).map_err(|_| self.strange())
    }

    fn unavailable(&self, reason: impl std::fmt::Display) -> Error {
        Error::Unavailable(format!("{}: {reason}", self.url))
    }

    fn strange(&self) -> Error {
        self.unavailable("it does not answer as Table Storage does: check the URL")
    }

    fn error(&self, refusal: &Refusal) -> Error {
        let Refusal { status, code, .. } = refusal;
        let said = format!("it answers {status} {code}");
        let text = match (*status, code.as_str()) {
            (404, "TableNotFound" | "ResourceNotFound") => {
                "there is no such table: check the URL, or make the table".to_owned()
            }
            (401, _) => "it takes no token of this identity: the storage account may belong to \
                         another tenant"
                .to_owned(),
            (403, "AuthenticationFailed") => format!("{said}: check this machine's clock"),
            (403, _) => format!(
                "{said}: the identity needs the role Storage Table Data Contributor on the table, \
                 and the account's network rules have to let it in"
            ),
            (413, _)
            | (400, "EntityTooLarge" | "PropertyValueTooLarge" | "RequestBodyTooLarge") => {
                format!("{said}: a record is larger than the table takes")
            }
            _ => said.trim_end().to_owned(),
        };
        match status {
            401 | 403 | 404 => Error::Refused(format!("{}: {text}", self.url)),
            _ => self.unavailable(text),
        }
    }
}

fn refusal(answer: &Answer) -> Refusal {
    batch::refusal(answer.status.as_u16(), &answer.body)
}

async fn send_as(
    identity: &Identity,
    audience: &Audience,
    request: RequestBuilder,
) -> std::result::Result<Answer, SendError> {
    let again = request.try_clone();
    let answer = identity.send(request, audience).await?;
    match again {
        Some(again) if answer.status == StatusCode::UNAUTHORIZED => {
            identity.forget(audience).await;
            identity.send(again, audience).await
        }
        _ => Ok(answer),
    }
}

/// Whether the table is there, and the entity is not.
fn is_missing_entity(refusal: &Refusal) -> bool {
    refusal.status == 404 && ["ResourceNotFound", "EntityNotFound"].contains(&&*refusal.code)
}

/// The parameters with which the next page is asked for; none after the last.
fn continuation(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let value = |header: &str| Some(headers.get(header)?.to_str().ok()?.to_owned());
    let both = [
        (
            "NextPartitionKey",
            value("x-ms-continuation-NextPartitionKey"),
        ),
        ("NextRowKey", value("x-ms-continuation-NextRowKey")),
    ];
    let there = both
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    there.collect()
}

fn query_url(
    table: &TableUrl,
    query: &Query<'_>,
    top: usize,
    next: &[(&'static str, String)],
) -> Url {
    let mut url = table.entities();
    url.query_pairs_mut()
        .append_pair("$filter", &filter(query.partition, query.conditions))
        .extend_pairs(query.select.iter().map(|property| ("$select", property)))
        .append_pair("$top", &top.to_string())
        .extend_pairs(next);
    // A form has + for a space, which is not one in every URL.
    let spaced = url.query().map(|text| text.replace('+', "%20"));
    url.set_query(spaced.as_deref());
    url
}

fn filter(partition: &str, conditions: &[(&str, &str, &str)]) -> String {
    let all = [("PartitionKey", "eq", partition)].into_iter();
    let all = all.chain(conditions.iter().copied());
    let texts = all.map(|(property, operator, text)| {
        format!("{property} {operator} '{}'", text.replace('\'', "''"))
    });
    texts.collect::<Vec<_>>().join(" and ")
}

/// The `Authorization` of a request to the emulator. Its account's name is part of its paths, and
/// so stands here twice.
fn shared_key_lite(date: &str, path: &str) -> String {
    let key = BASE64.decode(PUBLISHED_KEY.as_bytes()).unwrap_or_default();
    let signature = Hmac::<Sha256>::new_from_slice(&key).map(|mut mac| {
        mac.update(string_to_sign(date, path).as_bytes());
        BASE64.encode(&mac.finalize().into_bytes())
    });
    format!("SharedKeyLite {EMULATED}:{}", signature.unwrap_or_default())
}

fn string_to_sign(date: &str, path: &str) -> String {
    format!("{date}\n/{EMULATED}{path}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::outbound;

    fn table() -> TableUrl {
        "https://account.table.core.windows.net/state"
            .parse()
            .unwrap()
    }

    #[test]
    fn a_query_is_to_the_byte() {
        let query = Query {
            partition: "people",
            conditions: &[("RowKey", "gt", "out-of:a:"), ("RowKey", "lt", "it's+&")],
            select: Some("id"),
            limit: 7,
        };
        assert_eq!(
            filter(query.partition, query.conditions),
            "PartitionKey eq 'people' and RowKey gt 'out-of:a:' and RowKey lt 'it''s+&'"
        );
        let next = [
            ("NextPartitionKey", "1!8!x-".to_owned()),
            ("NextRowKey", "1!4!y+".to_owned()),
        ];
        assert_eq!(
            query_url(&table(), &query, 7, &next).as_str(),
            "https://account.table.core.windows.net/state()?%24filter=PartitionKey%20eq%20\
             %27people%27%20and%20RowKey%20gt%20%27out-of%3Aa%3A%27%20and%20RowKey%20lt%20\
             %27it%27%27s%2B%26%27&%24select=id&%24top=7&NextPartitionKey=1%218%21x-\
             &NextRowKey=1%214%21y%2B"
        );
    }

    #[test]
    fn the_last_page_names_no_next_one() {
        let mut headers = HeaderMap::new();
        assert_eq!(continuation(&headers), []);
        headers.insert("x-ms-continuation-nextpartitionkey", "p".parse().unwrap());
        assert_eq!(
            continuation(&headers),
            [("NextPartitionKey", "p".to_owned())]
        );
        headers.insert("x-ms-continuation-nextrowkey", "r".parse().unwrap());
        let both = [
            ("NextPartitionKey", "p".to_owned()),
            ("NextRowKey", "r".to_owned()),
        ];
        assert_eq!(continuation(&headers), both);
    }

    #[test]
    fn the_emulator_s_requests_are_signed() {
        let date = "Mon, 02 Mar 2026 07:08:09 GMT";
        let path = "/devstoreaccount1/state(PartitionKey='people',RowKey='record:A')";
        assert_eq!(
            string_to_sign(date, path),
            "Mon, 02 Mar 2026 07:08:09 GMT\n/devstoreaccount1/devstoreaccount1/state(\
             PartitionKey='people',RowKey='record:A')"
        );
        // Worked out with Python's hmac.
        let expected =
            "SharedKeyLite devstoreaccount1:dyHq8n3Jqfuk6u7+d0SAdWRgV3/wss5CjMoK+bsnYE8=";
        assert_eq!(shared_key_lite(date, path), expected);
    }

    #[test]
    fn every_refusal_says_what_to_do_and_repeats_nothing() {
        let http = outbound::client(None).unwrap();
        let table = Table::new(table(), http, |_| None);
        for (status, code, expected) in [
            (404, "TableNotFound", "make the table"),
            (401, "InvalidAuthenticationInfo", "another tenant"),
            (
                403,
                "AuthorizationPermissionMismatch",
                "Storage Table Data Contributor",
            ),
            (403, "AuthorizationFailure", "network rules"),
            (403, "AuthenticationFailed", "clock"),
            (413, "RequestBodyTooLarge", "larger than"),
            (400, "InvalidInput", "it answers 400 InvalidInput"),
        ] {
            let body = format!(
                r#"{{"odata.error":{{"code":"{code}","message":{{"value":"HUSHHUSH"}}}}}}"#
            );
            let error = table.error(&batch::refusal(status, body.as_bytes()));
            let text = error.to_string();
            assert!(
                text.contains(expected) && !text.contains("HUSHHUSH"),
                "{text}"
            );
        }
    }

    /// Gives tokens, and takes but the second one; the first page is empty.
    async fn stand_in() -> String {
        use axum::{Json, Router, extract::Request, response::IntoResponse, routing::get};
        use serde_json::json;

        let issued = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let token = move || {
            let number = issued.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let token = json!({ "access_token": number.to_string(), "expires_in": 3600 });
            std::future::ready(Json(token))
        };
        let entities = async |request: Request| {
            if request.headers()[AUTHORIZATION] != "Bearer 2" {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let names_page = |query: &str| query.ends_with("&NextRowKey=r");
            if request.uri().query().is_some_and(names_page) {
                return Json(json!({ "value": [{ "id": "A" }] })).into_response();
            }
            let next = [
                ("x-ms-continuation-NextPartitionKey", "p"),
                ("x-ms-continuation-NextRowKey", "r"),
            ];
            (next, Json(json!({ "value": [] }))).into_response()
        };
        let router = Router::new().route("/token", get(token)).fallback(entities);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    #[tokio::test]
    async fn a_token_that_is_refused_is_asked_for_once_more_and_an_empty_page_is_not_the_last() {
        let url = stand_in().await;
        let http = outbound::client(None).unwrap();
        let lookup = |name: &str| match name {
            "IDENTITY_ENDPOINT" => Some(format!("{url}/token")),
            "IDENTITY_HEADER" => Some("x".to_owned()),
            _ => None,
        };
        let at: TableUrl = format!("{url}/{EMULATED}/state").parse().unwrap();
        let identity = Box::new(Identity::new(http.clone(), lookup));
        let table = Table {
            caller: Caller::Identity(identity, at.audience()),
            url: at,
            http,
        };
        let query = Query {
            partition: "people",
            conditions: &[],
            select: None,
            limit: 9,
        };
        let found = table.query(&query).await.unwrap();
        assert_eq!(
            found,
            [Properties::from_iter([("id".to_owned(), "A".into())])]
        );
    }
}
