//! Members of a JSON object by name, without regard to case.

use serde_json::{Map, Value};

/// The member called `name`: as spelt, else in any other case.
///
/// RFC 7643 section 2.1: attribute names are case insensitive.
pub(super) fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

/// As [`member`], but `null` counts as absent.
///
/// RFC 7643 section 2.5: unassigned and null are one state.
pub(super) fn assigned<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    member(object, name).filter(|value| !value.is_null())
}
