//! What a PATCH does to a group, read off the request alone.
//!
//! A group may have 50,000 members; a request that adds one must not load them. So filters on
//! `members` are understood as far as they name ids, and nothing else is accepted there.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Operation, PatchRequest, Target};
use crate::scim::error::Error;
use crate::scim::filter::{Comparison, Filter, Literal, Operator};
use crate::scim::group::{member, members};
use crate::scim::path::AttributePath;
use crate::scim::schema::Attribute;

/// One change of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// The group is to have this name.
    Rename(String),
    /// The group is to have this identifier of the provider's, or none.
    ExternalId(Option<String>),
    /// These are to be members.
    AddMembers(Vec<String>),
    /// These are not to be members.
    RemoveMembers(Vec<String>),
    /// These and nobody else are to be members.
    ReplaceMembers(Vec<String>),
    /// Nobody is to be a member.
    RemoveAllMembers,
}

pub(super) fn changes(request: &PatchRequest, id: &str) -> Result<Vec<GroupChange>, Error> {
    let mut outcome = Outcome::default();
    for step in &request.steps {
        outcome
            .take(&step.operation, id, request.policy.create_unmatched)
            .map_err(|error| request.at(step, error))?;
    }
    Ok(outcome.into_changes())
}

/// What all operations come to, the last word on each member winning.
#[derive(Default)]
struct Outcome {
    name: Option<String>,
    external_id: Option<Option<String>>,
    /// Whether everybody who is not in `wanted` leaves.
    exchanged: bool,
    /// Each id spoken of, in order of first mention.
    order: Vec<String>,
    wanted: HashMap<String, bool>,
}

impl Outcome {
    fn take(&mut self, operation: &Operation, id: &str, create: bool) -> Result<(), Error> {
        match operation {
            Operation::Unchanged { path, value } => {
                if path.is("id") && value.as_str() == Some(id) {
                    Ok(())
                } else {
                    Err(Error::mutability(format!(
                        "'{path}' is read-only and has another value."
                    )))
                }
            }
            Operation::Add {
                target: Target::Attribute(path),
                value,
            } => {
                if path.is("members") {
                    self.want(members(list(value))?, true);
                    return Ok(());
                }
                self.set(path, value)
            }
            Operation::Replace {
                target: Target::Attribute(path),
                value,
            } => {
                if path.is("members") {
                    let ids = members(list(value))?;
                    self.empty();
                    self.want(ids, true);
                    return Ok(());
                }
                self.set(path, value)
            }
            Operation::Remove {
                target: Target::Attribute(path),
                only,
            } => {
                if path.is("members") {
                    match only {
                        Some(listed) => {
                            let ids: Result<Vec<_>, _> = listed.iter().map(listed_id).collect();
                            self.want(ids?, false);
                        }
                        None => self.empty(),
                    }
                    return Ok(());
                }
                if path.is("externalId") {
                    self.external_id = Some(None);
                    return Ok(());
                }
                Err(not_of_a_group(path))
            }
            Operation::Remove {
                target:
                    Target::Values {
                        attribute,
                        filter,
                        sub,
                    },
                ..
            } => {
                fixed(attribute, *sub)?;
                match chosen(filter).ok_or_else(unreadable)? {
                    Ids::Everybody => self.empty(),
                    Ids::These(ids) => self.want(ids, false),
                }
                Ok(())
            }
            Operation::Add {
                target:
                    Target::Values {
                        attribute,
                        filter,
                        sub,
                    },
                value,
            }
            | Operation::Replace {
                target:
                    Target::Values {
                        attribute,
                        filter,
                        sub,
                    },
                value,
            } => {
                fixed(attribute, *sub)?;
                self.write_chosen(filter, value, create)
            }
        }
    }

    /// `members[value eq "U"]` with an object: nothing about a member can change, but a stranger
    /// becomes one where unmatched filters create.
    fn write_chosen(&mut self, filter: &Filter, value: &Value, create: bool) -> Result<(), Error> {
        let Some(Ids::These(ids)) = chosen(filter) else {
            return Err(unreadable());
        };
        if let Some(given) = value.get("value") {
            if ids.iter().any(|id| given.as_str() != Some(id)) {
                return Err(Error::mutability(
                    "'members.value' cannot be changed; remove the member and add another.",
                ));
            }
            member(value)?;
        }
        if !create {
            return Err(Error::no_target(
                "Members are added by an operation with the path 'members' and a value.",
            ));
        }
        self.want(ids, true);
        Ok(())
    }

    fn set(&mut self, path: &AttributePath, value: &Value) -> Result<(), Error> {
        if path.is("displayName") {
            self.name = value.as_str().map(str::to_owned);
        } else if path.is("externalId") {
            self.external_id = Some(value.as_str().map(str::to_owned));
        } else {
            return Err(not_of_a_group(path));
        }
        Ok(())
    }

    fn empty(&mut self) {
        self.exchanged = true;
        self.order.clear();
        self.wanted.clear();
    }

    fn want(&mut self, ids: Vec<String>, wanted: bool) {
        for id in ids {
            if self.wanted.insert(id.clone(), wanted).is_none() {
                self.order.push(id);
            }
        }
    }

    fn into_changes(self) -> Vec<GroupChange> {
        let Self {
            name,
            external_id,
            exchanged,
            order,
            wanted,
        } = self;
        let (added, removed): (Vec<_>, Vec<_>) = order
            .into_iter()
            .partition(|id| wanted.get(id).copied().unwrap_or(false));
        let mut changes = Vec::new();
        changes.extend(name.map(GroupChange::Rename));
        changes.extend(external_id.map(GroupChange::ExternalId));
        match (exchanged, added.is_empty()) {
            (true, true) => changes.push(GroupChange::RemoveAllMembers),
            (true, false) => changes.push(GroupChange::ReplaceMembers(added)),
            (false, _) => {
                if !removed.is_empty() {
                    changes.push(GroupChange::RemoveMembers(removed));
                }
                if !added.is_empty() {
                    changes.push(GroupChange::AddMembers(added));
                }
            }
        }
        changes
    }
}

fn list(value: &Value) -> &[Value] {
    value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Whoever is to leave is named by id; of what kind does not matter.
fn listed_id(value: &Value) -> Result<String, Error> {
    value
        .get("value")
        .and_then(Value::as_str)
        .filter(|id| !id.trim().is_empty())
        .map(str::to_owned)
        .ok_or_else(|| Error::invalid_value("A member to remove has no 'value', the person's id."))
}

fn fixed(attribute: &AttributePath, sub: Option<&'static Attribute>) -> Result<(), Error> {
    match sub {
        None => Ok(()),
        Some(part) => Err(Error::mutability(format!(
            "'{attribute}.{}' cannot be changed; remove the member and add another.",
            part.name
        ))),
    }
}

fn not_of_a_group(path: &AttributePath) -> Error {
    Error::mutability(format!("'{path}' of a group cannot be changed."))
}

fn unreadable() -> Error {
    Error::invalid_path("Members are chosen by their ids: members[value eq \"…\"].")
}

/// The members that a filter chooses, as far as ids tell.
enum Ids {
    Everybody,
    These(Vec<String>),
}

fn chosen(filter: &Filter) -> Option<Ids> {
    match filter {
        Filter::Compare(comparison) => compared(comparison),
        Filter::Or(filters) => {
            let mut all = Vec::new();
            for filter in filters {
                match chosen(filter)? {
                    Ids::Everybody => return Some(Ids::Everybody),
                    Ids::These(ids) => all.extend(ids),
                }
            }
            Some(Ids::These(all))
        }
        Filter::And(filters) => {
            let mut common: Option<Vec<String>> = None;
            for filter in filters {
                if let Ids::These(ids) = chosen(filter)? {
                    common = Some(match common {
                        None => ids,
                        Some(before) => {
                            let ids: HashSet<_> = ids.into_iter().collect();
                            before.into_iter().filter(|id| ids.contains(id)).collect()
                        }
                    });
                }
            }
            Some(common.map_or(Ids::Everybody, Ids::These))
        }
        // Each member has an id.
        Filter::Present(path) if path.leaf().name == "value" => Some(Ids::Everybody),
        Filter::Present(_) | Filter::Not(_) | Filter::Values { .. } => None,
    }
}

fn compared(comparison: &Comparison) -> Option<Ids> {
    let Literal::Text(text) = comparison.literal() else {
        return None;
    };
    match (comparison.path().leaf().name, comparison.operator()) {
        ("value", Operator::Equal) => Some(Ids::These(vec![text.clone()])),
        // All members are users.
        ("type", Operator::Equal) if text.eq_ignore_ascii_case("User") => Some(Ids::Everybody),
        ("type", Operator::Equal) => Some(Ids::These(Vec::new())),
        _ => None,
    }
}
