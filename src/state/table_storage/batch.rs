//! Entity group transactions: several writes in one partition, all or none (OData 3.0 batches with
//! one change set).

use serde::Deserialize;
use serde_json::{Map, Value};

use super::url::TableUrl;

/// An entity's properties beside its keys.
pub(super) type Properties = Map<String, Value>;

/// One write of a transaction.
pub(super) struct Write {
    pub(super) row: String,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// Refused (409) if there is one.
    Insert(Properties),
    /// Whatever is there.
    Put(Properties),
    /// Refused (412, or 404 if there is none) unless the entity has this ETag.
    Replace(Properties, String),
    /// Changes what is named and leaves the rest; refused (404) if there is none.
    Merge(Properties),
    /// Whatever is there; what is not there counts as deleted.
    Delete,
    /// Refused (412, or 404 if there is none) unless the entity has this ETag.
    DeleteIf(String),
}

/// The ETag of whatever is there.
const ANY: &str = "*";

impl Write {
    pub(super) fn new(row: impl Into<String>, kind: Kind) -> Self {
        Self {
            row: row.into(),
            kind,
        }
    }
}

/// What a batch that was carried out answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// So many writes are done.
    Done(usize),
    /// None is done.
    Refused(Refusal),
    /// This is no answer to a batch.
    Strange,
}

/// Which write was refused, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    /// The write's place in the batch, if the service says so.
    pub(super) place: Option<usize>,
}

/// An error as the service describes it. The message may repeat what was sent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    #[serde(rename = "odata.error")]
    error: ErrorDetail,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorDetail {
    code: String,
    message: Message,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    value: String,
}

/// The media type of [`body`].
pub(super) fn content_type(name: &str) -> String {
    format!("multipart/mixed; boundary=batch_{name}")
}

/// The body of a request that makes these writes. `name` stands in no value.
pub(super) fn body(table: &TableUrl, partition: &str, writes: &[Write], name: &str) -> String {
    let mut body = format!(
        "--batch_{name}\r\nContent-Type: multipart/mixed; boundary=changeset_{name}\r\n\r\n"
    );
    for Write { row, kind } in writes {
        let (verb, etag, properties) = match kind {
            Kind::Insert(properties) => ("POST", None, Some(properties)),
            Kind::Put(properties) => ("PUT", None, Some(properties)),
            Kind::Replace(properties, etag) => ("PUT", Some(etag.as_str()), Some(properties)),
            Kind::Merge(properties) => ("MERGE", Some(ANY), Some(properties)),
            Kind::Delete => ("DELETE", Some(ANY), None),
            Kind::DeleteIf(etag) => ("DELETE", Some(etag.as_str()), None),
        };
        let url = match kind {
            Kind::Insert(_) => table.table(),
            _ => table.entity(partition, row),
        };
        body += &format!(
            "--changeset_{name}\r\nContent-Type: application/http\r\n\
             Content-Transfer-Encoding: binary\r\n\r\n{verb} {url} HTTP/1.1\r\n\
             Accept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\n"
        );
        if let Some(etag) = etag {
            body += &format!("If-Match: {etag}\r\n");
        }
        if let Kind::Insert(_) = kind {
            body += "Prefer: return-no-content\r\n";
        }
        match properties {
            None => body += "\r\n",
            Some(properties) => {
                let mut entity = properties.clone();
                entity.insert("PartitionKey".to_owned(), partition.into());
                entity.insert("RowKey".to_owned(), row.as_str().into());
                let entity = Value::Object(entity);
                body += &format!("Content-Type: application/json\r\n\r\n{entity}\r\n");
            }
        }
    }
    body + &format!("--changeset_{name}--\r\n--batch_{name}--\r\n")
}

/// What the answer to a batch says. Of a refused one it holds only the refusal.
pub(super) fn outcome(body: &str) -> Outcome {
    let mut done = 0;
    for (at, _) in body.match_indices("HTTP/1.1 ") {
        let rest = &body[at + "HTTP/1.1 ".len()..];
        match rest.get(..3).and_then(|status| status.parse().ok()) {
            Some(200..=299) => done += 1,
            Some(status) => return Outcome::Refused(refusal(status, error_of(rest))),
            None => return Outcome::Strange,
        }
    }
    match done {
        0 => Outcome::Strange,
        _ => Outcome::Done(done),
    }
}

/// The JSON object in a part of an answer.
fn error_of(part: &str) -> &[u8] {
    let whole = part.find('{').zip(part.rfind('}'));
    let object = whole.and_then(|(start, end)| part.get(start..=end));
    object.unwrap_or_default().as_bytes()
}

/// What an error answer says.
pub(super) fn refusal(status: u16, body: &[u8]) -> Refusal {
    let ErrorBody { error } = serde_json::from_slice(body).unwrap_or_default();
    let place = error.message.value.split_once(':');
    Refusal {
        status,
        code: (error.code.chars())
            .filter(char::is_ascii_alphanumeric)
            .take(80)
            .collect(),
        place: place.and_then(|(place, _)| place.parse().ok()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_batch_is_to_the_byte() {
        let table: TableUrl = "https://account.table.core.windows.net/state"
            .parse()
            .unwrap();
        let writes = [
            Write::new(
                "record:A",
                Kind::Replace(properties(json!({ "version": 2 })), "W/\"1\"".into()),
            ),
            Write::new(
                "external-id:x",
                Kind::Insert(properties(json!({ "id": "A" }))),
            ),
            Write::new("email:a@b.c:A", Kind::Put(Properties::new())),
            Write::new("held", Kind::Merge(Properties::new())),
            Write::new("external-id:y", Kind::Delete),
        ];
        let expected = "\
--batch_n
Content-Type: multipart/mixed; boundary=changeset_n

--changeset_n
Content-Type: application/http
Content-Transfer-Encoding: binary

PUT https://account.table.core.windows.net/state(PartitionKey='people',RowKey='record:A') HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
If-Match: W/\"1\"
Content-Type: application/json

{\"PartitionKey\":\"people\",\"RowKey\":\"record:A\",\"version\":2}
--changeset_n
Content-Type: application/http
Content-Transfer-Encoding: binary

POST https://account.table.core.windows.net/state HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
Prefer: return-no-content
Content-Type: application/json

{\"PartitionKey\":\"people\",\"RowKey\":\"external-id:x\",\"id\":\"A\"}
--changeset_n
Content-Type: application/http
Content-Transfer-Encoding: binary

PUT https://account.table.core.windows.net/state(PartitionKey='people',RowKey='email:a@b.c:A') HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
Content-Type: application/json

{\"PartitionKey\":\"people\",\"RowKey\":\"email:a@b.c:A\"}
--changeset_n
Content-Type: application/http
Content-Transfer-Encoding: binary

MERGE https://account.table.core.windows.net/state(PartitionKey='people',RowKey='held') HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
If-Match: *
Content-Type: application/json

{\"PartitionKey\":\"people\",\"RowKey\":\"held\"}
--changeset_n
Content-Type: application/http
Content-Transfer-Encoding: binary

DELETE https://account.table.core.windows.net/state(PartitionKey='people',RowKey='external-id:y') HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
If-Match: *

--changeset_n--
--batch_n--
";
        let body = body(&table, "people", &writes, "n");
        assert_eq!(body, expected.replace('\n', "\r\n"));
        assert_eq!(content_type("n"), "multipart/mixed; boundary=batch_n");
    }

    #[test]
    fn an_answer_says_how_many_writes_are_done_or_which_was_refused() {
        let part = |status: &str, rest: &str| {
            format!(
                "--changesetresponse_1\r\nContent-Type: application/http\r\n\
                 Content-Transfer-Encoding: binary\r\n\r\nHTTP/1.1 {status}\r\n\
                 X-Content-Type-Options: nosniff\r\nDataServiceVersion: 3.0;\r\n{rest}\r\n\r\n"
            )
        };
        let whole = |parts: &[String]| {
            format!(
                "--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_1\
                 \r\n\r\n{}--changesetresponse_1--\r\n--batchresponse_1--\r\n",
                parts.concat()
            )
        };
        let done = || part("204 No Content", "ETag: W/\"datetime'2026-01-01'\"\r\n");
        let error = |status: &str, code: &str, message: &str| {
            let error = json!({ "odata.error": { "code": code, "message": {
                "lang": "en-US",
                "value": message,
            } } });
            let rest = format!("Content-Type: application/json\r\n\r\n{error}");
            whole(&[part(status, &rest)])
        };
        let refused = |status, code: &str, place| {
            Outcome::Refused(Refusal {
                status,
                code: code.to_owned(),
                place,
            })
        };
        for (answer, expected) in [
            (whole(&[done()]), Outcome::Done(1)),
            (whole(&[done(), done(), done()]), Outcome::Done(3)),
            (
                error(
                    "409 Conflict",
                    "EntityAlreadyExists",
                    "12:It exists.\nRequestId:1",
                ),
                refused(409, "EntityAlreadyExists", Some(12)),
            ),
            (
                error(
                    "412 Precondition Failed",
                    "UpdateConditionNotSatisfied",
                    "0:No. HTTP/1.1 204",
                ),
                refused(412, "UpdateConditionNotSatisfied", Some(0)),
            ),
            (
                error("404 Not Found", "TableNotFound", "The table: none."),
                refused(404, "TableNotFound", None),
            ),
            (
                whole(&[part("500 Internal Server Error", "")]),
                refused(500, "", None),
            ),
            (whole(&[]), Outcome::Strange),
            (whole(&[part("abc", "")]), Outcome::Strange),
            ("<html>".to_owned(), Outcome::Strange),
            ("HTTP/1.1 ".to_owned(), Outcome::Strange),
        ] {
            assert_eq!(outcome(&answer), expected, "{answer}");
        }
    }
}
