//! What an identity provider asks, in the shares in which it does.

use std::fmt;

use hyper::Method;
use serde_json::{Value, json};

use crate::client::Call;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A request of the provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Filter,
    Get,
    Create,
    Rename,
    Activate,
    Regroup,
}

impl Kind {
    /// All of them, with how many of a hundred requests they are.
    pub const MIX: [(Self, usize); 6] = [
        (Self::Filter, 60),
        (Self::Get, 15),
        (Self::Create, 10),
        (Self::Rename, 5),
        (Self::Activate, 5),
        (Self::Regroup, 5),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filter => "`GET /Users?filter=userName eq`",
            Self::Get => "`GET /Users/{id}`",
            Self::Create => "`POST /Users`",
            Self::Rename => "`PATCH /Users/{id}`, name",
            Self::Activate => "`PATCH /Users/{id}`, active",
            Self::Regroup => "`PATCH /Groups/{id}`, one member",
        })
    }
}

/// The address of a person of the seed.
pub fn address(person: usize) -> String {
    format!("person-{person}@example.com")
}

/// `GET /Users` or `GET /Groups` with this query.
pub fn list(base: &str, what: &str, query: &[(&str, &str)]) -> Call {
    let encode = |text: &str| text.replace(' ', "%20").replace('"', "%22");
    let query: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    get(format!("{base}/{what}?{}", query.join("&")))
}

/// The filter that finds one person.
pub fn filter(base: &str, address: &str) -> Call {
    let filter = format!("userName eq \"{address}\"");
    list(base, "Users", &[("filter", &filter)])
}

pub fn get(path: String) -> Call {
    Call {
        method: Method::GET,
        path,
        body: None,
    }
}

/// `POST /Users`
pub fn create(base: &str, address: &str) -> Call {
    let name = address.split('@').next().unwrap_or_default();
    let body = json!({
        "schemas": [USER],
        "externalId": name,
        "userName": address,
        "active": true,
        "displayName": format!("Given {name}"),
        "name": {"formatted": format!("Given {name}"), "givenName": "Given", "familyName": name},
        "emails": [{"primary": true, "type": "work", "value": address}],
    });
    with_body(Method::POST, format!("{base}/Users"), &body)
}

/// `POST /Groups`
pub fn create_group(base: &str, name: &str) -> Call {
    let body = json!({"schemas": [GROUP], "displayName": name});
    with_body(Method::POST, format!("{base}/Groups"), &body)
}

/// `PATCH /Users/{id}` with another name.
pub fn rename(base: &str, id: &str, name: &str) -> Call {
    let operations = json!([
        {"op": "Replace", "path": "displayName", "value": format!("Given {name}")},
        {"op": "Replace", "path": "name.familyName", "value": name},
    ]);
    patch(format!("{base}/Users/{id}"), &operations)
}

/// `PATCH /Users/{id}` with the state.
pub fn activate(base: &str, id: &str, active: bool) -> Call {
    let operations = json!([{"op": "Replace", "path": "active", "value": active}]);
    patch(format!("{base}/Users/{id}"), &operations)
}

/// `PATCH /Groups/{id}` with people who come in.
pub fn add(base: &str, group: &str, people: &[String]) -> Call {
    let people: Vec<_> = people.iter().map(|id| json!({"value": id})).collect();
    let operations = json!([{"op": "Add", "path": "members", "value": people}]);
    patch(format!("{base}/Groups/{group}"), &operations)
}

/// `PATCH /Groups/{id}` with somebody who leaves.
pub fn remove(base: &str, group: &str, person: &str) -> Call {
    let path = format!("members[value eq \"{person}\"]");
    let operations = json!([{"op": "Remove", "path": path}]);
    patch(format!("{base}/Groups/{group}"), &operations)
}

fn patch(path: String, operations: &Value) -> Call {
    let body = json!({"schemas": [PATCH], "Operations": operations});
    with_body(Method::PATCH, path, &body)
}

fn with_body(method: Method, path: String, body: &Value) -> Call {
    Call {
        method,
        path,
        body: Some(body.to_string()),
    }
}
