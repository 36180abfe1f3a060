//! A resource's schema, and the one way to find an attribute in it.

use std::fmt;

use super::attribute::Attribute;
use super::{ENTERPRISE_URN, USER};
use crate::scim::path::AttributePath;
use crate::scim::policy::Policy;

/// A schema: a URN and its attributes. RFC 7643 section 7.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its identifier.
    pub urn: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// A sentence for people.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// The attribute called `name`, in any case.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

/// A kind of resource: what all have in common, the core schema, the extensions.
///
/// RFC 7643 section 6.
#[derive(Debug, PartialEq, Eq)]
pub struct ResourceSchema {
    /// `User` or `Group`.
    pub name: &'static str,
    /// `/Users` or `/Groups`.
    pub endpoint: &'static str,
    /// A sentence for people.
    pub description: &'static str,
    /// `schemas`, `id`, `externalId`, `meta`.
    pub shared: &'static [Attribute],
    /// The core schema.
    pub core: &'static Schema,
    /// The extensions.
    pub extensions: &'static [&'static Schema],
    /// Where else a path is looked up: the other kinds that a search over several kinds covers.
    pub kin: &'static [&'static ResourceSchema],
}

/// Why a path names no attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unresolved {
    /// It is not spelt like a path at all.
    Malformed,
    /// Its URN is not that of a schema of this resource.
    UnknownSchema,
    /// No attribute has this name.
    UnknownAttribute,
    /// The attribute has no such part.
    UnknownSubAttribute,
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "is not an attribute path",
            Self::UnknownSchema => "belongs to a schema that is not known here",
            Self::UnknownAttribute => "is not a known attribute",
            Self::UnknownSubAttribute => "is not a known sub-attribute",
        })
    }
}

impl ResourceSchema {
    /// The attribute that `text` names: `attr`, `attr.sub`, either behind a schema's URN and a
    /// colon; in any case.
    ///
    /// RFC 7644 section 3.10 (notation) and figure 1 (`attrPath`).
    pub fn resolve(
        &'static self,
        text: &str,
        policy: &Policy,
    ) -> Result<AttributePath, Unresolved> {
        self.resolve_own(text, policy).or_else(|why| {
            let found = self
                .kin
                .iter()
                .find_map(|kin| kin.resolve(text, policy).ok());
            found.ok_or(why)
        })
    }

    fn resolve_own(
        &'static self,
        text: &str,
        policy: &Policy,
    ) -> Result<AttributePath, Unresolved> {
        let (extension, names) = self.split_urn(text, policy)?;
        let mut names = names.split('.');
        let name = names
            .next()
            .filter(|name| is_name(name))
            .ok_or(Unresolved::Malformed)?;
        let sub_name = names.next();
        if names.next().is_some() || !sub_name.is_none_or(is_name) {
            return Err(Unresolved::Malformed);
        }
        let attribute = match extension {
            Some(schema) => schema.attribute(name),
            None => self.attribute(name),
        }
        .ok_or(Unresolved::UnknownAttribute)?;
        let sub = match sub_name {
            None => None,
            Some(sub) => Some(
                attribute
                    .sub_attribute(sub)
                    .ok_or(Unresolved::UnknownSubAttribute)?,
            ),
        };
        Ok(AttributePath::new(extension, attribute, sub))
    }

    /// The manager of a user, with the enterprise extension's URN or without it, and whether or not
    /// this schema has that extension. [`Policy::manager_reference_check`].
    pub(in crate::scim) fn manager(&self, text: &str) -> Option<AttributePath> {
        if self.name != USER.name {
            return None;
        }
        let schema = USER.extension(ENTERPRISE_URN)?;
        let names = match text.rsplit_once(':') {
            None => text,
            Some((urn, names)) if urn.eq_ignore_ascii_case(ENTERPRISE_URN) => names,
            Some(_) => return None,
        };
        let attribute = schema.attribute("manager")?;
        let (name, sub) = match names.split_once('.') {
            None => (names, None),
            Some((name, sub)) => (name, Some(attribute.sub_attribute(sub)?)),
        };
        name.eq_ignore_ascii_case("manager")
            .then(|| AttributePath::new(Some(schema), attribute, sub))
    }

    /// The core or shared attribute called `name`, in any case.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.shared
            .iter()
            .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
            .or_else(|| self.core.attribute(name))
    }

    /// The extension with this URN, in any case.
    pub fn extension(&self, urn: &str) -> Option<&'static Schema> {
        self.extensions
            .iter()
            .copied()
            .find(|schema| schema.urn.eq_ignore_ascii_case(urn))
    }

    fn split_urn<'t>(
        &self,
        text: &'t str,
        policy: &Policy,
    ) -> Result<(Option<&'static Schema>, &'t str), Unresolved> {
        let Some((urn, names)) = text.rsplit_once(':') else {
            return Ok((None, text));
        };
        if urn.eq_ignore_ascii_case(self.core.urn) {
            return Ok((None, names));
        }
        if let Some(schema) = self.extension(urn) {
            return Ok((Some(schema), names));
        }
        if policy.dotted_urns {
            for schema in self.extensions.iter().copied() {
                if let Some(names) = behind_dot(text, schema.urn) {
                    return Ok((Some(schema), names));
                }
            }
            if let Some(names) = behind_dot(text, self.core.urn) {
                return Ok((None, names));
            }
        }
        Err(if names.split('.').all(is_name) {
            Unresolved::UnknownSchema
        } else {
            Unresolved::Malformed
        })
    }
}

/// `urn.rest`, in any case, gives `rest`.
fn behind_dot<'t>(text: &'t str, urn: &str) -> Option<&'t str> {
    let head = text.get(..urn.len())?;
    head.eq_ignore_ascii_case(urn)
        .then(|| text.get(urn.len()..))?
        .and_then(|rest| rest.strip_prefix('.'))
}

/// RFC 7644 figure 1: a name is a letter, then letters, digits, `-` and `_`. Besides, `$ref`, which
/// RFC 7643 defines and no rule derives.
fn is_name(text: &str) -> bool {
    let text = text.strip_prefix('$').unwrap_or(text);
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{GROUP, SERVED_ANY, SERVED_USER};
    use super::*;

    fn printed(
        schema: &'static ResourceSchema,
        text: &str,
        policy: Policy,
    ) -> Result<String, Unresolved> {
        schema.resolve(text, &policy).map(|path| path.to_string())
    }

    #[test]
    fn paths_are_found_in_any_case_and_printed_canonically() {
        let strict = Policy::strict();
        assert_eq!(
            printed(&USER, "NAME.familyname", strict).unwrap(),
            "name.familyName"
        );
        assert_eq!(
            printed(
                &USER,
                &format!("{USER_URN}:Emails.VALUE", USER_URN = USER.core.urn),
                strict
            )
            .unwrap(),
            "emails.value"
        );
        assert_eq!(
            printed(
                &USER,
                &format!("{}:manager.value", ENTERPRISE_URN.to_uppercase()),
                strict
            )
            .unwrap(),
            format!("{ENTERPRISE_URN}:manager.value")
        );
        assert_eq!(
            printed(&GROUP, "members.$ref", strict).unwrap(),
            "members.$ref"
        );
    }

    #[test]
    fn what_is_not_there_says_why() {
        let strict = Policy::strict();
        for (text, why) in [
            ("noSuch", Unresolved::UnknownAttribute),
            ("name.noSuch", Unresolved::UnknownSubAttribute),
            ("urn:example:x:attr", Unresolved::UnknownSchema),
            (ENTERPRISE_URN, Unresolved::UnknownSchema),
            ("name.", Unresolved::Malformed),
            (".name", Unresolved::Malformed),
            ("name.a.b", Unresolved::Malformed),
            ("", Unresolved::Malformed),
            ("1st", Unresolved::Malformed),
            ("employeeNumber", Unresolved::UnknownAttribute),
        ] {
            assert_eq!(printed(&USER, text, strict), Err(why), "{text}");
        }
    }

    #[test]
    fn a_search_over_all_kinds_knows_the_attributes_of_each() {
        for (text, path) in [
            ("userName", "userName"),
            ("members.value", "members.value"),
            (&format!("{}:members", GROUP.core.urn), "members"),
            ("meta.resourceType", "meta.resourceType"),
        ] {
            assert_eq!(printed(&SERVED_ANY, text, Policy::strict()).unwrap(), path);
        }
        let why = printed(&SERVED_ANY, "noSuch", Policy::strict());
        assert_eq!(why, Err(Unresolved::UnknownAttribute));
    }

    #[test]
    fn tolerances_of_entra_for_paths() {
        let open = Policy::compatible();
        let manager = format!("{ENTERPRISE_URN}:manager");
        assert_eq!(SERVED_USER.manager("Manager").unwrap().to_string(), manager);
        assert_eq!(SERVED_USER.manager(&manager).unwrap().to_string(), manager);
        assert_eq!(SERVED_USER.manager("title"), None);
        assert_eq!(GROUP.manager("manager"), None);
        assert!(printed(&SERVED_USER, "manager", open).is_err());
        assert_eq!(
            printed(&USER, &format!("{ENTERPRISE_URN}.manager"), open).unwrap(),
            manager
        );
        assert!(printed(&SERVED_USER, "title", open).is_err());
    }
}
