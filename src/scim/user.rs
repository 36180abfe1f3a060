//! A User as the bridge serves it. RFC 7643 section 4.1.

use serde_json::{Map, Value};

use super::conform::{Origin, conform};
use super::error::Error;
use super::lookup;
use super::policy::Policy;
use super::schema::{ResourceSchema, SERVED_USER, USER_URN};

/// More addresses than anybody has.
const MAX_EMAILS: usize = 100;

/// The longest identifier, address or language, in bytes.
const MAX_TEXT: usize = 1024;

/// The parts of a name. RFC 7643 section 4.1.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// The whole name, ready to be shown.
    pub formatted: Option<String>,
    /// The family name.
    pub family_name: Option<String>,
    /// The given name.
    pub given_name: Option<String>,
}

impl Name {
    /// Whether no part is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An e-mail address of a user. RFC 7643 section 4.1.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub value: String,
    /// What it is for: `work`, `home`, `other`, or anything else.
    pub type_: Option<String>,
    /// Whether it is the preferred one, if that was said.
    pub primary: Option<bool>,
    /// A name to show for it.
    pub display: Option<String>,
}

/// A user: what a provider sent, unchanged, without what the bridge does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// The name by which the provider knows the person; never blank.
    pub user_name: String,
    /// The provider's identifier.
    pub external_id: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// The parts of the name.
    pub name: Name,
    /// Addresses, in the order in which they were sent.
    pub emails: Vec<Email>,
    /// Whether the person is active, if that was said.
    pub active: Option<bool>,
    /// The language of mails and screens.
    pub preferred_language: Option<String>,
}

impl User {
    /// Reads the body of POST or PUT, or a resource after PATCH.
    ///
    /// RFC 7644 sections 3.3 and 3.5.1: read-only attributes are passed over, and so is everything
    /// that is not served.
    pub fn from_value(body: &Value, policy: &Policy) -> Result<Self, Error> {
        let members = read(body, &SERVED_USER, policy)?;
        let mut user = Self {
            user_name: text(&members, "userName").ok_or_else(|| {
                Error::invalid_value("'userName' is required and must not be empty.")
            })?,
            external_id: bounded(identifier(&members), "externalId")?,
            display_name: text(&members, "displayName"),
            active: members.get("active").and_then(Value::as_bool),
            preferred_language: bounded(text(&members, "preferredLanguage"), "preferredLanguage")?,
            ..Self::default()
        };
        if let Some(Value::Object(parts)) = members.get("name") {
            user.name = Name {
                formatted: text(parts, "formatted"),
                family_name: text(parts, "familyName"),
                given_name: text(parts, "givenName"),
            };
        }
        if let Some(Value::Array(values)) = members.get("emails") {
            if values.len() > MAX_EMAILS {
                return Err(Error::invalid_value(format!(
                    "'emails' has more than {MAX_EMAILS} values."
                )));
            }
            user.emails = values
                .iter()
                .filter_map(Value::as_object)
                .filter_map(email)
                .collect();
            for email in &user.emails {
                bounded(Some(email.value.as_str()), "emails.value")?;
            }
        }
        Ok(user)
    }

    /// The address marked as primary, else the one of type work, else the first.
    pub fn preferred_email(&self) -> Option<&Email> {
        self.emails
            .iter()
            .find(|email| email.primary == Some(true))
            .or_else(|| {
                self.emails.iter().find(|email| {
                    email
                        .type_
                        .as_deref()
                        .is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
                })
            })
            .or_else(|| self.emails.first())
    }

    /// As JSON, each value as it was sent; without `id`, `meta` and `groups`, which are not the
    /// provider's.
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        members.insert("schemas".to_owned(), Value::from(vec![USER_URN]));
        members.insert("userName".to_owned(), Value::from(self.user_name.as_str()));
        put(&mut members, "externalId", self.external_id.as_deref());
        put(&mut members, "displayName", self.display_name.as_deref());
        put(
            &mut members,
            "preferredLanguage",
            self.preferred_language.as_deref(),
        );
        if let Some(active) = self.active {
            members.insert("active".to_owned(), Value::from(active));
        }
        if !self.name.is_empty() {
            let mut parts = Map::new();
            put(&mut parts, "formatted", self.name.formatted.as_deref());
            put(&mut parts, "familyName", self.name.family_name.as_deref());
            put(&mut parts, "givenName", self.name.given_name.as_deref());
            members.insert("name".to_owned(), Value::Object(parts));
        }
        if !self.emails.is_empty() {
            let emails = self.emails.iter().map(Email::to_value).collect();
            members.insert("emails".to_owned(), Value::Array(emails));
        }
        Value::Object(members)
    }
}

impl Email {
    fn to_value(&self) -> Value {
        let mut members = Map::new();
        put(&mut members, "value", Some(&self.value));
        put(&mut members, "type", self.type_.as_deref());
        put(&mut members, "display", self.display.as_deref());
        if let Some(primary) = self.primary {
            members.insert("primary".to_owned(), Value::from(primary));
        }
        Value::Object(members)
    }
}

/// The provider's identifier; an empty one, as templates make of a missing value, is none.
pub(super) fn identifier(members: &Map<String, Value>) -> Option<String> {
    text(members, "externalId").filter(|id| !id.is_empty())
}

/// A short text, or the error that names the attribute.
pub(super) fn bounded<T: AsRef<str>>(text: Option<T>, attribute: &str) -> Result<Option<T>, Error> {
    match text {
        Some(text) if text.as_ref().len() > MAX_TEXT => Err(Error::invalid_value(format!(
            "'{attribute}' is longer than {MAX_TEXT} bytes."
        ))),
        text => Ok(text),
    }
}

/// The served attributes of a body, checked and spelt canonically.
pub(super) fn read(
    body: &Value,
    schema: &'static ResourceSchema,
    policy: &Policy,
) -> Result<Map<String, Value>, Error> {
    let given = body
        .as_object()
        .ok_or_else(|| Error::invalid_syntax("A resource must be a JSON object."))?;
    check_schemas(given, schema, policy)?;
    let mut members = Map::new();
    for attribute in schema.shared.iter().chain(schema.core.attributes) {
        // RFC 7644 section 3.3: read-only attributes in a request are ignored.
        if attribute.is_read_only() || attribute.name == "schemas" {
            continue;
        }
        let Some(value) = lookup::assigned(given, attribute.name) else {
            continue;
        };
        let value = conform(attribute, value, Origin::Body, policy)?;
        if !value.is_null() {
            members.insert(attribute.name.to_owned(), value);
        }
    }
    Ok(members)
}

/// RFC 7643 section 3: `schemas` names the schemas of the resource; the core schema is one of them.
fn check_schemas(
    given: &Map<String, Value>,
    schema: &ResourceSchema,
    policy: &Policy,
) -> Result<(), Error> {
    let named: Vec<&str> = match lookup::assigned(given, "schemas") {
        Some(Value::Array(urns)) => urns.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(urn)) => vec![urn],
        _ => Vec::new(),
    };
    if named.iter().any(|urn| is_version_1(urn)) {
        return Err(Error::invalid_version(
            "SCIM 2.0 only: the request uses a schema of SCIM 1.x. Choose SCIM 2.0 in the provider.",
        ));
    }
    if !policy.absent_schemas
        && !named
            .iter()
            .any(|urn| urn.eq_ignore_ascii_case(schema.core.urn))
    {
        return Err(Error::invalid_syntax(format!(
            "'schemas' must contain {}.",
            schema.core.urn
        )));
    }
    Ok(())
}

fn is_version_1(urn: &str) -> bool {
    urn.get(.."urn:scim:schemas:".len())
        .is_some_and(|head| head.eq_ignore_ascii_case("urn:scim:schemas:"))
}

pub(super) fn text(members: &Map<String, Value>, name: &str) -> Option<String> {
    members.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn put(members: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        members.insert(name.to_owned(), Value::from(value));
    }
}

/// An entry without an address says nothing.
fn email(members: &Map<String, Value>) -> Option<Email> {
    Some(Email {
        value: text(members, "value")?,
        type_: text(members, "type"),
        primary: members.get("primary").and_then(Value::as_bool),
        display: text(members, "display"),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::error::ScimType;
    use super::*;

    fn read(body: Value) -> Result<User, Error> {
        User::from_value(&body, &Policy::compatible())
    }

    #[test]
    fn entra_creates_a_user() {
        let user = read(json!({
            "schemas": [USER_URN, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "externalId": "jdoe", "userName": "jane@ex.com", "active": "True", "addresses": null,
            "displayName": " Jane  Doe ", "emails": [{"type": "work", "value": "jane@ex.com", "primary": "True"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "Jane Doe", "givenName": "Jane", "familyName": "Doe"}, "roles": []
        }))
        .unwrap();
        assert_eq!(user.active, Some(true));
        assert_eq!(user.display_name.as_deref(), Some(" Jane  Doe "));
        assert_eq!(user.emails[0].primary, Some(true));
        assert_eq!(
            User::from_value(&user.to_value(), &Policy::strict()).unwrap(),
            user
        );
    }

    #[test]
    fn member_names_have_no_case() {
        let user = read(json!({"UserName": "a@b", "Emails": [{"VALUE": "a@b", "Primary": true}], "NAME": {"GIVENname": "A"}})).unwrap();
        assert_eq!(user.user_name, "a@b");
        assert_eq!(user.emails[0].primary, Some(true));
        assert_eq!(user.name.given_name.as_deref(), Some("A"));
    }

    #[test]
    fn what_is_not_served_may_be_anything() {
        let user = read(json!({
            "userName": "a@b", "title": 5, "id": null, "groups": [], "password": {"x": 1},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"manager": {"managerId": "1"}},
            "emails": [], "name": {"formatted": null, "other": []}, "meta": "x"
        }))
        .unwrap();
        assert_eq!(
            user,
            User {
                user_name: "a@b".to_owned(),
                ..User::default()
            }
        );
    }

    #[test]
    fn a_user_without_a_name_is_refused() {
        for body in [
            json!({}),
            json!({"userName": ""}),
            json!({"userName": "  "}),
            json!({"userName": null}),
        ] {
            assert_eq!(
                read(body).unwrap_err().scim_type,
                Some(ScimType::InvalidValue)
            );
        }
    }

    #[test]
    fn wrong_types_are_named() {
        for (body, name) in [
            (json!({"userName": 5}), "'userName'"),
            (json!({"userName": "a", "active": "maybe"}), "'active'"),
            (json!({"userName": "a", "name": "Ann"}), "'name'"),
            (
                json!({"userName": "a", "name": {"givenName": ["A"]}}),
                "'givenName'",
            ),
            (
                json!({"userName": "a", "displayName": ["A"]}),
                "'displayName'",
            ),
            (json!({"userName": "a", "emails": [5]}), "'emails'"),
            (
                json!({"userName": "a", "emails": [{"value": "x", "primary": true}, {"value": "y", "primary": true}]}),
                "'emails'",
            ),
        ] {
            let error = read(body).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
            assert!(error.detail.contains(name), "{}", error.detail);
        }
    }

    #[test]
    fn scim_1_is_refused_by_name() {
        let error =
            read(json!({"schemas": ["urn:scim:schemas:core:1.0"], "userName": "a"})).unwrap_err();
        assert_eq!(error.status, 400);
        assert!(error.detail.contains("SCIM 2.0 only"));
    }

    #[test]
    fn strict_reading_wants_schemas_and_booleans() {
        let strict = |body| User::from_value(&body, &Policy::strict());
        assert!(strict(json!({"userName": "a"})).is_err());
        assert!(strict(json!({"schemas": [USER_URN], "userName": "a", "active": "true"})).is_err());
        assert!(
            strict(json!({"schemas": [USER_URN], "userName": "a", "active": true, "x": 1})).is_ok()
        );
    }
}
