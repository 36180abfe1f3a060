//! What holds for every input, whoever makes it up: the property tests and the fuzz targets.
//!
//! Each function takes one input and fails if a promise is broken. Most inputs are refused, which
//! is an answer too.

use std::collections::BTreeSet;

use scim_bridge::scim::{
    bulk::BulkRequest,
    filter::Filter,
    group::Group,
    json,
    patch::{GroupChange, PatchRequest},
    path::Path,
    policy::Policy,
    schema::{GROUP, ResourceSchema, SERVED_GROUP, SERVED_USER, USER},
    user::User,
};
use serde_json::{Value, json};

const POLICIES: [Policy; 2] = [Policy::strict(), Policy::compatible()];

/// Read, printed and read again, a filter is the same; and it can be asked.
pub fn filter(text: &str) {
    for schema in [&USER, &GROUP, &SERVED_USER, &SERVED_GROUP] {
        for policy in POLICIES {
            if let Ok(filter) = Filter::parse(text, schema, &policy) {
                let printed = filter.to_string();
                let again = Filter::parse(&printed, schema, &policy);
                assert_eq!(
                    again.as_ref(),
                    Ok(&filter),
                    "{text:?} prints as {printed:?}"
                );
                filter.matches(&user());
                filter.matches(&group());
                filter.equalities();
            }
        }
    }
}

/// Read, printed and read again, a path is the same.
pub fn path(text: &str) {
    for schema in [&USER, &GROUP, &SERVED_USER, &SERVED_GROUP] {
        for policy in POLICIES {
            if let Ok(path) = Path::parse(text, schema, &policy) {
                let printed = path.to_string();
                let again = Path::parse(&printed, schema, &policy);
                assert_eq!(again.as_ref(), Ok(&path), "{text:?} prints as {printed:?}");
            }
        }
    }
}

/// A PATCH does all or nothing, says whether it changed anything, and changes nothing the second
/// time if it is one operation on a whole attribute. What a group is asked to become is what
/// applying the request would make of it.
pub fn patch(body: &[u8]) {
    let Ok(body) = json::parse(body) else { return };
    for policy in POLICIES {
        patch_of(&USER, &body, &user(), &policy);
        if let Some(after) = patch_of(&GROUP, &body, &group(), &policy) {
            group_becomes(&after, &body, &policy);
        }
    }
}

/// Each operation of a bulk request has its turn once, what it refers to before it, and every
/// reference that is resolved is gone.
pub fn bulk(body: &[u8]) {
    let Ok(body) = json::parse(body) else { return };
    let Ok(mut request) = BulkRequest::parse(&body, 100) else {
        return;
    };
    let order = request.schedule();
    let turns: BTreeSet<usize> = order.iter().map(|(index, _)| *index).collect();
    assert_eq!(turns, (0..request.entries.len()).collect(), "{body}");
    assert_eq!(turns.len(), order.len(), "{body}");
    let mut had = BTreeSet::new();
    for (index, outcome) in order {
        let entry = &mut request.entries[index];
        had.extend(entry.bulk_id.clone());
        let Ok(operation) = &mut entry.operation else {
            continue;
        };
        operation.resolve(&mut |name| had.contains(name).then(|| "id".to_owned()));
        if outcome.is_ok() {
            let mut left = Vec::new();
            operation.resolve(&mut |name| {
                left.push(name.to_owned());
                None
            });
            assert_eq!(left, Vec::<String>::new(), "{body}");
        }
    }
}

/// What the request makes of the resource, if it is not refused.
fn patch_of(
    schema: &'static ResourceSchema,
    body: &Value,
    before: &Value,
    policy: &Policy,
) -> Option<Value> {
    let request = PatchRequest::parse(body, schema, policy).ok()?;
    let mut after = before.clone();
    let outcome = request.apply(&mut after);
    assert_eq!(outcome == Ok(true), after != *before, "{body}");
    outcome.ok()?;
    if is_one_whole(body) {
        let mut twice = after.clone();
        assert_eq!(request.apply(&mut twice), Ok(false), "{body}");
        assert_eq!(twice, after, "{body}");
    }
    Some(after)
}

/// Whether there is one operation, and it chooses no values by a filter, which it might change.
fn is_one_whole(body: &Value) -> bool {
    let members = body.as_object().into_iter().flatten();
    let mut lists = members.filter(|(name, _)| name.eq_ignore_ascii_case("operations"));
    let one = matches!(lists.next(), Some((_, Value::Array(list))) if list.len() == 1);
    // A list's bracket does not follow a name.
    let text = body.to_string();
    let mut pairs = text.as_bytes().windows(2);
    one && !pairs.any(|pair| pair[1] == b'[' && pair[0].is_ascii_alphanumeric())
}

fn group_becomes(after: &Value, body: &Value, policy: &Policy) {
    let before = group();
    let Ok(request) = PatchRequest::parse(body, &GROUP, policy) else {
        return;
    };
    let Ok(changes) = request.group_changes("G") else {
        return;
    };
    let mut members = members(&before);
    let mut name = before["displayName"].as_str().map(str::to_owned);
    for change in changes {
        match change {
            GroupChange::Rename(new) => name = Some(new),
            GroupChange::ExternalId(_) => {}
            GroupChange::AddMembers(new) => members.extend(new),
            GroupChange::RemoveMembers(old) => members.retain(|id| !old.contains(id)),
            GroupChange::ReplaceMembers(new) => members = new.into_iter().collect(),
            GroupChange::RemoveAllMembers => members.clear(),
        }
    }
    assert_eq!(members, self::members(after), "{body}");
    assert_eq!(name.as_deref(), after["displayName"].as_str(), "{body}");
}

fn members(group: &Value) -> BTreeSet<String> {
    let members = group["members"].as_array().into_iter().flatten();
    let ids = members.filter_map(|member| member["value"].as_str());
    ids.map(str::to_owned).collect()
}

/// What is kept of a user reads back the same; nothing of a password is left.
pub fn resource(body: &[u8]) {
    let Ok(body) = json::parse(body) else { return };
    for policy in POLICIES {
        if let Ok(user) = User::from_value(&body, &policy) {
            let value = user.to_value();
            assert_eq!(
                User::from_value(&value, &Policy::strict()).as_ref(),
                Ok(&user),
                "{body}"
            );
        }
        if let Ok(group) = Group::from_value(&body, &policy) {
            assert!(!group.display_name.trim().is_empty(), "{body}");
            let ids = group.members.unwrap_or_default();
            let once: BTreeSet<_> = ids.iter().collect();
            assert_eq!(once.len(), ids.len(), "{body}");
        }
    }
}

fn user() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "U", "userName": "a@b",
        "displayName": "A", "name": {"givenName": "A"}, "active": true, "title": "T",
        "emails": [{"value": "a@b", "type": "work", "primary": true}, {"value": "c@d", "type": "home"}],
        "meta": {"resourceType": "User", "lastModified": "2026-01-02T03:04:05Z"}
    })
}

fn group() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "id": "G",
        "displayName": "Finance", "members": [{"value": "U1", "type": "User"}, {"value": "U9"}],
        "meta": {"resourceType": "Group", "lastModified": "2026-01-02T03:04:05Z"}
    })
}
