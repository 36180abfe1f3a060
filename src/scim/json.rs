//! Bodies: from bytes to a JSON object.
//!
//! Passwords end here. What stands under `password`, or is the value of a PATCH operation on that
//! path, is read over and never becomes a value that could be printed.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::Error;

/// How deep objects and arrays may be nested.
pub const MAX_DEPTH: usize = 32;

/// Reads a body, which must be one JSON object.
///
/// RFC 7644 section 3.12, table 9: a malformed body is `invalidSyntax`.
pub fn parse(body: &[u8]) -> Result<Value, Error> {
    // RFC 8259 section 8.1: a parser may pass over a byte order mark.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = Node { depth: 0 }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| malformed(&error))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Error::invalid_syntax("The body must be a JSON object."))
    }
}

/// Where it went wrong, and for the reader's own limits why; never what stood there.
fn malformed(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        return Error::invalid_syntax(format!(
            "The body is nested deeper than {MAX_DEPTH} levels (line {line}, column {column})."
        ));
    }
    let what = if error.is_eof() {
        "ends too early"
    } else {
        "is not valid JSON"
    };
    Error::invalid_syntax(format!("The body {what} (line {line}, column {column})."))
}

/// One JSON value at a known depth.
struct Node {
    depth: usize,
}

impl Node {
    fn inner<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("too deep"));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, boolean: bool) -> Result<Value, E> {
        Ok(Value::Bool(boolean))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if is_password(&name) {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = entries.next_value_seed(self.inner()?)?;
            members.insert(name, value);
        }
        forget_password(&mut members);
        Ok(Value::Object(members))
    }
}

/// Whether a member or path names the attribute `password`, with or without a URN.
fn is_password(name: &str) -> bool {
    name.rsplit(':')
        .next()
        .unwrap_or(name)
        .trim()
        .eq_ignore_ascii_case("password")
}

/// A PATCH operation on `password` keeps its shape and loses its value.
fn forget_password(members: &mut Map<String, Value>) {
    let on_password = members.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("path") && value.as_str().is_some_and(is_password)
    });
    if on_password {
        for (name, value) in members.iter_mut() {
            if name.eq_ignore_ascii_case("value") {
                *value = Value::Null;
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::error::ScimType;
    use super::*;

    fn refused(body: &[u8]) -> String {
        let error = parse(body).unwrap_err();
        assert_eq!(
            (error.status, error.scim_type),
            (400, Some(ScimType::InvalidSyntax))
        );
        error.detail
    }

    #[test]
    fn objects_are_read_as_they_are() {
        let body = r#"{"a":[1,-2,1.5,true,null,"zoë"],"b":{"c":{}}}"#;
        assert_eq!(
            parse(body.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(body).unwrap()
        );
        assert_eq!(parse(b"\xef\xbb\xbf{}").unwrap(), json!({}));
    }

    #[test]
    fn what_is_not_one_object_is_refused_with_its_place() {
        assert!(refused(br#"{"userName":"#).contains("line 1, column 12"));
        assert!(refused(b"{} {}").contains("not valid JSON"));
        assert!(refused(b"{\n\"a\": tru}").contains("line 2"));
        for body in [
            &b""[..],
            b"[]",
            b"\"x\"",
            b"1",
            b"null",
            b"{\"a\":\"\xff\"}",
            b"{'a':1}",
        ] {
            refused(body);
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested =
            |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert!(refused(nested(MAX_DEPTH + 1).as_bytes()).contains("deeper"));
        assert!(refused(nested(100_000).as_bytes()).contains("deeper"));
    }

    #[test]
    fn passwords_are_read_over() {
        let body = br#"{"userName":"a","PassWord":"hunter2",
            "urn:ietf:params:scim:schemas:core:2.0:User:password":{"x":"hunter2"},
            "Operations":[{"op":"replace","value":"hunter2","path":"password"},
                          {"op":"replace","value":{"password":"hunter2"}}]}"#;
        let value = parse(body).unwrap();
        assert!(!value.to_string().contains("hunter2"));
        assert_eq!(
            value["Operations"][0],
            json!({"op": "replace", "path": "password", "value": null})
        );
    }
}
