//! Operations on the values of a list.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::scim::conform::is_primary;
use crate::scim::error::Error;
use crate::scim::filter::Filter;
use crate::scim::schema::{Attribute, Mutability};

/// Whether a value joins what is there or takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Add,
    Replace,
}

/// How many values a list of a user may have. Each operation looks through them, so without a
/// bound the cost of one request would grow with the square of its length.
const MAX_VALUES: usize = 1000;

/// Appends values, or exchanges the list.
pub(super) fn set_list(
    list: &mut Vec<Value>,
    attribute: &Attribute,
    given: &Value,
    change: Change,
) -> Result<(), Error> {
    if change == Change::Replace {
        list.clear();
    }
    let given = given
        .as_array()
        .map_or(std::slice::from_ref(given), Vec::as_slice);
    bounded(list.len() + given.len(), attribute)?;
    let mut places: HashMap<Identity, usize> = HashMap::with_capacity(list.len() + given.len());
    for (index, held) in list.iter().enumerate() {
        places.entry(identity(attribute, held)).or_insert(index);
    }
    let mut primary = None;
    for value in given {
        let index = match places.entry(identity(attribute, value)) {
            // RFC 7644 section 3.5.2.1: what is there already is not added again. RFC 7643
            // section 2.4: a pair of type and value is there once; it may learn new parts.
            Entry::Occupied(place) => {
                let index = *place.get();
                if let (Some(Value::Object(held)), Value::Object(given)) =
                    (list.get_mut(index), value)
                    && !is_keyed(attribute)
                {
                    held.extend(given.clone());
                }
                index
            }
            Entry::Vacant(place) => {
                list.push(value.clone());
                *place.insert(list.len() - 1)
            }
        };
        if is_primary(value) {
            primary = Some(index);
        }
    }
    if let Some(primary) = primary {
        demote_others(list, primary);
    }
    Ok(())
}

/// Sets a part of every value; an empty list gets a value with this part.
pub(super) fn set_part(
    list: &mut Vec<Value>,
    attribute: &Attribute,
    part: &Attribute,
    value: &Value,
) -> Result<(), Error> {
    if list.is_empty() {
        list.push(Value::Object(Map::new()));
    }
    let all: Vec<usize> = (0..list.len()).collect();
    set_part_of(list, &all, attribute, part, value)
}

/// Writes to the values that fulfil the filter.
///
/// RFC 7644 section 3.5.2.3: if there is none, the error is `noTarget`.
pub(super) fn write(
    list: &mut Vec<Value>,
    attribute: &Attribute,
    filter: &Filter,
    sub: Option<&'static Attribute>,
    value: &Value,
    change: Change,
    create: bool,
) -> Result<(), Error> {
    let mut chosen: Vec<usize> = list
        .iter()
        .enumerate()
        .filter(|(_, held)| filter.matches_value(held))
        .map(|(index, _)| index)
        .collect();
    let mut change = change;
    if chosen.is_empty() {
        let created = if create { described(filter) } else { None };
        let created = created.ok_or_else(|| {
            Error::no_target(format!(
                "No value of '{}' fulfils the filter in the path.",
                attribute.name
            ))
        })?;
        bounded(list.len() + 1, attribute)?;
        chosen.push(list.len());
        list.push(Value::Object(created));
        change = Change::Add;
    }
    match sub {
        Some(part) => set_part_of(list, &chosen, attribute, part, value),
        None => set_values(list, &chosen, attribute, value, change),
    }
}

/// The value that an equality filter describes: `type eq "work"` gives `{"type": "work"}`.
fn described(filter: &Filter) -> Option<Map<String, Value>> {
    let mut members = Map::new();
    for equality in filter.equalities()? {
        if equality.value.is_null() {
            return None;
        }
        members.insert(equality.path.leaf().name.to_owned(), equality.value);
    }
    Some(members)
}

fn set_part_of(
    list: &mut [Value],
    chosen: &[usize],
    attribute: &Attribute,
    part: &Attribute,
    value: &Value,
) -> Result<(), Error> {
    for index in chosen {
        if let Some(Value::Object(held)) = list.get_mut(*index) {
            if is_fixed(part, held, Some(value)) {
                return Err(immutable(attribute, part));
            }
            held.insert(part.name.to_owned(), value.clone());
        }
    }
    let sets_primary = part.name == "primary" && value == &Value::Bool(true);
    settle_primary(list, chosen, attribute, sets_primary)
}

fn set_values(
    list: &mut [Value],
    chosen: &[usize],
    attribute: &Attribute,
    value: &Value,
    change: Change,
) -> Result<(), Error> {
    let Value::Object(given) = value else {
        return Err(Error::invalid_value(format!(
            "A value of '{}' must be an object.",
            attribute.name
        )));
    };
    for index in chosen {
        let Some(Value::Object(held)) = list.get_mut(*index) else {
            continue;
        };
        for part in attribute.sub_attributes {
            if given.contains_key(part.name) && is_fixed(part, held, given.get(part.name)) {
                return Err(immutable(attribute, part));
            }
        }
        if change == Change::Replace {
            // RFC 7644 section 3.5.2.3: the values chosen by the filter are exchanged; what cannot
            // change stays.
            held.retain(|name, _| {
                attribute
                    .sub_attribute(name)
                    .is_some_and(|part| part.mutability == Mutability::Immutable)
            });
        }
        held.extend(given.clone());
    }
    settle_primary(list, chosen, attribute, is_primary(value))
}

/// RFC 7644 section 3.5.2: when an operation makes a value primary, the others cease to be.
fn settle_primary(
    list: &mut [Value],
    chosen: &[usize],
    attribute: &Attribute,
    sets_primary: bool,
) -> Result<(), Error> {
    match (sets_primary, chosen) {
        (false, _) | (true, []) => Ok(()),
        (true, [only]) => {
            demote_others(list, *only);
            Ok(())
        }
        (true, _) => Err(Error::invalid_value(format!(
            "The filter chooses several values of '{}'; only one can be primary.",
            attribute.name
        ))),
    }
}

fn demote_others(list: &mut [Value], primary: usize) {
    for (index, value) in list.iter_mut().enumerate() {
        if index != primary
            && is_primary(value)
            && let Some(members) = value.as_object_mut()
        {
            members.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}

/// Removes the values that fulfil the filter, or a part of them. None is a success: RFC 7644
/// section 3.5.2 wants the same answer when nothing has to change.
pub(super) fn remove(
    list: &mut Vec<Value>,
    attribute: &Attribute,
    filter: &Filter,
    sub: Option<&'static Attribute>,
) -> Result<(), Error> {
    match sub {
        None => list.retain(|held| !filter.matches_value(held)),
        Some(part) => {
            for held in list.iter_mut().filter(|held| filter.matches_value(held)) {
                take_part(held, attribute, part)?;
            }
            drop_empty(list);
        }
    }
    Ok(())
}

/// Removes a part of every value.
pub(super) fn remove_part(
    list: &mut Vec<Value>,
    attribute: &Attribute,
    part: &Attribute,
) -> Result<(), Error> {
    for held in list.iter_mut() {
        take_part(held, attribute, part)?;
    }
    drop_empty(list);
    Ok(())
}

fn take_part(held: &mut Value, attribute: &Attribute, part: &Attribute) -> Result<(), Error> {
    if let Some(members) = held.as_object_mut() {
        if is_fixed(part, members, None) {
            return Err(immutable(attribute, part));
        }
        members.remove(part.name);
    }
    Ok(())
}

fn drop_empty(list: &mut Vec<Value>) {
    list.retain(|held| held.as_object().is_none_or(|members| !members.is_empty()));
}

/// Removes the values that are like one of those listed: with the same `value`, or where none is
/// given with the same parts.
pub(super) fn remove_listed(list: &mut Vec<Value>, listed: &[Value]) {
    let by_value: HashSet<&str> = listed.iter().filter_map(value_of).collect();
    let by_parts: Vec<&Value> = listed
        .iter()
        .filter(|given| value_of(given).is_none())
        .collect();
    list.retain(|held| {
        !value_of(held).is_some_and(|value| by_value.contains(value))
            && !by_parts.iter().any(|given| has_parts(held, given))
    });
}

fn value_of(value: &Value) -> Option<&str> {
    value.get("value").and_then(Value::as_str)
}

fn has_parts(held: &Value, given: &Value) -> bool {
    match (held, given) {
        (Value::Object(held), Value::Object(given)) => given
            .iter()
            .all(|(name, part)| held.get(name) == Some(part)),
        (held, given) => held == given,
    }
}

/// What makes two values of a list one and the same.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    /// `value`, where it identifies.
    Key(String),
    /// `value` and `type`.
    Pair(String, Option<String>),
    /// Everything.
    Whole(Value),
}

fn identity(attribute: &Attribute, value: &Value) -> Identity {
    let part = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match part("value") {
        Some(key) if is_keyed(attribute) => Identity::Key(key),
        Some(text) => Identity::Pair(text, part("type")),
        None => Identity::Whole(value.clone()),
    }
}

fn bounded(length: usize, attribute: &Attribute) -> Result<(), Error> {
    if length > MAX_VALUES && !is_keyed(attribute) {
        return Err(Error::invalid_value(format!(
            "'{}' cannot have more than {MAX_VALUES} values.",
            attribute.name
        )));
    }
    Ok(())
}

/// Whether `value` identifies: members of a group, whose parts are immutable.
fn is_keyed(attribute: &Attribute) -> bool {
    attribute
        .value_attribute()
        .is_some_and(|value| value.mutability == Mutability::Immutable)
}

/// RFC 7643 section 7, `immutable`: what has been set cannot be set differently.
fn is_fixed(part: &Attribute, held: &Map<String, Value>, new: Option<&Value>) -> bool {
    part.mutability == Mutability::Immutable
        && held
            .get(part.name)
            .is_some_and(|old| !old.is_null() && Some(old) != new)
}

pub(super) fn immutable(attribute: &Attribute, part: &Attribute) -> Error {
    Error::mutability(format!(
        "'{}.{}' cannot be changed once it is set; remove the value and add another.",
        attribute.name, part.name
    ))
}
