//! Which attributes an answer carries. RFC 7644 section 3.9.

use serde_json::{Map, Value};

use super::path::{AttributePath, Path};
use super::policy::Policy;
use super::schema::{Attribute, ResourceSchema, Returned, Schema};

/// The choice of attributes that a client made with `attributes` and `excludedAttributes`.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    schema: &'static ResourceSchema,
    /// `None` if the client did not say which it wants.
    wanted: Option<Vec<Choice>>,
    unwanted: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq)]
enum Choice {
    Attribute(AttributePath),
    Extension(&'static Schema),
}

impl Projection {
    /// The choice; names that are not known are passed over, as RFC 7644 section 3.9 has no error
    /// for them.
    pub fn new(
        attributes: &[String],
        excluded_attributes: &[String],
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Self {
        let choices = |names: &[String]| {
            names
                .iter()
                .filter_map(|name| match Path::parse(name, schema, policy) {
                    Ok(Path::Attribute(path)) => Some(Choice::Attribute(path)),
                    Ok(Path::Extension(extension)) => Some(Choice::Extension(extension)),
                    Ok(Path::Values { .. }) | Err(_) => None,
                })
                .collect::<Vec<_>>()
        };
        Self {
            schema,
            wanted: (!attributes.is_empty()).then(|| choices(attributes)),
            unwanted: choices(excluded_attributes),
        }
    }

    /// Everything that is returned by default.
    pub fn everything(schema: &'static ResourceSchema) -> Self {
        Self {
            schema,
            wanted: None,
            unwanted: Vec::new(),
        }
    }

    /// Whether the answer carries the core attribute called `name`: what nobody wants need not be
    /// fetched.
    pub fn wants(&self, name: &str) -> bool {
        self.schema
            .attribute(name)
            .is_some_and(|attribute| self.keeps(None, attribute))
    }

    /// Whether the client named attributes that it wants.
    pub fn is_explicit(&self) -> bool {
        self.wanted.is_some()
    }

    /// Takes out of a whole resource what the answer does not carry.
    pub fn apply(&self, resource: &mut Value) {
        let Some(members) = resource.as_object_mut() else {
            return;
        };
        for extension in self.schema.extensions.iter().copied() {
            if let Some(Value::Object(parts)) = members.get_mut(extension.urn) {
                self.trim(Some(extension), parts);
                if parts.is_empty() {
                    members.remove(extension.urn);
                }
            }
        }
        let mut extensions = Map::new();
        for extension in self.schema.extensions {
            if let Some((urn, value)) = members.remove_entry(extension.urn) {
                extensions.insert(urn, value);
            }
        }
        self.trim(None, members);
        members.append(&mut extensions);
    }

    fn trim(&self, extension: Option<&'static Schema>, members: &mut Map<String, Value>) {
        members.retain(|name, value| {
            let attribute = match extension {
                Some(extension) => extension.attribute(name),
                None => self.schema.attribute(name),
            };
            let Some(attribute) = attribute else {
                return false;
            };
            if !self.keeps(extension, attribute) {
                return false;
            }
            self.trim_parts(extension, attribute, value);
            true
        });
    }

    fn trim_parts(
        &self,
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        value: &mut Value,
    ) {
        match value {
            Value::Array(values) => {
                for value in values {
                    self.trim_parts(extension, attribute, value);
                }
            }
            Value::Object(parts) => parts.retain(|name, _| {
                attribute
                    .sub_attribute(name)
                    .is_some_and(|part| self.keeps_part(extension, attribute, part))
            }),
            _ => {}
        }
    }

    /// RFC 7643 section 7, `returned`; RFC 7644 section 3.9.
    fn keeps(&self, extension: Option<&'static Schema>, attribute: &'static Attribute) -> bool {
        let named = |choices: &[Choice]| choices.iter().any(|c| c.names(extension, attribute));
        let excluded =
            |choices: &[Choice]| choices.iter().any(|c| c.covers(extension, attribute, None));
        match (attribute.returned, &self.wanted) {
            (Returned::Always, _) => true,
            (Returned::Never, _) => false,
            (_, Some(wanted)) => named(wanted) && !excluded(&self.unwanted),
            (Returned::Default, None) => !excluded(&self.unwanted),
            (Returned::Request, None) => false,
        }
    }

    fn keeps_part(
        &self,
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        part: &'static Attribute,
    ) -> bool {
        let covered = |choices: &[Choice]| {
            choices
                .iter()
                .any(|c| c.covers(extension, attribute, Some(part)))
        };
        match (part.returned, &self.wanted) {
            (Returned::Always, _) => true,
            (Returned::Never, _) => false,
            (_, Some(wanted)) if attribute.returned != Returned::Always => {
                covered(wanted) && !covered(&self.unwanted)
            }
            (Returned::Default, _) => !covered(&self.unwanted),
            (Returned::Request, _) => false,
        }
    }
}

impl Choice {
    /// Whether the attribute or a part of it is chosen.
    fn names(&self, extension: Option<&'static Schema>, attribute: &'static Attribute) -> bool {
        match self {
            Self::Extension(chosen) => extension.is_some_and(|schema| schema.urn == chosen.urn),
            Self::Attribute(path) => {
                path.extension().map(|schema| schema.urn) == extension.map(|schema| schema.urn)
                    && path.attribute().name == attribute.name
            }
        }
    }

    /// Whether the whole attribute, or this part of it, is chosen.
    fn covers(
        &self,
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        part: Option<&'static Attribute>,
    ) -> bool {
        self.names(extension, attribute)
            && match self {
                Self::Extension(_) => true,
                Self::Attribute(path) => path
                    .sub_attribute()
                    .is_none_or(|chosen| part.is_some_and(|part| part.name == chosen.name)),
            }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::{ENTERPRISE_URN, GROUP, USER, USER_URN};
    use super::*;

    fn user() -> Value {
        json!({"schemas": [USER_URN], "id": "u1", "userName": "a", "password": "x",
               "name": {"givenName": "A", "familyName": "B"},
               "emails": [{"value": "a@b", "type": "work"}],
               ENTERPRISE_URN: {"department": "D", "manager": {"value": "m"}},
               "meta": {"resourceType": "User"}})
    }

    fn projected(attributes: &[&str], excluded: &[&str]) -> Value {
        let names = |list: &[&str]| {
            list.iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let mut resource = user();
        Projection::new(
            &names(attributes),
            &names(excluded),
            &USER,
            &Policy::strict(),
        )
        .apply(&mut resource);
        resource
    }

    #[test]
    fn everything_but_secrets_is_returned_by_default() {
        let mut expected = user();
        if let Some(members) = expected.as_object_mut() {
            members.remove("password");
        }
        assert_eq!(projected(&[], &[]), expected);
        assert_eq!(projected(&[], &["noSuch"]), expected);
    }

    #[test]
    fn wanted_attributes_come_with_id_and_schemas() {
        let head = json!({"schemas": [USER_URN], "id": "u1"});
        let with = |name: &str, value: Value| {
            let mut expected = head.clone();
            expected[name] = value;
            expected
        };
        assert_eq!(projected(&["USERNAME"], &[]), with("userName", json!("a")));
        assert_eq!(
            projected(&["name.givenName"], &[]),
            with("name", json!({"givenName": "A"}))
        );
        assert_eq!(
            projected(&["emails.value"], &["userName"]),
            with("emails", json!([{"value": "a@b"}]))
        );
        assert_eq!(projected(&["password", "noSuch"], &[]), head);
        let department = format!("{ENTERPRISE_URN}:department");
        assert_eq!(
            projected(&[&department], &[]),
            with(ENTERPRISE_URN, json!({"department": "D"}))
        );
        assert_eq!(
            projected(&[ENTERPRISE_URN], &[]),
            with(
                ENTERPRISE_URN,
                json!({"department": "D", "manager": {"value": "m"}})
            )
        );
    }

    #[test]
    fn excluded_attributes_are_missing_but_never_id() {
        let answer = projected(
            &[],
            &[
                "id",
                "schemas",
                "emails",
                "name.familyName",
                "meta",
                ENTERPRISE_URN,
            ],
        );
        assert_eq!(
            answer,
            json!({"schemas": [USER_URN], "id": "u1", "userName": "a", "name": {"givenName": "A"}})
        );
    }

    #[test]
    fn unwanted_members_are_not_fetched() {
        let strict = Policy::strict();
        let choice = |wanted: &[String], unwanted: &[String]| {
            Projection::new(wanted, unwanted, &GROUP, &strict)
        };
        let members = ["members".to_owned()];
        let display = ["members.display".to_owned()];
        let name = ["displayName".to_owned()];
        assert!(choice(&[], &[]).wants("members"));
        assert!(!choice(&[], &members).wants("members"));
        assert!(choice(&[], &display).wants("members"));
        assert!(!choice(&name, &[]).wants("members"));
        assert!(choice(&display, &[]).wants("members"));
        assert!(choice(&name, &[]).wants("id"));
        assert!(!Projection::everything(&GROUP).wants("noSuch"));
    }
}
