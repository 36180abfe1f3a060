//! The tables of cases in `tests/data/conformance`: filters and PATCH requests with the outcome
//! that RFC 7643 and RFC 7644 give them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use scim_bridge::scim::error::Error;
use scim_bridge::scim::filter::Filter;
use scim_bridge::scim::patch::{GroupChange, PatchRequest};
use scim_bridge::scim::policy::Policy;
use scim_bridge::scim::projection::Projection;
use scim_bridge::scim::schema::{GROUP, ResourceSchema, USER};
use serde_json::Value;

fn table(name: &str) -> Value {
    let path = format!(
        "{}/tests/data/conformance/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn schema(case: &Value) -> &'static ResourceSchema {
    match case["on"].as_str() {
        Some("User") => &USER,
        Some("Group") => &GROUP,
        other => panic!("no resource {other:?}"),
    }
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap_or_default()
}

/// All failures at once: a table is read as a whole.
fn report(name: &str, number: usize, failures: &[String]) {
    assert!(
        failures.is_empty(),
        "{name}: {} of {number} fail\n{}",
        failures.len(),
        failures.join("\n")
    );
    println!("{name}: {number} cases green");
}

// ===== filters =====

/// The ids of the resources that a filter finds, or the keyword of the error.
fn found(case: &Value, resources: &[Value], policy: &Policy) -> Result<BTreeSet<String>, String> {
    let filter = Filter::parse(text(case, "filter"), schema(case), policy).map_err(keyword)?;
    let printed = filter.to_string();
    let again = Filter::parse(&printed, schema(case), &Policy::strict());
    assert_eq!(
        again.as_ref(),
        Ok(&filter),
        "{} prints as {printed}",
        case["id"]
    );
    Ok(resources
        .iter()
        .filter(|resource| resource["meta"]["resourceType"] == case["on"])
        .filter(|resource| filter.matches(resource))
        .map(|resource| text(resource, "id").to_owned())
        .collect())
}

fn keyword(error: Error) -> String {
    assert_eq!(error.status, 400);
    error
        .scim_type
        .map_or_else(String::new, |scim_type| scim_type.to_string())
}

fn judge_filter(case: &Value, outcome: &Result<BTreeSet<String>, String>) -> Result<(), String> {
    let invalid = Err("invalidFilter".to_owned());
    let matches = case.get("matches").map(|ids| {
        Ok::<_, String>(
            ids.as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect::<BTreeSet<_>>(),
        )
    });
    let either = case["either"] == true;
    let good = match (text(case, "syntax"), case.get("error"), matches) {
        ("invalid", ..) => *outcome == invalid,
        // The recommended outcome; where it is an error, finding nothing is its equal.
        (_, Some(_), _) => *outcome == invalid || either && outcome.is_ok(),
        ("lenient", None, Some(matches)) => *outcome == invalid || *outcome == matches,
        (_, None, Some(matches)) => *outcome == matches,
        (_, None, None) => outcome.is_ok() || *outcome == invalid,
    };
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} {} -> {outcome:?}, wanted {:?} {:?}",
            text(case, "id"),
            text(case, "filter"),
            case.get("error"),
            case.get("matches")
        )
    })
}

fn filters(policy: &Policy, name: &str) {
    let table = table("filters.json");
    let resources = table["resources"].as_array().unwrap();
    let cases = table["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 253);
    let failures: Vec<_> = cases
        .iter()
        .filter_map(|case| judge_filter(case, &found(case, resources, policy)).err())
        .collect();
    report(name, cases.len(), &failures);
}

#[test]
fn filters_by_the_letter() {
    filters(&Policy::strict(), "filters, strict");
}

#[test]
fn filters_as_served() {
    filters(&Policy::compatible(), "filters, compatible");
}

/// Where a lenient case may be refused, the compatible policy accepts it.
#[test]
fn leniencies_are_granted() {
    let table = table("filters.json");
    let resources = table["resources"].as_array().unwrap();
    let refused: Vec<_> = table["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["syntax"] == "lenient" && case.get("matches").is_some())
        .filter(|case| found(case, resources, &Policy::compatible()).is_err())
        .map(|case| text(case, "id"))
        .collect();
    assert_eq!(refused, [] as [&str; 0]);
}

// ===== PATCH =====

fn patched(case: &Value, before: &Value, policy: &Policy) -> Result<Value, String> {
    let request = PatchRequest::parse(&case["request"], schema(case), policy).map_err(keyword)?;
    let mut resource = before.clone();
    match request.apply(&mut resource) {
        Ok(changed) => {
            assert_eq!(changed, resource != *before, "{}", case["id"]);
            Ok(resource)
        }
        Err(error) => {
            assert_eq!(resource, *before, "{} is not atomic", case["id"]);
            Err(keyword(error))
        }
    }
}

fn judge_patch(case: &Value, wanted: &Value, outcome: Result<Value, String>) -> Result<(), String> {
    let good = match (&outcome, wanted.get("error").and_then(Value::as_str)) {
        (Err(keyword), Some(error)) => {
            let also = wanted["also"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            keyword == error || also.iter().any(|other| other == keyword)
        }
        (Ok(after), None) => {
            // A resource is compared as a client sees it: a password is never returned, so a
            // server need not show that it took one.
            let mut expected = wanted["after"].clone();
            Projection::everything(schema(case)).apply(&mut expected);
            expected == *after
        }
        _ => false,
    };
    good.then_some(()).ok_or_else(|| {
        format!(
            "{} {} {}\n    got {outcome:?}\n    wanted {wanted}",
            text(case, "id"),
            text(case, "title"),
            case["request"]
        )
    })
}

fn patches(policy: &Policy, column: &str) {
    let table = table("patches.json");
    let cases = table["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 149);
    let failures: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let before = &table["resources"][text(case, "before")];
            let wanted = case.get(column).unwrap_or(&case["strict"]);
            judge_patch(case, wanted, patched(case, before, policy)).err()
        })
        .collect();
    report(column, cases.len(), &failures);
}

#[test]
fn patches_by_the_letter() {
    patches(&Policy::strict(), "strict");
}

#[test]
fn patches_as_served() {
    patches(&Policy::compatible(), "compat");
}

/// How often each scimType is the one recommended, not only a defensible one.
#[test]
fn errors_are_the_recommended_ones() {
    let table = table("patches.json");
    let mut other = BTreeMap::new();
    for case in table["cases"].as_array().unwrap() {
        let before = &table["resources"][text(case, "before")];
        let wanted = case.get("compat").unwrap_or(&case["strict"]);
        if let (Some(error), Err(keyword)) = (
            wanted["error"].as_str(),
            patched(case, before, &Policy::compatible()),
        ) && keyword != error
        {
            other.insert(text(case, "id").to_owned(), keyword);
        }
    }
    assert_eq!(other, BTreeMap::new());
}

/// Read off the request alone, a group's changes come to the same as the request applied.
#[test]
fn changes_of_groups_agree_with_the_applied_request() {
    let table = table("patches.json");
    let ids = |group: &Value| -> BTreeSet<String> {
        let members = group["members"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        members
            .iter()
            .map(|member| text(member, "value").to_owned())
            .collect()
    };
    let mut compared = 0;
    for case in table["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["on"] == "Group")
    {
        let before = &table["resources"][text(case, "before")];
        for policy in [Policy::strict(), Policy::compatible()] {
            let Ok(request) = PatchRequest::parse(&case["request"], &GROUP, &policy) else {
                continue;
            };
            let changes = request.group_changes(text(before, "id"));
            let Ok(after) = patched(case, before, &policy) else {
                assert!(changes.is_err(), "{}: {changes:?}", case["id"]);
                continue;
            };
            let mut members = ids(before);
            let mut name = text(before, "displayName").to_owned();
            for change in changes.unwrap() {
                match change {
                    GroupChange::Rename(new) => name = new,
                    GroupChange::ExternalId(_) => {}
                    GroupChange::AddMembers(new) => members.extend(new),
                    GroupChange::RemoveMembers(old) => members.retain(|id| !old.contains(id)),
                    GroupChange::ReplaceMembers(new) => members = new.into_iter().collect(),
                    GroupChange::RemoveAllMembers => members.clear(),
                }
            }
            assert_eq!(members, ids(&after), "{}", case["id"]);
            assert_eq!(name, text(&after, "displayName"), "{}", case["id"]);
            compared += 1;
        }
    }
    println!("{compared} outcomes agree");
}
