//! Another project's parser judges what is a filter and what is not.
//!
//! It knows no schema, so a filter that is refused here because of an attribute or a type is none
//! of its business. Where the two differ in syntax, the difference is listed with its reason.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::Value;

use super::error::Error;
use super::filter::Filter;
use super::policy::Policy;
use super::properties::valid_filter;
use super::schema::{GROUP, USER};

/// Refusals that are about attributes and types.
const MEANING: [&str; 9] = [
    "is not a known attribute",
    "is not a known sub-attribute",
    "is not a part of",
    "belongs to a schema",
    "has no order",
    "has no parts",
    "has parts",
    "compares with a date",
    "cannot be filtered by",
];

/// Cases of the table on which the parsers differ.
const APART: [(&str, &str); 9] = [
    (
        "F137",
        "`not(` without a space: figure 1 has `not`, then an optional space",
    ),
    (
        "F187",
        "`$ref` is a name that the RFC defines and no rule of figure 1 derives",
    ),
    ("F336", "a space at the end: strict here"),
    ("F337", "two spaces: strict here"),
    ("F338", "two spaces: strict here"),
    ("F339", "a tab: strict here"),
    ("F341", "spaces inside brackets: strict here"),
    ("F343", "two spaces: strict here"),
    (
        "F344",
        "`eq\"x\"` without a space: an example of RFC 7644 section 3.5.2.2",
    ),
];

fn agree(text: &str, ours: &Result<Filter, Error>) -> bool {
    match (ours, text.parse::<scim_v2::filter::Filter>()) {
        (Ok(_), Ok(_)) | (Err(_), Err(_)) => true,
        (Err(error), Ok(_)) => MEANING.iter().any(|reason| error.detail.contains(reason)),
        (Ok(_), Err(_)) => false,
    }
}

#[test]
fn on_the_table_of_cases() {
    let table = include_str!("../../tests/data/conformance/filters.json");
    let table: Value = serde_json::from_str(table).unwrap();
    let apart: Vec<_> = table["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| {
            let schema = if case["on"] == "User" { &USER } else { &GROUP };
            let text = case["filter"].as_str().unwrap();
            !agree(text, &Filter::parse(text, schema, &Policy::strict()))
        })
        .map(|case| case["id"].as_str().unwrap())
        .collect();
    assert_eq!(apart, APART.map(|(id, _)| id));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn on_generated_filters(text in valid_filter()) {
        prop_assert!(agree(&text, &Filter::parse(&text, &USER, &Policy::strict())), "{}", text);
    }

    /// A filter with one character missing is often none any more.
    #[test]
    fn on_damaged_filters(text in valid_filter(), at in any::<prop::sample::Index>()) {
        let mut characters: Vec<char> = text.chars().collect();
        characters.remove(at.index(characters.len()));
        let text: String = characters.into_iter().collect();
        let strict = Filter::parse(&text, &USER, &Policy::strict());
        let spaced = Policy { loose_filter_spaces: true, ..Policy::strict() };
        // Spaces are read differently on purpose, see APART.
        let by_spaces = Filter::parse(&text, &USER, &spaced).is_ok() != strict.is_ok()
            || ["not(", "eq\"", "ne\"", "co\"", "sw\"", "ew\"", "gt\"", "ge\"", "lt\"", "le\"", "EQ\"", "Sw\""]
                .iter()
                .any(|piece| text.contains(piece));
        prop_assert!(by_spaces || agree(&text, &strict), "{} {:?}", text, strict);
    }
}
