//! Points in time as SCIM writes them.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The point in time that `text` names.
///
/// RFC 7643 section 2.3.5: an `xsd:dateTime` with both date and time. Without an offset, which
/// `xsd:dateTime` allows, it is read as UTC.
pub(in crate::scim) fn instant(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_name_the_same_instant() {
        assert_eq!(
            instant("2011-05-13T04:42:34Z"),
            instant("2011-05-13T06:42:34+02:00")
        );
        assert_eq!(
            instant("2011-05-13T04:42:34Z"),
            instant("2011-05-13T04:42:34")
        );
        assert!(instant("2999-12-31T23:59:59.9999999Z").is_some());
    }

    #[test]
    fn dates_without_time_and_words_are_none() {
        for text in [
            "2011-05-13",
            "yesterday",
            "",
            "2011-02-30T00:00:00Z",
            "2011-05-13T25:00:00Z",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
