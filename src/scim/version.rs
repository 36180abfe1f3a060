//! Versions of resources and what a request makes depend on them. RFC 7644 section 3.14, RFC 9110
//! sections 8.8.3 and 13.

use std::fmt;

use super::error::Error;

/// A resource's weak entity tag: the same state, not the same bytes.
///
/// RFC 9110 section 13.1.1 compares `If-Match` strongly, by which no weak tag ever matches; RFC 7644
/// section 3.14 shows weak tags in `If-Match`. The latter is followed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    resource: String,
    derived: Option<String>,
}

/// Parts what a client can change from what follows from other resources.
const SEAM: char = '-';

impl Version {
    /// From counters that between them count every change of the resource.
    pub fn new(counters: &[u64]) -> Self {
        let counters: Vec<String> = counters.iter().map(u64::to_string).collect();
        Self {
            resource: counters.join("."),
            derived: None,
        }
    }

    /// With a digest of shown attributes that other resources own, such as a user's `groups`. A
    /// cached answer is stale when they change; a change of the resource itself is not in the way
    /// of anybody's `If-Match`.
    pub fn with_derived(self, digest: String) -> Self {
        Self {
            derived: Some(digest),
            ..self
        }
    }
}

/// As it stands in `meta.version` and `ETag`.
impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "W/\"{}", self.resource)?;
        if let Some(derived) = &self.derived {
            write!(formatter, "{SEAM}{derived}")?;
        }
        formatter.write_str("\"")
    }
}

/// What a request makes depend on a resource's version. The default depends on nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tags {
    Any,
    /// Their opaque parts.
    Listed(Vec<String>),
}

impl Conditions {
    /// From the headers `If-Match` and `If-None-Match`.
    pub fn from_headers(if_match: Option<&str>, if_none_match: Option<&str>) -> Self {
        Self {
            if_match: if_match.map(Tags::read),
            if_none_match: if_none_match.map(Tags::read),
        }
    }

    /// From the `version` of a bulk operation. RFC 7644 section 3.7.
    pub fn on_version(version: Option<&str>) -> Self {
        Self::from_headers(version, None)
    }

    /// Whether nothing depends on the version.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a resource of this version may be changed. 412 if not.
    pub fn check_change(&self, current: &Version) -> Result<(), Error> {
        let own = |tag: &str| tag.split(SEAM).next() == Some(current.resource.as_str());
        let same = |tags: &Tags| tags.contain(own);
        if !self.if_match.as_ref().is_none_or(same) {
            return Err(Error::precondition_failed(format!(
                "the resource is not the version that If-Match names: it is {current} by now; read \
                 it again"
            )));
        }
        if self.if_none_match.as_ref().is_some_and(same) {
            return Err(Error::precondition_failed(
                "If-None-Match names the resource as it is",
            ));
        }
        Ok(())
    }

    /// Whether the client has what it asks for already: 304. 412 if it wants only another version.
    pub fn is_known(&self, current: &Version) -> Result<bool, Error> {
        let only = Self {
            if_match: self.if_match.clone(),
            if_none_match: None,
        };
        only.check_change(current)?;
        let shown = current.to_string();
        let same = |tag: &str| tag == opaque(&shown);
        Ok(self
            .if_none_match
            .as_ref()
            .is_some_and(|tags| tags.contain(same)))
    }
}

impl Tags {
    fn read(text: &str) -> Self {
        match text.trim() {
            "*" => Self::Any,
            list => Self::Listed(list.split(',').map(|tag| opaque(tag).to_owned()).collect()),
        }
    }

    fn contain(&self, wanted: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|tag| wanted(tag)),
        }
    }
}

/// What stands between the quotes of an entity tag. Ours have no comma and no quote in them.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn current() -> Version {
        Version::new(&[7, 2]).with_derived("ab".to_owned())
    }

    #[test]
    fn a_version_is_a_weak_tag() {
        assert_eq!(Version::new(&[7, 2]).to_string(), r#"W/"7.2""#);
        assert_eq!(current().to_string(), r#"W/"7.2-ab""#);
    }

    #[test]
    fn what_is_changed_must_be_what_was_seen() {
        for (if_match, if_none_match, passes) in [
            (None, None, true),
            (Some("*"), None, true),
            (Some(r#"W/"7.2-ab""#), None, true),
            (Some(r#""7.2-ab""#), None, true),
            // Groups changed, or were not shown: not this resource's own.
            (Some(r#"W/"7.2-cd""#), None, true),
            (Some(r#"W/"7.2""#), None, true),
            (Some(r#"W/"7.1", W/"7.2""#), None, true),
            (Some(r#"W/"7.1""#), None, false),
            (Some(r#"W/"7.22""#), None, false),
            (Some(""), None, false),
            (Some("nonsense"), None, false),
            (None, Some("*"), false),
            (None, Some(r#"W/"7.2-ab""#), false),
            (None, Some(r#"W/"7.1""#), true),
        ] {
            let conditions = Conditions::from_headers(if_match, if_none_match);
            let outcome = conditions.check_change(&current());
            assert_eq!(outcome.is_ok(), passes, "{if_match:?} {if_none_match:?}");
            assert!(outcome.is_ok() || outcome.unwrap_err().status == 412);
        }
    }

    #[test]
    fn what_is_known_is_all_that_is_shown() {
        for (if_none_match, known) in [
            (None, false),
            (Some("*"), true),
            (Some(r#"W/"7.2-ab""#), true),
            (Some(r#"W/"1", "7.2-ab""#), true),
            (Some(r#"W/"7.2-cd""#), false),
            (Some(r#"W/"7.2""#), false),
        ] {
            let conditions = Conditions::from_headers(None, if_none_match);
            assert_eq!(
                conditions.is_known(&current()),
                Ok(known),
                "{if_none_match:?}"
            );
        }
        let stale = Conditions::from_headers(Some("W/\"1\""), None);
        assert_eq!(stale.is_known(&current()).unwrap_err().status, 412);
    }
}
