//! A Group as the bridge serves it. RFC 7643 section 4.2.

use std::collections::HashSet;

use serde_json::Value;

use super::error::Error;
use super::policy::Policy;
use super::schema::SERVED_GROUP;
use super::user::{bounded, identifier, read, text};

/// A group as a provider sent it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// The name; never blank.
    pub display_name: String,
    /// The provider's identifier.
    pub external_id: Option<String>,
    /// Ids of the members, each once; `None` if the body did not speak of members.
    pub members: Option<Vec<String>>,
}

impl Group {
    /// Reads the body of POST or PUT.
    pub fn from_value(body: &Value, policy: &Policy) -> Result<Self, Error> {
        let attributes = read(body, &SERVED_GROUP, policy)?;
        let listed = body
            .as_object()
            .and_then(|body| super::lookup::assigned(body, "members"));
        let members = match (listed, attributes.get("members")) {
            (None, _) => None,
            (Some(_), Some(Value::Array(values))) => Some(members(values)?),
            // An empty list says that there are none.
            (Some(_), _) => Some(Vec::new()),
        };
        Ok(Self {
            display_name: text(&attributes, "displayName").ok_or_else(|| {
                Error::invalid_value("'displayName' is required and must not be empty.")
            })?,
            external_id: bounded(identifier(&attributes), "externalId")?,
            members,
        })
    }
}

/// The ids in a list of members, each once, in order.
pub(super) fn members(values: &[Value]) -> Result<Vec<String>, Error> {
    let mut seen = HashSet::with_capacity(values.len());
    let mut ids = Vec::with_capacity(values.len());
    for value in values {
        let id = member(value)?;
        if seen.insert(id) {
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

/// The id of one member, who must be a person.
pub(super) fn member(value: &Value) -> Result<&str, Error> {
    let id = value
        .get("value")
        .and_then(Value::as_str)
        .filter(|id| !id.trim().is_empty())
        .ok_or_else(|| {
            Error::invalid_value("A member of 'members' has no 'value', the person's id.")
        })?;
    let is_group = value
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("Group"))
        || value
            .get("$ref")
            .and_then(Value::as_str)
            .is_some_and(|place| place.contains("/Groups/"));
    if is_group {
        return Err(Error::invalid_value(format!(
            "Member '{}' is a group: nested groups are not supported. Assign the people in it instead.",
            id.chars().take(80).collect::<String>()
        )));
    }
    Ok(id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::error::ScimType;
    use super::*;

    fn read(body: Value) -> Result<Group, Error> {
        Group::from_value(&body, &Policy::compatible())
    }

    #[test]
    fn entra_creates_a_group() {
        let group = read(json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group",
                        "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
            "externalId": "o-1", "displayName": "Finance", "members": [], "meta": {"resourceType": "Group"}
        }))
        .unwrap();
        assert_eq!(
            group,
            Group {
                display_name: "Finance".to_owned(),
                external_id: Some("o-1".to_owned()),
                members: Some(Vec::new())
            }
        );
    }

    #[test]
    fn members_come_in_many_dialects() {
        for members in [
            json!([{"value": "u1"}, {"$ref": null, "value": "u2", "display": "x"}, {"Value": "u1", "type": "user"}]),
            json!(["u1", "u2"]),
        ] {
            let group = read(json!({"displayName": "F", "Members": members})).unwrap();
            assert_eq!(group.members, Some(vec!["u1".to_owned(), "u2".to_owned()]));
        }
        assert_eq!(read(json!({"displayName": "F"})).unwrap().members, None);
        assert_eq!(
            read(json!({"displayName": "F", "members": null}))
                .unwrap()
                .members,
            None
        );
    }

    #[test]
    fn nested_groups_and_members_without_id_are_refused() {
        for member in [
            json!({"value": "g", "type": "Group"}),
            json!({"value": "g", "$ref": "https://x/Groups/g"}),
            json!({"type": "User"}),
            json!({"value": ""}),
            json!(5),
        ] {
            let error = read(json!({"displayName": "F", "members": [member]})).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
        }
        let nested =
            read(json!({"displayName": "F", "members": [{"value": "g", "type": "Group"}]}));
        assert!(nested.unwrap_err().detail.contains("nested groups"));
    }
}
