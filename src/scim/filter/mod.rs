//! Filters. RFC 7644 section 3.4.2.2.
//!
//! A [`Filter`] has been checked against a schema: each attribute in it exists, and each
//! comparison is possible for the attribute's type. It prints back as canonical text.

mod comparison;
mod evaluate;
mod instant;
mod parser;

use std::fmt;

use serde_json::Value;

pub use comparison::{Comparison, Literal, Operator};

pub(super) use evaluate::compare_text;
pub(super) use instant::instant;

use super::error::Error;
use super::path::AttributePath;
use super::policy::Policy;
use super::schema::ResourceSchema;

/// Longest filter that is read, in bytes. Sixty terms take about 1,600.
pub const MAX_LENGTH: usize = 16 * 1024;

/// How deep parentheses, brackets and `not` may be nested.
pub const MAX_DEPTH: usize = 64;

/// A condition on a resource, or inside brackets on one value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// All of them hold; at least two.
    And(Vec<Filter>),
    /// One of them holds; at least two.
    Or(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// The attribute has a value: `title pr`.
    Present(AttributePath),
    /// The attribute compares so with a value: `userName eq "x"`.
    Compare(Comparison),
    /// One value of a list of objects fulfils the whole filter: `emails[type eq "work"]`.
    /// `emails[type eq "work"].value eq "x"` becomes `emails[type eq "work" and value eq "x"]`.
    Values {
        /// The attribute, without a part.
        attribute: AttributePath,
        /// The condition on one of its values.
        filter: Box<Filter>,
    },
}

/// One `attribute eq value` out of a filter; see [`Filter::equalities`].
#[derive(Debug, Clone, PartialEq)]
pub struct Equality {
    /// The attribute in canonical form; a list of objects stands with its part: `members.value`.
    pub path: AttributePath,
    /// The value: a string, boolean or number; `null` asks for an attribute without a value.
    pub value: Value,
}

impl Filter {
    /// Reads a filter on resources of this kind.
    pub fn parse(
        text: &str,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Self, Error> {
        parser::parse(text, schema, policy)
    }

    /// Whether the resource fulfils the filter. Members of the resource are spelt canonically.
    pub fn matches(&self, resource: &Value) -> bool {
        evaluate::resource(self, resource)
    }

    /// Whether one value of the attribute before the brackets fulfils the filter inside them.
    pub fn matches_value(&self, value: &Value) -> bool {
        evaluate::value(self, value)
    }

    /// The comparisons, if the filter is nothing but `eq` joined by `and`.
    ///
    /// A filter in brackets counts with what is inside. The list finds candidates by an index;
    /// each candidate must still pass [`Filter::matches`], because two conditions inside brackets
    /// have to be met by one and the same value.
    pub fn equalities(&self) -> Option<Vec<Equality>> {
        let mut found = Vec::new();
        self.collect_equalities(&mut found).then_some(found)
    }

    fn collect_equalities(&self, found: &mut Vec<Equality>) -> bool {
        match self {
            Self::And(filters) => filters
                .iter()
                .all(|filter| filter.collect_equalities(found)),
            Self::Compare(comparison) if comparison.operator() == Operator::Equal => {
                found.push(Equality {
                    path: comparison.path(),
                    value: comparison.literal().to_value(),
                });
                true
            }
            Self::Values { filter, .. } => filter.collect_equalities(found),
            Self::Or(_) | Self::Not(_) | Self::Present(_) | Self::Compare(_) => false,
        }
    }

    /// Every attribute that the filter speaks of, in order of appearance.
    pub fn attributes(&self) -> Vec<AttributePath> {
        let mut found = Vec::new();
        self.collect_attributes(&mut found);
        found
    }

    fn collect_attributes(&self, found: &mut Vec<AttributePath>) {
        match self {
            Self::And(filters) | Self::Or(filters) => {
                for filter in filters {
                    filter.collect_attributes(found);
                }
            }
            Self::Not(filter) => filter.collect_attributes(found),
            Self::Present(path) => found.push(*path),
            Self::Compare(comparison) => found.push(comparison.path()),
            Self::Values { attribute, filter } => {
                found.push(*attribute);
                filter.collect_attributes(found);
            }
        }
    }

    /// Both hold.
    fn and(self, other: Self) -> Self {
        Self::all(vec![self, other])
    }

    /// All of them hold; nested conjunctions become one.
    fn all(filters: Vec<Self>) -> Self {
        Self::join(filters, Self::And, |filter| match filter {
            Self::And(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// One of them holds; nested disjunctions become one.
    fn any(filters: Vec<Self>) -> Self {
        Self::join(filters, Self::Or, |filter| match filter {
            Self::Or(inner) => Ok(inner),
            other => Err(other),
        })
    }

    fn join(
        filters: Vec<Self>,
        joined: fn(Vec<Self>) -> Self,
        open: fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let mut flat = Vec::with_capacity(filters.len());
        for filter in filters {
            match open(filter) {
                Ok(inner) => flat.extend(inner),
                Err(other) => flat.push(other),
            }
        }
        match flat.pop() {
            Some(only) if flat.is_empty() => only,
            Some(last) => {
                flat.push(last);
                joined(flat)
            }
            None => joined(flat),
        }
    }

    /// Prints the filter as it stands inside brackets, where names are those of parts.
    pub(super) fn write_inside(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, true)
    }

    fn write(&self, formatter: &mut fmt::Formatter<'_>, inside: bool) -> fmt::Result {
        match self {
            Self::And(filters) => Self::write_joined(filters, " and ", formatter, inside),
            Self::Or(filters) => Self::write_joined(filters, " or ", formatter, inside),
            Self::Not(filter) => {
                formatter.write_str("not (")?;
                filter.write(formatter, inside)?;
                formatter.write_str(")")
            }
            Self::Present(path) => {
                comparison::write_path(path, formatter, inside)?;
                formatter.write_str(" pr")
            }
            Self::Compare(comparison) => comparison.write(formatter, inside),
            Self::Values { attribute, filter } => {
                write!(formatter, "{attribute}[")?;
                filter.write(formatter, true)?;
                formatter.write_str("]")
            }
        }
    }

    fn write_joined(
        filters: &[Self],
        word: &str,
        formatter: &mut fmt::Formatter<'_>,
        inside: bool,
    ) -> fmt::Result {
        for (index, filter) in filters.iter().enumerate() {
            if index > 0 {
                formatter.write_str(word)?;
            }
            // RFC 7644 section 3.4.2.2: `and` binds tighter than `or`, so only an `or` inside an
            // `and` needs parentheses.
            if matches!(filter, Self::Or(_)) {
                formatter.write_str("(")?;
                filter.write(formatter, inside)?;
                formatter.write_str(")")?;
            } else {
                filter.write(formatter, inside)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(formatter, false)
    }
}

/// Reads the filter behind an opening bracket, up to the closing one. `offset` is how much stands
/// before `text`, for positions in errors. Also gives what follows the closing bracket.
pub(super) fn parse_values<'t>(
    text: &'t str,
    offset: usize,
    attribute: AttributePath,
    schema: &'static ResourceSchema,
    policy: &Policy,
) -> Result<(Filter, &'t str), Error> {
    parser::parse_values(text, offset, attribute, schema, policy)
}

#[cfg(test)]
mod tests;
