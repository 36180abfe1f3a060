//! What the table of cases does not say.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::scim::error::ScimType;
use crate::scim::schema::{ENTERPRISE_URN, GROUP, SERVED_GROUP, USER};

fn request(operations: Value, schema: &'static ResourceSchema) -> Result<PatchRequest, Error> {
    let body = json!({"schemas": [PATCH_OP_URN], "Operations": operations});
    PatchRequest::parse(&body, schema, &Policy::compatible())
}

fn changes(operations: Value) -> Result<Vec<GroupChange>, Error> {
    request(operations.clone(), &GROUP)?.group_changes("G")?;
    request(operations, &SERVED_GROUP)?.group_changes("G")
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn add(members: &[&str]) -> GroupChange {
    GroupChange::AddMembers(ids(members))
}

fn remove(members: &[&str]) -> GroupChange {
    GroupChange::RemoveMembers(ids(members))
}

#[test]
fn every_dialect_of_members_is_understood() {
    for (operation, change) in [
        (
            json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": "u"}]}),
            add(&["u"]),
        ),
        (
            json!({"op": "add", "path": "members", "value": {"value": "u", "display": "x"}}),
            add(&["u"]),
        ),
        (
            json!({"op": "add", "path": "members", "value": "u"}),
            add(&["u"]),
        ),
        (
            json!({"op": "add", "path": "members", "value": ["u", "v", "u"]}),
            add(&["u", "v"]),
        ),
        (
            json!({"op": "add", "value": {"members": [{"value": "u"}]}}),
            add(&["u"]),
        ),
        (
            json!({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": "u"}),
            add(&["u"]),
        ),
        (
            json!({"op": "add", "path": "members[value eq \"u\"]", "value": {"value": "u"}}),
            add(&["u"]),
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u"}]}),
            remove(&["u"]),
        ),
        (
            json!({"op": "remove", "path": "members", "value": ["u", "v"]}),
            remove(&["u", "v"]),
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u\"]"}),
            remove(&["u"]),
        ),
        (
            json!({"op": "remove", "path": "MEMBERS[Value EQ \"u\" or value eq \"v\"]"}),
            remove(&["u", "v"]),
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u\" and type eq \"User\"]"}),
            remove(&["u"]),
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u\"]", "value": [{"value": "w"}]}),
            remove(&["u"]),
        ),
        (
            json!({"op": "remove", "path": "members"}),
            GroupChange::RemoveAllMembers,
        ),
        (
            json!({"op": "replace", "path": "members", "value": []}),
            GroupChange::RemoveAllMembers,
        ),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": "u"}]}),
            GroupChange::ReplaceMembers(ids(&["u"])),
        ),
        (
            json!({"op": "replace", "value": {"members": ["u"]}}),
            GroupChange::ReplaceMembers(ids(&["u"])),
        ),
    ] {
        assert_eq!(
            changes(json!([operation.clone()])).unwrap(),
            vec![change],
            "{operation}"
        );
    }
}

#[test]
fn nothing_to_do_is_no_change() {
    for operation in [
        json!({"op": "add", "path": "members", "value": []}),
        json!({"op": "remove", "path": "members", "value": []}),
        json!({"op": "remove", "path": "members[value eq \"a\" and value eq \"b\"]"}),
        json!({"op": "replace", "value": {"id": "G"}}),
        json!({"op": "replace", "value": {"id": null, "meta": {"x": 1}, "schemas": ["x"]}}),
    ] {
        assert_eq!(
            changes(json!([operation.clone()])).unwrap(),
            vec![],
            "{operation}"
        );
    }
}

#[test]
fn the_last_word_on_each_member_wins() {
    let operations = json!([
        {"op": "add", "path": "members", "value": ["a", "b"]},
        {"op": "remove", "path": "members[value eq \"a\"]"},
        {"op": "replace", "value": {"id": "G", "displayName": "One", "externalId": "x"}},
        {"op": "remove", "path": "members", "value": ["c"]},
        {"op": "add", "path": "members", "value": "c"},
        {"op": "replace", "path": "displayName", "value": "Two"},
        {"op": "remove", "path": "externalId"}
    ]);
    assert_eq!(
        changes(operations).unwrap(),
        vec![
            GroupChange::Rename("Two".to_owned()),
            GroupChange::ExternalId(None),
            remove(&["a"]),
            add(&["b", "c"]),
        ]
    );
    let operations = json!([
        {"op": "add", "path": "members", "value": "z"},
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": ["a", "b"]},
        {"op": "remove", "path": "members[value eq \"a\"]"}
    ]);
    assert_eq!(
        changes(operations).unwrap(),
        vec![GroupChange::ReplaceMembers(ids(&["b"]))]
    );
}

#[test]
fn what_a_group_cannot_do_is_refused() {
    for (operation, kind) in [
        (
            json!({"op": "add", "path": "members", "value": [{"value": "g", "type": "Group"}]}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "add", "path": "members", "value": [{"type": "User"}]}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "add", "path": "members", "value": [null]}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "add", "path": "members"}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "replace", "value": {"id": "other"}}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "replace", "path": "id", "value": "other"}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "remove", "path": "displayName"}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "replace", "path": "displayName", "value": null}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "replace", "path": "displayName", "value": " "}),
            ScimType::InvalidValue,
        ),
        (
            json!({"op": "replace", "path": "noSuch", "value": "x"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "value": {"noSuch": "x"}}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"a\"].value", "value": "b"}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"a\"]", "value": {"value": "b"}}),
            ScimType::Mutability,
        ),
        (
            json!({"op": "remove", "path": "members[value sw \"a\"]"}),
            ScimType::InvalidPath,
        ),
        (
            json!({"op": "remove", "path": "members[not (value eq \"a\")]"}),
            ScimType::InvalidPath,
        ),
        (json!({"op": "remove"}), ScimType::NoTarget),
        (
            json!({"op": "remove", "value": {"members": []}}),
            ScimType::NoTarget,
        ),
        (
            json!({"op": "remove", "path": "members", "value": [{"display": "x"}]}),
            ScimType::InvalidValue,
        ),
    ] {
        let error = changes(json!([operation.clone()])).unwrap_err();
        assert_eq!(error.scim_type, Some(kind), "{operation}: {error}");
    }
}

#[test]
fn errors_say_which_operation() {
    let error = changes(json!([
        {"op": "add", "path": "members", "value": "u"},
        {"op": "add", "path": "nothing", "value": "u"}
    ]))
    .unwrap_err();
    assert!(error.detail.starts_with("Operation 2: "), "{error}");
}

#[test]
fn a_password_is_taken_and_forgotten() {
    for operation in [
        json!({"op": "replace", "path": "password", "value": "hunter2"}),
        json!({"op": "replace", "value": {"password": "hunter2"}}),
        json!({"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User": {"Password": "hunter2"}}}),
    ] {
        let request = request(json!([operation]), &USER).unwrap();
        assert!(!format!("{request:?}").contains("hunter2"));
        assert_eq!(request.operations().count(), 0);
    }
}

#[test]
fn an_error_leaves_the_resource_alone() {
    let mut user = json!({"userName": "a", "emails": [{"value": "a@b", "type": "work"}]});
    let before = user.clone();
    let request = request(
        json!([{"op": "replace", "path": "userName", "value": "b"},
               {"op": "replace", "path": "emails[value sw \"z\"].type", "value": "home"}]),
        &USER,
    )
    .unwrap();
    assert_eq!(
        request.apply(&mut user).unwrap_err().scim_type,
        Some(ScimType::NoTarget)
    );
    assert_eq!(user, before);
}

#[test]
fn entra_writes_parts_of_an_address_that_is_not_there() {
    let mut user = json!({"userName": "a"});
    let request = request(
        json!([{"op": "Add", "path": "emails[type eq \"work\"].value", "value": "a@b"},
               {"op": "Replace", "path": "emails[type eq \"work\"].primary", "value": "True"},
               {"op": "Replace", "path": "emails[type eq \"work\"].type", "value": "work"}]),
        &USER,
    )
    .unwrap();
    assert!(request.apply(&mut user).unwrap());
    assert_eq!(
        user["emails"],
        json!([{"type": "work", "value": "a@b", "primary": true}])
    );
    assert!(!request.apply(&mut user).unwrap());
}

#[test]
fn managers_come_in_many_dialects() {
    let dotted = format!("{ENTERPRISE_URN}.manager");
    let path = format!("{ENTERPRISE_URN}:manager");
    for operation in [
        json!({"op": "add", "path": path, "value": "m"}),
        json!({"op": "add", "path": path, "value": {"value": "m", "displayName": "M"}}),
        json!({"op": "add", "path": path, "value": [{"value": "m"}]}),
        json!({"op": "add", "path": dotted, "value": "m"}),
        json!({"op": "add", "value": {path.clone(): "m"}}),
        json!({"op": "add", "path": ENTERPRISE_URN, "value": {"manager": "m"}}),
    ] {
        let mut user = json!({"userName": "a"});
        request(json!([operation.clone()]), &USER)
            .unwrap()
            .apply(&mut user)
            .unwrap();
        assert_eq!(
            user[ENTERPRISE_URN],
            json!({"manager": {"value": "m"}}),
            "{operation}"
        );
    }
}

#[test]
fn a_new_primary_value_demotes_the_old_one() {
    let mut user = json!({"emails": [{"value": "a", "primary": true}]});
    let add = json!([{"op": "add", "path": "emails", "value": [{"value": "b", "primary": true}]}]);
    request(add, &USER).unwrap().apply(&mut user).unwrap();
    assert_eq!(
        user["emails"],
        json!([{"value": "a", "primary": false}, {"value": "b", "primary": true}])
    );
}

#[test]
fn unknown_extensions_are_passed_over_when_sent_as_objects() {
    let mut user = json!({"userName": "a"});
    let operation = json!([{"op": "replace", "value": {"urn:okta:custom:1.0:User": {"x": 1}}}]);
    assert!(!request(operation, &USER).unwrap().apply(&mut user).unwrap());
}

#[test]
fn many_members_cost_what_they_weigh() {
    let many: Vec<_> = (0..50_000)
        .map(|number| format!("member-{number}"))
        .collect();
    let request = request(
        json!([{"op": "add", "path": "members", "value": many},
               {"op": "remove", "path": "members", "value": many}]),
        &GROUP,
    )
    .unwrap();
    assert_eq!(
        request.group_changes("G").unwrap(),
        vec![GroupChange::RemoveMembers(many)]
    );
    let mut group = json!({"displayName": "G"});
    assert!(!request.apply(&mut group).unwrap());
}

#[test]
fn a_user_has_a_bounded_number_of_addresses() {
    let many: Vec<_> = (0..=1000)
        .map(|number| json!({"value": number.to_string()}))
        .collect();
    let request = request(
        json!([{"op": "add", "path": "emails", "value": many}]),
        &USER,
    )
    .unwrap();
    let error = request.apply(&mut json!({"userName": "a"})).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidValue));
}
