//! Paths: which attribute, and for PATCH which of its values.

use std::fmt;

use serde_json::Value;

use super::error::Error;
use super::filter::{self, Filter};
use super::policy::Policy;
use super::schema::{Attribute, ResourceSchema, Schema, Type, Unresolved};

/// Longest path that is read.
pub const MAX_LENGTH: usize = filter::MAX_LENGTH;

/// An attribute or sub-attribute that exists in a schema.
///
/// It is found by [`ResourceSchema::resolve`] and printed in canonical spelling: core attributes
/// without a URN, those of an extension with it.
#[derive(Clone, Copy)]
pub struct AttributePath {
    extension: Option<&'static Schema>,
    attribute: &'static Attribute,
    sub: Option<&'static Attribute>,
}

impl AttributePath {
    pub(super) const fn new(
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        sub: Option<&'static Attribute>,
    ) -> Self {
        Self {
            extension,
            attribute,
            sub,
        }
    }

    /// The extension that the attribute belongs to; `None` for the core schema.
    pub fn extension(&self) -> Option<&'static Schema> {
        self.extension
    }

    /// The attribute itself.
    pub fn attribute(&self) -> &'static Attribute {
        self.attribute
    }

    /// The part of it that is meant, if only a part is.
    pub fn sub_attribute(&self) -> Option<&'static Attribute> {
        self.sub
    }

    /// What the path ends at: the sub-attribute if there is one, else the attribute.
    pub fn leaf(&self) -> &'static Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// The same attribute with another part of it.
    pub(super) fn with_sub(self, sub: Option<&'static Attribute>) -> Self {
        Self { sub, ..self }
    }

    /// Whether this is the core attribute spelt `text`: `userName`, `emails.value`.
    pub fn is(&self, text: &str) -> bool {
        if self.extension.is_some() {
            return false;
        }
        match (self.sub, text.split_once('.')) {
            (None, None) => self.attribute.name == text,
            (Some(sub), Some((name, part))) => self.attribute.name == name && sub.name == part,
            _ => false,
        }
    }

    /// The attribute's value in a resource (not the sub-attribute's).
    pub(super) fn attribute_in<'r>(&self, resource: &'r Value) -> Option<&'r Value> {
        let container = match self.extension {
            Some(schema) => resource.get(schema.urn)?,
            None => resource,
        };
        container.get(self.attribute.name)
    }
}

impl PartialEq for AttributePath {
    fn eq(&self, other: &Self) -> bool {
        self.extension.map(|schema| schema.urn) == other.extension.map(|schema| schema.urn)
            && self.attribute.name == other.attribute.name
            && self.sub.map(|sub| sub.name) == other.sub.map(|sub| sub.name)
    }
}

impl Eq for AttributePath {}

impl fmt::Display for AttributePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = self.extension {
            write!(formatter, "{}:", schema.urn)?;
        }
        formatter.write_str(self.attribute.name)?;
        match self.sub {
            Some(sub) => write!(formatter, ".{}", sub.name),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for AttributePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AttributePath({self})")
    }
}

/// The `path` of a PATCH operation. RFC 7644 section 3.5.2, figure 7.
#[derive(Debug, Clone, PartialEq)]
pub enum Path {
    /// `attr` or `attr.sub`.
    Attribute(AttributePath),
    /// `attr[filter]` or `attr[filter].sub`.
    Values {
        /// The multi-valued attribute, without a part.
        attribute: AttributePath,
        /// Which of its values.
        filter: Filter,
        /// The part of those values that is meant, if only a part is.
        sub: Option<&'static Attribute>,
    },
    /// The URN of an extension: all its attributes at once.
    Extension(&'static Schema),
}

impl Path {
    /// Reads a path.
    pub fn parse(
        text: &str,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Self, Error> {
        if text.len() > MAX_LENGTH {
            return Err(Error::invalid_path(format!(
                "The path is longer than {MAX_LENGTH} characters."
            )));
        }
        match text.split_once('[') {
            None => Self::without_filter(text, schema, policy),
            Some((name, rest)) => Self::with_filter(name, rest, schema, policy),
        }
    }

    fn without_filter(
        text: &str,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Self, Error> {
        if let Some(extension) = schema.extension(text) {
            return Ok(Self::Extension(extension));
        }
        schema
            .resolve(text, policy)
            .map(Self::Attribute)
            .map_err(|why| unresolved(text, why))
    }

    fn with_filter(
        name: &str,
        rest: &str,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Self, Error> {
        let attribute = schema
            .resolve(name, policy)
            .map_err(|why| unresolved(name, why))?;
        let definition = attribute.leaf();
        if attribute.sub_attribute().is_some()
            || !definition.multi_valued
            || definition.kind != Type::Complex
        {
            return Err(Error::invalid_path(format!(
                "A filter in brackets selects values of a list of objects; '{attribute}' is none."
            )));
        }
        let (filter, behind) =
            filter::parse_values(rest, name.len() + 1, attribute, schema, policy)
                .map_err(|error| Error::invalid_path(error.detail))?;
        let sub = match behind {
            "" => None,
            _ => Some(
                behind
                    .strip_prefix('.')
                    .and_then(|part| definition.sub_attribute(part))
                    .ok_or_else(|| {
                        Error::invalid_path(format!(
                            "What follows the brackets is not a part of '{attribute}'."
                        ))
                    })?,
            ),
        };
        Ok(Self::Values {
            attribute,
            filter,
            sub,
        })
    }
}

/// Paths may be as long as the client likes; an error quotes the beginning.
pub(super) fn unresolved(text: &str, why: Unresolved) -> Error {
    let shown: String = text.chars().take(120).collect();
    Error::invalid_path(format!("'{shown}' {why}."))
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(path) => path.fmt(formatter),
            Self::Extension(schema) => formatter.write_str(schema.urn),
            Self::Values {
                attribute,
                filter,
                sub,
            } => {
                write!(formatter, "{attribute}[")?;
                filter.write_inside(formatter)?;
                formatter.write_str("]")?;
                match sub {
                    Some(sub) => write!(formatter, ".{}", sub.name),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::schema::{ENTERPRISE_URN, GROUP, USER};
    use super::*;

    #[test]
    fn paths_print_as_they_are_meant() {
        for (text, canonical) in [
            ("TITLE", "title"),
            ("name.GIVENNAME", "name.givenName"),
            ("emails[TYPE eq \"work\"]", "emails[type eq \"work\"]"),
            (
                "Emails[type EQ \"work\" and not (value co \"x\")].Value",
                "emails[type eq \"work\" and not (value co \"x\")].value",
            ),
            (ENTERPRISE_URN, ENTERPRISE_URN),
        ] {
            let path = Path::parse(text, &USER, &Policy::strict()).unwrap();
            assert_eq!(path.to_string(), canonical);
            assert_eq!(
                Path::parse(canonical, &USER, &Policy::strict()).unwrap(),
                path
            );
        }
    }

    #[test]
    fn a_bracket_inside_a_string_does_not_end_the_filter() {
        let path = Path::parse("members[value eq \"a]b\"]", &GROUP, &Policy::strict()).unwrap();
        assert_eq!(path.to_string(), "members[value eq \"a]b\"]");
    }

    #[test]
    fn malformed_paths_are_refused() {
        for text in [
            "",
            "emails[",
            "emails[]",
            "emails[type]",
            "emails[0]",
            "/title",
            "name..x",
            "title[value pr]",
            "emails[type eq \"work\"]x",
            "emails[type eq \"work\"].",
            "emails[type eq \"work\"].no",
            "emails.value[type pr]",
            "[type pr]",
            "emails[type eq \"work\"]]",
        ] {
            let error = Path::parse(text, &USER, &Policy::compatible()).unwrap_err();
            assert_eq!(
                error.scim_type,
                Some(super::super::error::ScimType::InvalidPath),
                "{text}"
            );
        }
    }
}
