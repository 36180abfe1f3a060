//! Values that conform to their attribute: the right type, members spelt canonically.
//!
//! Bodies of POST and PUT and values of PATCH all pass here, so that everything behind it can
//! look members up by their canonical names.

use serde_json::{Map, Value};

use super::error::Error;
use super::policy::Policy;
use super::schema::{Attribute, Type};

/// What the value is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A resource in POST or PUT: nulls, unknown members and read-only ones are passed over.
    /// RFC 7644 section 3.3 (read-only attributes) and RFC 7643 section 2.5 (null).
    Body,
    /// A PATCH operation: what cannot be done is refused.
    Patch,
}

/// The value as the attribute holds it; `Null` if it leaves the attribute unassigned.
///
/// An object for a single-valued attribute may keep nulls: they unassign its parts.
pub(super) fn conform(
    attribute: &'static Attribute,
    value: &Value,
    origin: Origin,
    policy: &Policy,
) -> Result<Value, Error> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    if !attribute.multi_valued {
        return one(attribute, value, origin, policy);
    }
    let mut values = Vec::new();
    // RFC 7644 section 3.5.2.1 shows lists; a single value stands for a list of one.
    for element in value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
    {
        // Of members nothing may be passed over: a list that shrinks to nothing on the way would
        // empty the group.
        let identified = attribute.name == "members";
        if element.is_null() && origin == Origin::Body && !identified {
            continue;
        }
        let mut element = one(attribute, element, origin, policy)?;
        if let Value::Object(members) = &mut element {
            members.retain(|_, part| !part.is_null());
        }
        match element {
            Value::Object(parts) if parts.is_empty() && identified => {
                return Err(Error::invalid_value(
                    "A member of 'members' has no 'value', the person's id.",
                ));
            }
            Value::Null => {}
            Value::Object(parts) if parts.is_empty() => {}
            element => values.push(element),
        }
    }
    // RFC 7643 section 2.4: `primary` is true for one value at most.
    if values.iter().filter(|element| is_primary(element)).count() > 1 {
        return Err(Error::invalid_value(format!(
            "'{}' has more than one primary value.",
            attribute.name
        )));
    }
    Ok(if values.is_empty() {
        Value::Null
    } else {
        Value::Array(values)
    })
}

/// Whether a value of a list is the preferred one.
pub(super) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

fn one(
    attribute: &'static Attribute,
    value: &Value,
    origin: Origin,
    policy: &Policy,
) -> Result<Value, Error> {
    match (attribute.kind, value) {
        (Type::String | Type::Reference | Type::Binary | Type::DateTime, Value::String(text)) => {
            if attribute.required && text.trim().is_empty() {
                return Err(Error::invalid_value(format!(
                    "'{}' must not be empty.",
                    attribute.name
                )));
            }
            Ok(value.clone())
        }
        (Type::Boolean, Value::Bool(_)) => Ok(value.clone()),
        (Type::Boolean, Value::String(text)) if policy.booleans_as_strings => {
            if text.eq_ignore_ascii_case("true") {
                Ok(Value::Bool(true))
            } else if text.eq_ignore_ascii_case("false") {
                Ok(Value::Bool(false))
            } else {
                Err(wrong_type(attribute))
            }
        }
        (Type::Integer, Value::Number(number)) if !number.is_f64() => Ok(value.clone()),
        (Type::Decimal, Value::Number(_)) => Ok(value.clone()),
        (Type::Complex, Value::Object(members)) => object(attribute, members, origin, policy),
        (Type::Complex, Value::String(text)) if policy.bare_values => {
            let part = attribute
                .value_attribute()
                .ok_or_else(|| wrong_type(attribute))?;
            if text.is_empty() && !attribute.multi_valued && policy.empty_value_unassigns {
                return Ok(Value::Null);
            }
            let mut members = Map::new();
            members.insert(part.name.to_owned(), one(part, value, origin, policy)?);
            Ok(Value::Object(members))
        }
        (Type::Complex, Value::Array(values))
            if policy.bare_values
                && !attribute.multi_valued
                && attribute.value_attribute().is_some() =>
        {
            match values.as_slice() {
                [] => Ok(Value::Null),
                [Value::Object(members)] => object(attribute, members, origin, policy),
                _ => Err(wrong_type(attribute)),
            }
        }
        _ => Err(wrong_type(attribute)),
    }
}

fn object(
    attribute: &'static Attribute,
    given: &Map<String, Value>,
    origin: Origin,
    policy: &Policy,
) -> Result<Value, Error> {
    let mut members = Map::new();
    for (name, value) in given {
        let Some(part) = attribute.sub_attribute(name) else {
            if origin == Origin::Body || policy.unknown_members {
                continue;
            }
            return Err(Error::invalid_value(format!(
                "'{}' has no part called '{}'.",
                attribute.name,
                name.chars().take(80).collect::<String>()
            )));
        };
        // RFC 7644 section 3.5.2: a PATCH must not change what is read-only.
        if part.is_read_only() && !attribute.is_read_only() {
            if origin == Origin::Body || policy.unchanged_read_only {
                continue;
            }
            return Err(Error::mutability(format!(
                "'{}.{}' is read-only.",
                attribute.name, part.name
            )));
        }
        // An exact spelling wins over others.
        if part.name != name && given.contains_key(part.name) {
            continue;
        }
        let value = if value.is_null() {
            Value::Null
        } else {
            one(part, value, origin, policy).map_err(|error| Error {
                detail: format!("In '{}': {}", attribute.name, error.detail),
                ..error
            })?
        };
        members.insert(part.name.to_owned(), value);
    }
    let emptied = policy.empty_value_unassigns
        && !attribute.multi_valued
        && members.get("value").is_some_and(|value| value == "");
    Ok(if emptied {
        Value::Null
    } else {
        Value::Object(members)
    })
}

fn wrong_type(attribute: &Attribute) -> Error {
    let kind = match attribute.kind {
        Type::Complex => "object with parts",
        kind => kind.as_str(),
    };
    let list = if attribute.multi_valued {
        " (or a list of these)"
    } else {
        ""
    };
    Error::invalid_value(format!(
        "'{}' must be of type {kind}{list}.",
        attribute.name
    ))
}
