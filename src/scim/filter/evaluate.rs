//! Whether a resource fulfils a filter.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::Filter;
use super::comparison::{Comparison, Literal, Operator, Prepared};
use super::instant::instant;
use crate::scim::path::AttributePath;

/// The filter on a whole resource.
pub(super) fn resource(filter: &Filter, resource: &Value) -> bool {
    match filter {
        Filter::And(filters) => filters
            .iter()
            .all(|filter| self::resource(filter, resource)),
        Filter::Or(filters) => filters
            .iter()
            .any(|filter| self::resource(filter, resource)),
        Filter::Not(filter) => !self::resource(filter, resource),
        Filter::Present(path) => path_present(path, resource),
        Filter::Compare(comparison) => compares(comparison, resource),
        Filter::Values { attribute, filter } => elements(attribute.attribute_in(resource))
            .iter()
            .any(|element| value(filter, element)),
    }
}

/// The filter inside brackets on one value of the attribute before them.
pub(super) fn value(filter: &Filter, element: &Value) -> bool {
    match filter {
        Filter::And(filters) => filters.iter().all(|filter| value(filter, element)),
        Filter::Or(filters) => filters.iter().any(|filter| value(filter, element)),
        Filter::Not(filter) => !value(filter, element),
        Filter::Present(path) => part(path, element).is_some_and(present),
        Filter::Compare(comparison) => {
            let found = part(&comparison.path(), element);
            match null_means(comparison) {
                Some(wanted) => found.is_some_and(present) == wanted,
                None => holds(comparison, found),
            }
        }
        // RFC 7644 figure 1: brackets do not nest; the parser makes no such filter.
        Filter::Values { .. } => false,
    }
}

/// RFC 7644 section 3.4.2.2, table 3, on `pr`: not empty, not null, or for a complex attribute a
/// part that is so.
fn present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(present),
        Value::Object(members) => members.values().any(present),
    }
}

fn path_present(path: &AttributePath, resource: &Value) -> bool {
    let Some(found) = path.attribute_in(resource) else {
        return false;
    };
    match path.sub_attribute() {
        None => present(found),
        Some(_) => elements(Some(found))
            .iter()
            .any(|element| part(path, element).is_some_and(present)),
    }
}

/// RFC 7643 section 2.5: to be null is to be unassigned, so `eq null` and `ne null` ask for
/// absence and presence. Which presence is asked for; `None` for other comparisons.
fn null_means(comparison: &Comparison) -> Option<bool> {
    match (comparison.literal(), comparison.operator()) {
        (Literal::Null, Operator::Equal) => Some(false),
        (Literal::Null, Operator::NotEqual) => Some(true),
        _ => None,
    }
}

fn compares(comparison: &Comparison, resource: &Value) -> bool {
    let path = comparison.path();
    if let Some(wanted) = null_means(comparison) {
        return path_present(&path, resource) == wanted;
    }
    let found = path.attribute_in(resource);
    // RFC 7644 section 3.4.2.2: an expression on a multi-valued attribute holds if it holds for
    // one of the values.
    if path.attribute().multi_valued {
        elements(found)
            .iter()
            .any(|element| holds(comparison, part(&path, element)))
    } else {
        holds(comparison, found.and_then(|found| part(&path, found)))
    }
}

/// The values of a list; one object or value counts as a list of one.
fn elements(found: Option<&Value>) -> &[Value] {
    match found {
        None | Some(Value::Null) => &[],
        Some(Value::Array(values)) => values,
        Some(one) => std::slice::from_ref(one),
    }
}

/// The part of a value that the path names; the value itself if it names none.
fn part<'v>(path: &AttributePath, value: &'v Value) -> Option<&'v Value> {
    match path.sub_attribute() {
        Some(sub) => value.get(sub.name),
        None => Some(value),
    }
}

fn holds(comparison: &Comparison, found: Option<&Value>) -> bool {
    let operator = comparison.operator();
    let Some(found) = found.filter(|found| !found.is_null()) else {
        // What is not there is not equal to anything.
        return operator == Operator::NotEqual;
    };
    let order = match (found, comparison.literal(), comparison.prepared()) {
        (Value::Bool(left), Literal::Boolean(right), _) => Some(left.cmp(right)),
        (Value::Number(left), Literal::Number(right), _) => left
            .as_f64()
            .zip(right.as_f64())
            .and_then(|(left, right)| left.partial_cmp(&right)),
        (Value::String(left), Literal::Text(_), Prepared::Instant(right)) => {
            instant(left).map(|left| left.cmp(right))
        }
        (Value::String(left), Literal::Text(right), prepared) => {
            let (left, right) = match prepared {
                Prepared::Folded(right) => (fold(left), right),
                _ => (Cow::Borrowed(left.as_str()), right),
            };
            match operator {
                Operator::Contains => return left.contains(right.as_str()),
                Operator::StartsWith => return left.starts_with(right.as_str()),
                Operator::EndsWith => return left.ends_with(right.as_str()),
                _ => Some(left.as_ref().cmp(right.as_str())),
            }
        }
        _ => None,
    };
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

/// Lower case, without a copy for what is lower case already.
fn fold(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

/// How two strings are ordered, with or without regard to case.
pub(in crate::scim) fn compare_text(left: &str, right: &str, case_exact: bool) -> Ordering {
    if case_exact {
        left.cmp(right)
    } else {
        fold(left).cmp(&fold(right))
    }
}
