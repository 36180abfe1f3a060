//! What the table of cases does not say.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::scim::error::ScimType;
use crate::scim::schema::{ENTERPRISE_URN, GROUP, SERVED_USER, USER};

fn compatible(text: &str) -> Filter {
    Filter::parse(text, &USER, &Policy::compatible()).unwrap()
}

fn refused(text: &str, policy: Policy) -> String {
    let error = Filter::parse(text, &USER, &policy).unwrap_err();
    assert_eq!(
        (error.status, error.scim_type),
        (400, Some(ScimType::InvalidFilter))
    );
    error.detail
}

fn equalities(text: &str, schema: &'static ResourceSchema) -> Option<Vec<(String, Value)>> {
    let filter = Filter::parse(text, schema, &Policy::compatible()).unwrap();
    Some(
        filter
            .equalities()?
            .into_iter()
            .map(|e| (e.path.to_string(), e.value))
            .collect(),
    )
}

#[test]
fn filters_of_providers_come_down_to_equalities() {
    for (text, expected) in [
        ("userName eq \"x\"", vec![("userName", "x")]),
        ("userName EQ \"x\"", vec![("userName", "x")]),
        ("( userName  eq \"x\" )", vec![("userName", "x")]),
        ("externalId eq jyoung", vec![("externalId", "jyoung")]),
        ("emails.value eq \"x\"", vec![("emails.value", "x")]),
        ("emails eq \"x\"", vec![("emails.value", "x")]),
        (
            "emails[type eq \"work\"].value eq \"x\"",
            vec![("emails.type", "work"), ("emails.value", "x")],
        ),
        (
            "emails[type eq \"work\" and value eq \"x\"]",
            vec![("emails.type", "work"), ("emails.value", "x")],
        ),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(path, value)| (path.to_owned(), json!(value)))
            .collect();
        assert_eq!(equalities(text, &USER), Some(expected), "{text}");
    }
    let membership = vec![
        ("id".to_owned(), json!("G")),
        ("members.value".to_owned(), json!("U")),
    ];
    assert_eq!(
        equalities("id eq \"G\" and members eq \"U\"", &GROUP),
        Some(membership.clone())
    );
    assert_eq!(
        equalities("id eq \"G\" and members[value eq \"U\"]", &GROUP),
        Some(membership)
    );
    for text in [
        "userName eq \"x\" or userName eq \"y\"",
        "title pr",
        "not (title eq \"x\")",
        "title co \"x\"",
    ] {
        assert_eq!(equalities(text, &USER), None, "{text}");
    }
}

#[test]
fn entra_asks_for_a_manager_whom_nobody_serves() {
    let filter = Filter::parse(
        "id eq \"U\" and manager eq \"M\"",
        &SERVED_USER,
        &Policy::compatible(),
    )
    .unwrap();
    assert!(!filter.matches(&json!({"id": "U"})));
    assert!(filter.matches(&json!({"id": "U", ENTERPRISE_URN: {"manager": {"value": "M"}}})));
    assert!(Filter::parse("manager eq \"M\"", &SERVED_USER, &Policy::strict()).is_err());
}

#[test]
fn what_is_not_served_cannot_be_filtered_by() {
    let error = Filter::parse("title co \"x\"", &SERVED_USER, &Policy::compatible()).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
}

#[test]
fn tolerances_are_off_unless_asked_for() {
    for text in [
        "userName eq bjensen",
        "userName  eq \"x\"",
        "userName\teq \"x\"",
        " title pr",
        "title pr ",
        "emails[ type pr ]",
        "emails[type pr]and title pr",
        "emails[type eq \"work\"].value eq \"x\"",
        "title pr and(active eq true)",
    ] {
        refused(text, Policy::strict());
        compatible(text);
    }
}

#[test]
fn errors_point_at_the_place() {
    for (text, place) in [
        ("userName eqq \"x\"", "character 10:"),
        ("zoë pr", "character 1:"),
        ("title eq \"ë\" und title pr", "character 14:"),
        ("userName eq \"x", "character 13:"),
        ("(title pr", "character 10:"),
        ("", "character 1:"),
    ] {
        let detail = refused(text, Policy::strict());
        assert!(detail.contains(place), "{text}: {detail}");
    }
}

#[test]
fn errors_never_repeat_a_value() {
    for text in [
        "password eq \"hunter2\"",
        "title eq hunter2",
        "title eq \"hunter2",
        "active gt \"hunter2\"",
    ] {
        let detail = refused(text, Policy::compatible());
        assert!(!detail.contains("hunter2"), "{detail}");
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |levels: usize| format!("{}title pr{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Filter::parse(&nested(40), &USER, &Policy::strict()).is_ok());
    assert!(refused(&nested(100), Policy::strict()).contains("nested"));
    refused(&"(".repeat(10_000), Policy::strict());
    refused(&"not (".repeat(2_000), Policy::strict());
    refused(
        &format!("title eq \"{}\"", "x".repeat(MAX_LENGTH)),
        Policy::strict(),
    );
}

#[test]
fn precedence_survives_printing() {
    for (text, printed) in [
        (
            "title pr or active pr and id pr",
            "title pr or active pr and id pr",
        ),
        (
            "(title pr or active pr) and id pr",
            "(title pr or active pr) and id pr",
        ),
        (
            "title pr and (active pr and id pr)",
            "title pr and active pr and id pr",
        ),
        ("not(not (title pr))", "not (not (title pr))"),
        ("emails eq \"a\\\"b\"", "emails.value eq \"a\\\"b\""),
    ] {
        assert_eq!(compatible(text).to_string(), printed);
        assert_eq!(compatible(printed), compatible(text));
    }
}

#[test]
fn fractions_keep_their_last_digit() {
    for number in [
        "-4.665494249972666e+105",
        "0.1",
        "123456789012345678901234567890",
        "-0",
        "5e-324",
    ] {
        let filter = compatible(&format!("title eq {number}"));
        assert_eq!(compatible(&filter.to_string()), filter, "{number}");
    }
}

#[test]
fn a_line_end_is_no_part_of_a_number() {
    for policy in [Policy::strict(), Policy::compatible()] {
        for text in ["emails eq 0\r", "emails eq 0\n", "title ge 1.5\r"] {
            refused(text, policy);
        }
    }
}
