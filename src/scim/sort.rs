//! The order of results. RFC 7644 section 3.4.2.3.

use std::cmp::Ordering;

use serde_json::Value;

use super::conform::is_primary;
use super::error::Error;
use super::filter::{compare_text, instant};
use super::path::AttributePath;
use super::policy::Policy;
use super::schema::{ResourceSchema, Type};

/// Which end comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// The smallest first; resources without the attribute last.
    #[default]
    Ascending,
    /// The other way round.
    Descending,
}

/// By which attribute resources are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The attribute; for an object its part `value`.
    pub by: AttributePath,
    /// Which end comes first.
    pub direction: Direction,
}

impl Sort {
    /// Reads `sortBy`.
    pub fn parse(
        text: &str,
        direction: Direction,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Self, Error> {
        let shown: String = text.chars().take(120).collect();
        let mut by = schema
            .resolve(text.trim(), policy)
            .map_err(|why| Error::invalid_value(format!("In 'sortBy': '{shown}' {why}.")))?;
        if by.leaf().kind == Type::Complex {
            let value = by.leaf().value_attribute().ok_or_else(|| {
                Error::invalid_value(format!("In 'sortBy': '{by}' has parts; name one of them."))
            })?;
            by = by.with_sub(Some(value));
        }
        if by.attribute().is_secret() {
            return Err(Error::invalid_value(format!(
                "In 'sortBy': '{by}' cannot be sorted by."
            )));
        }
        Ok(Self { by, direction })
    }

    /// How two resources are ordered, by their keys. It is not total: break ties by `id`.
    pub fn compare(&self, left: Option<&Value>, right: Option<&Value>) -> Ordering {
        let order = match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => self.compare_values(left, right),
        };
        match self.direction {
            Direction::Ascending => order,
            Direction::Descending => order.reverse(),
        }
    }

    /// What a resource is ordered by.
    ///
    /// RFC 7644 section 3.4.2.3: of a list the primary value counts, or else the first.
    pub fn key<'r>(&self, resource: &'r Value) -> Option<&'r Value> {
        let mut found = self.by.attribute_in(resource)?;
        if let Value::Array(values) = found {
            found = values
                .iter()
                .find(|value| is_primary(value))
                .or_else(|| values.first())?;
        }
        match self.by.sub_attribute() {
            Some(sub) => found.get(sub.name),
            None => Some(found),
        }
        .filter(|value| !value.is_null())
    }

    fn compare_values(&self, left: &Value, right: &Value) -> Ordering {
        let leaf = self.by.leaf();
        match (left, right) {
            (Value::String(left), Value::String(right)) if leaf.kind == Type::DateTime => {
                instant(left).cmp(&instant(right))
            }
            (Value::String(left), Value::String(right)) => {
                compare_text(left, right, leaf.case_exact)
            }
            (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
            (Value::Number(left), Value::Number(right)) => left
                .as_f64()
                .zip(right.as_f64())
                .and_then(|(left, right)| left.partial_cmp(&right))
                .unwrap_or(Ordering::Equal),
            _ => Ordering::Equal,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::super::schema::USER;
    use super::*;

    fn sorted(by: &str, direction: Direction, mut resources: Vec<Value>) -> Vec<String> {
        let sort = Sort::parse(by, direction, &USER, &Policy::strict()).unwrap();
        resources.sort_by(|left, right| sort.compare(sort.key(left), sort.key(right)));
        resources
            .iter()
            .map(|r| r["id"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn results_are_ordered_by_type_and_case_rule() {
        let people = || {
            vec![
                json!({"id": "1", "userName": "Bob", "emails": [{"value": "z"}, {"value": "a", "primary": true}]}),
                json!({"id": "2", "userName": "ann", "emails": [{"value": "m"}]}),
                json!({"id": "3", "userName": "Cy"}),
            ]
        };
        assert_eq!(
            sorted("userName", Direction::Ascending, people()),
            ["2", "1", "3"]
        );
        assert_eq!(
            sorted("emails", Direction::Ascending, people()),
            ["1", "2", "3"]
        );
        assert_eq!(
            sorted("emails.value", Direction::Descending, people()),
            ["3", "2", "1"]
        );
        assert!(Sort::parse("name", Direction::Ascending, &USER, &Policy::strict()).is_err());
        assert!(Sort::parse("password", Direction::Ascending, &USER, &Policy::strict()).is_err());
    }
}
