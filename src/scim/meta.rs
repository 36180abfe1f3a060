//! What the server knows about a resource itself. RFC 7643 section 3.1.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::version::Version;

/// The attribute `meta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// `User`, `Group`, or the name of a discovery document's type.
    pub resource_type: &'static str,
    /// When it was made, if that is known.
    pub created: Option<OffsetDateTime>,
    /// When it was last changed, if that is known.
    pub last_modified: Option<OffsetDateTime>,
    /// Where it is found: the caller's own base URL, the endpoint and the id.
    pub location: String,
    /// The entity tag, as in the `ETag` header.
    pub version: Option<Version>,
}

impl Meta {
    /// As JSON.
    pub fn to_value(&self) -> Value {
        let mut members = Map::new();
        members.insert("resourceType".to_owned(), Value::from(self.resource_type));
        for (name, at) in [
            ("created", self.created),
            ("lastModified", self.last_modified),
        ] {
            // Milliseconds: what every client can read.
            let at = at.map(OffsetDateTime::truncate_to_millisecond);
            if let Some(text) = at.and_then(|at| at.format(&Rfc3339).ok()) {
                members.insert(name.to_owned(), Value::from(text));
            }
        }
        members.insert("location".to_owned(), Value::from(self.location.as_str()));
        if let Some(version) = &self.version {
            members.insert("version".to_owned(), Value::from(version.to_string()));
        }
        Value::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn meta_is_written_as_the_rfc_shows_it() {
        let meta = Meta {
            resource_type: "User",
            created: OffsetDateTime::from_unix_timestamp(1_264_222_582).ok(),
            last_modified: None,
            location: "https://example.com/v2/Users/u1".to_owned(),
            version: Some(Version::new(&[1])),
        };
        assert_eq!(
            meta.to_value(),
            json!({"resourceType": "User", "created": "2010-01-23T04:56:22Z",
                   "location": "https://example.com/v2/Users/u1", "version": "W/\"1\""})
        );
    }
}
