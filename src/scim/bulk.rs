//! Many operations in one request. RFC 7644 section 3.7.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::error::Error;
use super::lookup;
use super::patch::PATCH_OP_URN;
use super::schema::Kind;

/// The schema URN of a bulk request.
pub const BULK_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// The schema URN of its answer.
pub const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// What stands before the name of a resource that another operation creates.
const REFERENCE: &str = "bulkId:";

/// A bulk request whose envelope is in order.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// After how many errors to stop; `None` never.
    pub fail_on_errors: Option<usize>,
    /// The operations, in the order sent.
    pub entries: Vec<Entry>,
}

/// One operation as sent: what of it can be told to the client, and what is to be done, or why it
/// cannot be.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The method, for the answer.
    pub method: String,
    /// The client's name for what it creates.
    pub bulk_id: Option<String>,
    /// What to do.
    pub operation: Result<Operation, Error>,
}

/// What one operation does. References to other operations may still be in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// What to do with the resource.
    pub action: Action,
    /// Which kind of resource it concerns.
    pub kind: Kind,
    /// Only if the resource is this version.
    pub version: Option<String>,
}

/// What is done, to the resource with this id, with this body.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the methods")]
pub enum Action {
    Post(Value),
    Put(String, Value),
    Patch(String, Value),
    Delete(String),
}

impl BulkRequest {
    /// Reads a request of at most `limit` operations.
    ///
    /// # Errors
    /// 400 if the envelope is not that of a bulk request, 413 if there are too many operations. An
    /// operation that makes no sense is no error of the whole.
    pub fn parse(body: &Value, limit: usize) -> Result<Self, Error> {
        let members = body
            .as_object()
            .ok_or_else(|| Error::invalid_syntax("A bulk request must be a JSON object."))?;
        let named = lookup::assigned(members, "schemas")
            .and_then(Value::as_array)
            .is_some_and(|urns| {
                urns.iter()
                    .filter_map(Value::as_str)
                    .any(|urn| urn.eq_ignore_ascii_case(BULK_REQUEST_URN))
            });
        if !named {
            return Err(Error::invalid_syntax(format!(
                "'schemas' must contain {BULK_REQUEST_URN}."
            )));
        }
        let operations = lookup::assigned(members, "Operations")
            .and_then(Value::as_array)
            .ok_or_else(|| Error::invalid_syntax("'Operations' must be a list."))?;
        if operations.len() > limit {
            return Err(Error::too_large(format!(
                "{} operations are more than the {limit} that one bulk request may have: send \
                 several requests",
                operations.len()
            )));
        }
        let fail_on_errors = match lookup::assigned(members, "failOnErrors") {
            None => None,
            Some(count) => Some(
                count
                    .as_u64()
                    .filter(|count| *count > 0)
                    .and_then(|count| usize::try_from(count).ok())
                    .ok_or_else(|| {
                        Error::invalid_value("'failOnErrors' must be a whole number above 0.")
                    })?,
            ),
        };
        let entries: Vec<Entry> = operations.iter().map(Entry::read).collect();
        let mut names = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            if let Some(name) = entry.creates()
                && names.insert(name, index).is_some()
            {
                return Err(Error::invalid_value(format!(
                    "Two operations have the bulkId '{}'.",
                    shown(name)
                )));
            }
        }
        Ok(Self {
            fail_on_errors,
            entries,
        })
    }

    /// The operations in an order in which what is referred to comes first, otherwise as sent.
    /// With those that refer to each other in a circle, or to nothing, goes the reason.
    ///
    /// RFC 7644 section 3.7.1: the reference may stand before what it refers to; 409 for circles.
    pub fn schedule(&self) -> Vec<(usize, Result<(), Error>)> {
        let creators: HashMap<&str, usize> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| Some((entry.creates()?, index)))
            .collect();
        let mut done = vec![false; self.entries.len()];
        let mut order = Vec::with_capacity(self.entries.len());
        let needs: Vec<Result<Vec<usize>, Error>> = self
            .entries
            .iter()
            .map(|entry| {
                let names = entry.references();
                names
                    .iter()
                    .map(|name| {
                        creators.get(name.as_str()).copied().ok_or_else(|| {
                            Error::invalid_value(format!(
                                "No operation creates anything with the bulkId '{}'.",
                                shown(name)
                            ))
                        })
                    })
                    .collect()
            })
            .collect();
        loop {
            let mut moved = false;
            for (index, needs) in needs.iter().enumerate() {
                if done[index] {
                    continue;
                }
                match needs {
                    Ok(needs) if !needs.iter().all(|need| done[*need]) => continue,
                    Ok(_) => order.push((index, Ok(()))),
                    Err(error) => order.push((index, Err(error.clone()))),
                }
                done[index] = true;
                moved = true;
            }
            if !moved {
                break;
            }
        }
        for (index, done) in done.iter().enumerate() {
            if !done {
                order.push((
                    index,
                    Err(Error::conflict(
                        "The operation refers to others in a circle: create one of them first, and \
                         complete it later.",
                    )),
                ));
            }
        }
        order
    }
}

impl Entry {
    fn read(value: &Value) -> Self {
        let text = |name: &str| {
            let members = value.as_object()?;
            Some(lookup::assigned(members, name)?.as_str()?.to_owned())
        };
        let method = text("method").unwrap_or_default().to_ascii_uppercase();
        let bulk_id = text("bulkId");
        let operation = match value.as_object() {
            Some(members) => Operation::read(&method, bulk_id.as_deref(), members),
            None => Err(Error::invalid_syntax("An operation must be a JSON object.")),
        };
        Self {
            method: shown(&method),
            bulk_id,
            operation,
        }
    }

    /// The name under which others may refer to what this creates.
    fn creates(&self) -> Option<&str> {
        let creates =
            matches!(&self.operation, Ok(operation) if matches!(operation.action, Action::Post(_)));
        self.bulk_id.as_deref().filter(|_| creates)
    }

    fn references(&self) -> Vec<String> {
        let mut found = Vec::new();
        if let Ok(operation) = &self.operation {
            let mut operation = operation.clone();
            operation.resolve(&mut |name| {
                found.push(name.to_owned());
                None
            });
        }
        found
    }
}

impl Operation {
    fn read(
        method: &str,
        bulk_id: Option<&str>,
        members: &Map<String, Value>,
    ) -> Result<Self, Error> {
        let path = lookup::assigned(members, "path")
            .and_then(Value::as_str)
            .ok_or_else(|| Error::invalid_syntax("An operation must have a 'path'."))?;
        let (kind, id) = target(path)?;
        let data = || {
            lookup::assigned(members, "data")
                .cloned()
                .ok_or_else(|| Error::invalid_syntax(format!("'data' is required for {method}.")))
        };
        let id = || {
            id.clone().ok_or_else(|| {
                Error::invalid_value(format!("{method} needs the resource's id in its 'path'."))
            })
        };
        let action = match method {
            "POST" if id().is_ok() => {
                return Err(Error::invalid_value(
                    "The 'path' of POST is /Users or /Groups, without an id.",
                ));
            }
            "POST" if bulk_id.is_none_or(str::is_empty) => {
                return Err(Error::invalid_syntax("'bulkId' is required for POST."));
            }
            "POST" => Action::Post(data()?),
            "PUT" => Action::Put(id()?, data()?),
            "PATCH" => Action::Patch(id()?, patch(data()?)),
            "DELETE" => Action::Delete(id()?),
            _ => {
                return Err(Error::invalid_syntax(
                    "'method' is POST, PUT, PATCH or DELETE.",
                ));
            }
        };
        let version = match lookup::assigned(members, "version") {
            None => None,
            Some(Value::String(version)) => Some(version.clone()),
            // Passed over, it would let a change through that was meant for another version.
            Some(_) => return Err(Error::invalid_value("'version' must be a string.")),
        };
        Ok(Self {
            action,
            kind,
            version,
        })
    }

    /// Where the resource is that the operation changes, if it is there already and known by id.
    pub fn location(&self, base_url: &str) -> Option<String> {
        let (Action::Put(id, _) | Action::Patch(id, _) | Action::Delete(id)) = &self.action else {
            return None;
        };
        let endpoint = self.kind.schema().endpoint;
        (!id.starts_with(REFERENCE)).then(|| format!("{base_url}{endpoint}/{id}"))
    }

    /// Puts ids where other operations are referred to: as a whole value or path segment
    /// (`bulkId:x`), or as a quoted value in the path of a PATCH (`members[value eq "bulkId:x"]`).
    pub fn resolve(&mut self, id_of: &mut impl FnMut(&str) -> Option<String>) {
        match &mut self.action {
            Action::Post(data) => resolve_in(data, id_of),
            Action::Put(id, data) | Action::Patch(id, data) => {
                resolve_text(id, id_of);
                resolve_in(data, id_of);
            }
            Action::Delete(id) => resolve_text(id, id_of),
        }
    }
}

/// `/Users`, or `/Users/{id}`.
fn target(path: &str) -> Result<(Kind, Option<String>), Error> {
    let unknown = || {
        Error::invalid_value(format!(
            "'{}' is not a path of a bulk operation: those are /Users, /Users/{{id}}, /Groups and \
             /Groups/{{id}}.",
            shown(path)
        ))
    };
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let endpoint = segments.next().ok_or_else(unknown)?;
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.schema().endpoint.strip_prefix('/') == Some(endpoint))
        .ok_or_else(unknown)?;
    let id = segments.next().map(str::to_owned);
    match segments.next() {
        None => Ok((kind, id)),
        Some(_) => Err(unknown()),
    }
}

/// RFC 7644 section 3.7.3 shows a PATCH whose `data` is the bare list of its operations.
fn patch(data: Value) -> Value {
    match data {
        Value::Array(operations) => json!({"schemas": [PATCH_OP_URN], "Operations": operations}),
        data => data,
    }
}

/// Members whose text may stand for a resource. Anywhere else a text is what it says: somebody may
/// be called `bulkId:x`.
const REFERRING: [&str; 4] = ["value", "$ref", "members", "path"];

fn resolve_in(value: &mut Value, id_of: &mut impl FnMut(&str) -> Option<String>) {
    resolve_below(value, false, id_of);
}

/// `refers` says whether a text here, or in a list here, may stand for a resource.
fn resolve_below(value: &mut Value, refers: bool, id_of: &mut impl FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) if refers => resolve_text(text, id_of),
        Value::Array(values) => {
            for value in values {
                resolve_below(value, refers, id_of);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                let refers = REFERRING
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(name));
                resolve_below(value, refers, id_of);
            }
        }
        _ => {}
    }
}

fn resolve_text(text: &mut String, id_of: &mut impl FnMut(&str) -> Option<String>) {
    if let Some(name) = text.strip_prefix(REFERENCE) {
        if let Some(id) = id_of(name) {
            *text = id;
        }
        return;
    }
    let quoted = format!("\"{REFERENCE}");
    let mut seen = 0;
    while let Some(quote) = text.get(seen..).and_then(|rest| rest.find(&quoted)) {
        let start = seen + quote + 1;
        let length = text.get(start..).and_then(|rest| rest.find('"'));
        let end = length.map_or(text.len(), |length| start + length);
        let name = text.get(start + REFERENCE.len()..end).unwrap_or_default();
        seen = match id_of(name) {
            Some(id) => {
                text.replace_range(start..end, &id);
                start + id.len()
            }
            None => end,
        };
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The status that the same request would have had by itself.
    pub status: u16,
    /// Where the resource is; only a failed POST has none.
    pub location: Option<String>,
    /// Its version afterwards.
    pub version: Option<String>,
    /// What went wrong.
    pub error: Option<Error>,
}

/// The answer, with those operations that were carried out or tried, in the order sent.
pub fn bulk_response<'e>(outcomes: impl Iterator<Item = (&'e Entry, Outcome)>) -> Value {
    let operations: Vec<Value> = outcomes
        .map(|(entry, outcome)| {
            let mut members = Map::new();
            let mut put = |name: &str, value: Option<Value>| {
                members.extend(value.map(|value| (name.to_owned(), value)));
            };
            put("method", Some(entry.method.clone().into()));
            put("bulkId", entry.bulk_id.clone().map(Value::from));
            put("location", outcome.location.map(Value::from));
            put("version", outcome.version.map(Value::from));
            put("status", Some(outcome.status.to_string().into()));
            put("response", outcome.error.map(|error| error.to_json()));
            Value::Object(members)
        })
        .collect();
    json!({"schemas": [BULK_RESPONSE_URN], "Operations": operations})
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn request(operations: Value) -> Result<BulkRequest, Error> {
        let body = json!({"schemas": [BULK_REQUEST_URN], "operations": operations});
        BulkRequest::parse(&body, 5)
    }

    fn post(name: &str, data: Value) -> Value {
        json!({"method": "POST", "path": "/Groups", "bulkId": name, "data": data})
    }

    #[test]
    fn operations_are_read_one_by_one() {
        let read = |value: Value| {
            request(json!([value])).unwrap().entries[0]
                .operation
                .clone()
        };
        let user = json!({"userName": "a"});
        assert_eq!(
            read(json!({"Method": "post", "Path": "/Users", "bulkId": "x", "data": user})).unwrap(),
            Operation {
                action: Action::Post(user),
                kind: Kind::User,
                version: None
            }
        );
        let deleted = read(json!({"method": "DELETE", "path": "/Groups/g", "version": "W/\"1\""}));
        assert_eq!(
            deleted.unwrap(),
            Operation {
                action: Action::Delete("g".to_owned()),
                kind: Kind::Group,
                version: Some("W/\"1\"".to_owned())
            }
        );
        let bare = json!([{"op": "remove", "path": "displayName"}]);
        let patch = read(json!({"method": "PATCH", "path": "Users/u", "data": bare})).unwrap();
        let Action::Patch(id, data) = patch.action else {
            unreachable!("it is a PATCH")
        };
        assert_eq!((id.as_str(), &data["Operations"]), ("u", &bare));
        for wrong in [
            json!(5),
            json!({}),
            json!({"method": "GET", "path": "/Users/x"}),
            json!({"method": "POST", "path": "/Users", "data": {}}),
            json!({"method": "POST", "path": "/Users/x", "bulkId": "x", "data": {}}),
            json!({"method": "POST", "path": "/Cars", "bulkId": "x", "data": {}}),
            json!({"method": "PUT", "path": "/Users", "data": {}}),
            json!({"method": "PUT", "path": "/Users/x"}),
            json!({"method": "DELETE", "path": "/Users/x/y"}),
        ] {
            assert_eq!(read(wrong.clone()).unwrap_err().status, 400, "{wrong}");
        }
    }

    #[test]
    fn the_envelope_is_checked_as_a_whole() {
        assert!(BulkRequest::parse(&json!({"Operations": []}), 5).is_err());
        assert!(BulkRequest::parse(&json!({"schemas": [BULK_REQUEST_URN]}), 5).is_err());
        assert_eq!(request(json!([1, 2, 3, 4, 5, 6])).unwrap_err().status, 413);
        let twice = json!([post("a", json!({})), post("a", json!({}))]);
        assert_eq!(request(twice).unwrap_err().status, 400);
        for (given, read) in [
            (json!(1), Some(Some(1))),
            (json!(null), Some(None)),
            (json!(0), None),
            (json!("1"), None),
        ] {
            let body =
                json!({"schemas": [BULK_REQUEST_URN], "Operations": [], "failOnErrors": given});
            assert_eq!(
                BulkRequest::parse(&body, 5)
                    .ok()
                    .map(|bulk| bulk.fail_on_errors),
                read
            );
        }
    }

    #[test]
    fn what_is_referred_to_comes_first() {
        let member = |name: &str| json!({"members": [{"value": format!("bulkId:{name}")}]});
        let order = |operations: Value| {
            let schedule = request(operations).unwrap().schedule();
            let statuses = schedule.into_iter();
            statuses
                .map(|(index, result)| (index, result.map_or_else(|error| error.status, |()| 200)))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            order(json!([
                post("a", member("c")),
                post("b", json!({})),
                post("c", json!({}))
            ])),
            [(1, 200), (2, 200), (0, 200)]
        );
        assert_eq!(
            order(json!([
                post("a", member("b")),
                post("b", member("a")),
                post("c", member("a")),
                post("d", json!({}))
            ])),
            [(3, 200), (0, 409), (1, 409), (2, 409)]
        );
        assert_eq!(order(json!([post("a", member("a"))])), [(0, 409)]);
        assert_eq!(order(json!([post("a", member("nobody"))])), [(0, 400)]);
        let path = json!({"method": "DELETE", "path": "/Groups/bulkId:a"});
        assert_eq!(
            order(json!([path, post("a", json!({}))])),
            [(1, 200), (0, 200)]
        );
    }

    #[test]
    fn references_become_ids() {
        let mut operation = Operation {
            action: Action::Patch(
                "bulkId:g".to_owned(),
                json!([{"path": "members[value eq \"bulkId:u\"]", "value": ["bulkId:u", "about bulkId:u"]}]),
            ),
            kind: Kind::Group,
            version: None,
        };
        assert_eq!(operation.location("https://b"), None);
        operation.resolve(&mut |name| Some(format!("<{name}>")));
        assert_eq!(
            operation.location("https://b").unwrap(),
            "https://b/Groups/<g>"
        );
        assert_eq!(
            operation.action,
            Action::Patch(
                "<g>".to_owned(),
                json!([{"path": "members[value eq \"<u>\"]", "value": ["<u>", "about bulkId:u"]}])
            )
        );
    }

    #[test]
    fn a_filter_may_refer_to_several() {
        let mut path = r#"members[value eq "bulkId:a" or value eq "bulkId:b"]"#.to_owned();
        resolve_text(&mut path, &mut |name| {
            (name == "b").then(|| format!("<{name}>"))
        });
        assert_eq!(path, r#"members[value eq "bulkId:a" or value eq "<b>"]"#);
        resolve_text(&mut path, &mut |name| Some(format!("<{name}>")));
        assert_eq!(path, r#"members[value eq "<a>" or value eq "<b>"]"#);
    }

    #[test]
    fn a_name_is_no_reference() {
        let named = json!({"displayName": "bulkId:a", "name": {"givenName": "bulkId:b"}});
        let request = request(json!([post("a", named)])).unwrap();
        assert_eq!(request.schedule(), [(0, Ok(()))]);
    }

    #[test]
    fn the_answer_says_what_became_of_each() {
        let entries = request(json!([post("a", json!({}))])).unwrap().entries;
        let failed = Outcome {
            status: 409,
            location: None,
            version: None,
            error: Some(Error::uniqueness("taken")),
        };
        let answer = bulk_response(entries.iter().zip([failed]));
        assert_eq!(
            answer["Operations"][0],
            json!({"method": "POST", "bulkId": "a", "status": "409",
                   "response": Error::uniqueness("taken").to_json()})
        );
    }
}
