//! Properties that hold for every input: nothing panics, what is printed reads back the same, and
//! adding or replacing twice is the same as once.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::filter::Filter;
use super::group::Group;
use super::json;
use super::list::ListQuery;
use super::patch::{PATCH_OP_URN, PatchRequest};
use super::path::Path;
use super::policy::Policy;
use super::schema::{ENTERPRISE_URN, GROUP, SERVED_USER, USER, USER_URN};
use super::user::User;

fn policy() -> impl Strategy<Value = Policy> {
    select(vec![Policy::strict(), Policy::compatible()])
}

// ===== filters =====

fn attribute() -> impl Strategy<Value = String> {
    select(vec![
        "userName".to_owned(),
        "NAME.familyName".to_owned(),
        "externalId".to_owned(),
        "emails".to_owned(),
        "emails.value".to_owned(),
        "addresses.country".to_owned(),
        "schemas".to_owned(),
        format!("{USER_URN}:displayName"),
        format!("{ENTERPRISE_URN}:manager.value"),
        format!("{ENTERPRISE_URN}:department"),
    ])
}

fn operator() -> impl Strategy<Value = &'static str> {
    select(vec![
        "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "Sw",
    ])
}

fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no such number", |number| number.is_finite())
            .prop_map(|number| Value::from(number).to_string()),
        select(vec!["true", "false", "null"]).prop_map(str::to_owned),
    ]
}

fn comparison(name: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (name, operator(), literal(), any::<bool>()).prop_map(|(name, operator, literal, present)| {
        if present {
            format!("{name} pr")
        } else {
            format!("{name} {operator} {literal}")
        }
    })
}

fn combined(leaf: BoxedStrategy<String>) -> BoxedStrategy<String> {
    leaf.prop_recursive(5, 40, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.prop_map(|a| format!("({a})")),
        ]
    })
    .boxed()
}

pub(super) fn valid_filter() -> BoxedStrategy<String> {
    let part = select(vec![
        "value".to_owned(),
        "TYPE".to_owned(),
        "display".to_owned(),
    ]);
    let inside = combined(comparison(part).boxed());
    let brackets = (select(vec!["emails", "roles", "ims"]), inside)
        .prop_map(|(name, inside)| format!("{name}[{inside}]"));
    combined(prop_oneof![3 => comparison(attribute()), 1 => brackets].boxed())
}

/// Pieces of filters in any order, near enough to right to reach every branch.
fn debris() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        attribute(),
        operator().prop_map(str::to_owned),
        literal(),
        select(vec![
            " ", "  ", "(", ")", "[", "]", ".", "not", "and", "or", "pr", "\"", "\\", ":", "é"
        ])
        .prop_map(str::to_owned),
    ];
    vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

// ===== JSON =====

fn tree() -> impl Strategy<Value = Value> {
    let name = select(vec![
        "schemas",
        "Operations",
        "op",
        "path",
        "value",
        "userName",
        "emails",
        "members",
        "name",
        "givenName",
        "type",
        "primary",
        "active",
        "id",
        "meta",
        "displayName",
        "externalId",
        "emails[type eq \"work\"].value",
        "name.givenName",
        "password",
        ENTERPRISE_URN,
        "manager",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        select(vec![
            "",
            "a",
            "True",
            "Group",
            "add",
            "Replace",
            "remove",
            "members",
            "emails",
            PATCH_OP_URN
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 5, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((name.clone(), inner), 0..6).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(n, v)| (n.to_owned(), v))
                        .collect(),
                )
            }),
        ]
    })
}

fn email() -> impl Strategy<Value = Value> {
    (
        proptest::option::of(select(vec!["a@b", "c@d", "e@f"])),
        proptest::option::of(select(vec!["work", "home"])),
        proptest::option::of(any::<bool>()),
        proptest::option::of(select(vec!["A", "B"])),
    )
        .prop_map(|(value, kind, primary, display)| {
            let mut members = Map::new();
            value.map(|value| members.insert("value".to_owned(), json!(value)));
            kind.map(|kind| members.insert("type".to_owned(), json!(kind)));
            primary.map(|primary| members.insert("primary".to_owned(), json!(primary)));
            display.map(|display| members.insert("display".to_owned(), json!(display)));
            Value::Object(members)
        })
}

/// An operation whose path does not depend on what it writes.
fn operation() -> impl Strategy<Value = Value> {
    let emails = || vec(email(), 0..4).prop_map(Value::from);
    let target = prop_oneof![
        emails().prop_map(|value| json!({"path": "emails", "value": value})),
        emails().prop_map(|value| json!({"value": {"emails": value, "title": "T"}})),
        select(vec![
            json!({"path": "emails[type eq \"work\"].value", "value": "x@y"}),
            json!({"path": "emails[type eq \"home\"].primary", "value": true}),
            json!({"path": "emails[type eq \"work\"]", "value": {"type": "work", "display": "W"}}),
            json!({"path": "emails.display", "value": "D"}),
            json!({"path": "name", "value": {"givenName": "G", "familyName": null}}),
            json!({"path": "name.givenName", "value": "G"}),
            json!({"value": {"active": true, ENTERPRISE_URN: {"department": "D"}}}),
        ]),
    ];
    (select(vec!["add", "replace"]), target).prop_map(|(op, mut operation)| {
        operation["op"] = json!(op);
        operation
    })
}

proptest! {
    // What fails once becomes a test with a name, not a line in a file of seeds.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn printed_filters_read_back_the_same(text in valid_filter(), policy in policy()) {
        if let Ok(filter) = Filter::parse(&text, &USER, &policy) {
            let printed = filter.to_string();
            prop_assert_eq!(Filter::parse(&printed, &USER, &Policy::strict()), Ok(filter), "{}", printed);
        }
    }

    #[test]
    fn no_filter_or_path_panics(text in prop_oneof![debris(), any::<String>()], policy in policy()) {
        for schema in [&USER, &GROUP, &SERVED_USER] {
            if let Ok(filter) = Filter::parse(&text, schema, &policy) {
                filter.matches(&json!({"userName": "a", "emails": [{"value": "b"}, null, 5]}));
                prop_assert_eq!(Filter::parse(&filter.to_string(), schema, &policy), Ok(filter));
            }
            if let Ok(path) = Path::parse(&text, schema, &policy) {
                prop_assert_eq!(Path::parse(&path.to_string(), schema, &policy), Ok(path));
            }
        }
    }

    #[test]
    fn no_bytes_panic(body in vec(any::<u8>(), 0..200)) {
        let _ = json::parse(&body);
    }

    #[test]
    fn no_body_panics(body in tree(), resource in tree(), policy in policy()) {
        let _ = User::from_value(&body, &policy);
        let _ = Group::from_value(&body, &policy);
        let _ = ListQuery::from_search(&body, 100);
        let patch = json!({"schemas": [PATCH_OP_URN], "Operations": [body]});
        for schema in [&USER, &GROUP] {
            if let Ok(request) = PatchRequest::parse(&patch, schema, &policy) {
                let mut after = resource.clone();
                match request.apply(&mut after) {
                    Ok(changed) => prop_assert_eq!(changed, after != resource),
                    Err(_) => prop_assert_eq!(&after, &resource),
                }
                let _ = request.group_changes("a");
            }
        }
    }

    #[test]
    fn what_json_reads_is_what_was_written(body in tree()) {
        let body = json!({"body": body});
        let read = json::parse(body.to_string().as_bytes()).unwrap();
        prop_assert!(!read.to_string().contains("\"password\""));
        if !body.to_string().contains("password") {
            prop_assert_eq!(read, body);
        }
    }

    #[test]
    fn twice_is_the_same_as_once(
        operation in operation(),
        emails in vec(email(), 0..4),
        policy in policy(),
    ) {
        let body = json!({"schemas": [PATCH_OP_URN], "Operations": [operation]});
        let mut user = json!({"schemas": [USER_URN], "userName": "a", "emails": emails});
        if let Ok(request) = PatchRequest::parse(&body, &USER, &policy)
            && request.apply(&mut user).is_ok()
        {
            let once = user.clone();
            prop_assert_eq!(request.apply(&mut user), Ok(false));
            prop_assert_eq!(user, once);
        }
    }
}
