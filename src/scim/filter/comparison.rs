//! A comparison: attribute, operator, value.

use std::fmt;

use serde_json::{Number, Value};
use time::OffsetDateTime;

use super::instant::instant;
use crate::scim::path::AttributePath;
use crate::scim::policy::Policy;
use crate::scim::schema::Type;

/// The operators that compare. RFC 7644 section 3.4.2.2, table 3 (`pr` is [`super::Filter::Present`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `ew`
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

impl Operator {
    const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];

    /// The operator spelt `word`, in any case.
    ///
    /// RFC 7644 section 3.4.2.2: attribute names and operators are case insensitive.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|operator| operator.as_str().eq_ignore_ascii_case(word))
    }

    /// As written in a filter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    pub(super) const fn is_ordering(self) -> bool {
        matches!(
            self,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual
        )
    }

    pub(super) const fn is_substring(self) -> bool {
        matches!(self, Self::Contains | Self::StartsWith | Self::EndsWith)
    }
}

/// The value of a comparison. RFC 7644 figure 1, `compValue`.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A string.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// `null`.
    Null,
}

impl Literal {
    /// As JSON.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Boolean(boolean) => Value::Bool(*boolean),
            Self::Number(number) => Value::Number(number.clone()),
            Self::Null => Value::Null,
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(formatter)
    }
}

/// The literal in the form in which it is compared, worked out once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Prepared {
    /// As it stands.
    Exact,
    /// In lower case, for attributes without exact case.
    Folded(String),
    /// A point in time.
    Instant(OffsetDateTime),
}

/// A comparison that is possible: the attribute exists and its type knows the operator.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    path: AttributePath,
    operator: Operator,
    literal: Literal,
    prepared: Prepared,
}

impl Comparison {
    /// Checks that the comparison is possible; the error is the end of a sentence.
    pub(super) fn new(
        path: AttributePath,
        operator: Operator,
        literal: Literal,
        policy: &Policy,
    ) -> Result<Self, String> {
        let path = significant(path)?;
        let leaf = path.leaf();
        let literal = match (leaf.kind, literal) {
            (Type::Boolean, Literal::Text(text)) if policy.booleans_as_strings => {
                match text.to_ascii_lowercase().as_str() {
                    "true" => Literal::Boolean(true),
                    "false" => Literal::Boolean(false),
                    _ => Literal::Text(text),
                }
            }
            (_, literal) => literal,
        };
        // RFC 7644 section 3.4.2.2, table 3, on `gt` and its like: Boolean and Binary attributes
        // cannot be ordered; the request fails with `invalidFilter`.
        if operator.is_ordering() && matches!(leaf.kind, Type::Boolean | Type::Binary) {
            return Err(format!(
                "'{path}' is {} and has no order",
                leaf.kind.as_str()
            ));
        }
        if operator.is_substring()
            && matches!(leaf.kind, Type::Boolean | Type::Integer | Type::Decimal)
        {
            return Err(format!(
                "'{path}' is {} and has no parts",
                leaf.kind.as_str()
            ));
        }
        let prepared = match &literal {
            Literal::Text(text) if leaf.kind == Type::DateTime && !operator.is_substring() => {
                match instant(text) {
                    Some(at) => Prepared::Instant(at),
                    None => {
                        return Err(format!(
                            "'{path}' compares with a date and time such as \"2011-05-13T04:42:34Z\""
                        ));
                    }
                }
            }
            Literal::Text(text) if !leaf.case_exact && leaf.kind != Type::Binary => {
                Prepared::Folded(text.to_lowercase())
            }
            _ => Prepared::Exact,
        };
        Ok(Self {
            path,
            operator,
            literal,
            prepared,
        })
    }

    /// The attribute; for a list of objects with the part that is compared.
    pub fn path(&self) -> AttributePath {
        self.path
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The value that was given.
    pub fn literal(&self) -> &Literal {
        &self.literal
    }

    pub(super) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    pub(super) fn write(&self, formatter: &mut fmt::Formatter<'_>, inside: bool) -> fmt::Result {
        write_path(&self.path, formatter, inside)?;
        write!(formatter, " {} {}", self.operator.as_str(), self.literal)
    }
}

/// RFC 7643 section 2.4: an object is compared by its part `value`.
fn significant(path: AttributePath) -> Result<AttributePath, String> {
    if path.leaf().kind != Type::Complex {
        return Ok(path);
    }
    match path.leaf().value_attribute() {
        Some(value) => Ok(path.with_sub(Some(value))),
        None => Err(format!("'{path}' has parts; compare one of them")),
    }
}

pub(super) fn write_path(
    path: &AttributePath,
    formatter: &mut fmt::Formatter<'_>,
    inside: bool,
) -> fmt::Result {
    match (inside, path.sub_attribute()) {
        (true, Some(sub)) => formatter.write_str(sub.name),
        _ => write!(formatter, "{path}"),
    }
}
