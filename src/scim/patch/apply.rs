//! Operations on a resource.

use serde_json::{Map, Value};

use super::values::{self, Change};
use super::{Operation, PatchRequest, Step, Target};
use crate::scim::error::Error;
use crate::scim::path::AttributePath;
use crate::scim::schema::{Attribute, Mutability, Schema, Type};

pub(super) fn apply(request: &PatchRequest, resource: &mut Value) -> Result<bool, Error> {
    let Some(before) = resource.as_object() else {
        return Err(Error::invalid_syntax("A resource must be a JSON object."));
    };
    // RFC 7644 section 3.5.2: if one operation fails the resource stays as it was.
    let mut after = before.clone();
    for step in &request.steps {
        carry_out(request, step, &mut after).map_err(|error| request.at(step, error))?;
    }
    for extension in request.schema.extensions {
        if request
            .steps
            .iter()
            .any(|step| touches(&step.operation, extension))
        {
            announce(extension, &mut after);
        }
    }
    let changed = after != *before;
    if changed {
        *resource = Value::Object(after);
    }
    Ok(changed)
}

fn carry_out(
    request: &PatchRequest,
    step: &Step,
    resource: &mut Map<String, Value>,
) -> Result<(), Error> {
    match &step.operation {
        Operation::Unchanged { path, value } => unchanged(path, value, resource),
        Operation::Remove {
            target: Target::Attribute(path),
            only,
        } => match container(resource, path, false) {
            Some(container) => remove(container, path, only.as_deref()),
            None => Ok(()),
        },
        Operation::Remove {
            target:
                Target::Values {
                    attribute,
                    filter,
                    sub,
                },
            ..
        } => {
            let Some(container) = container(resource, attribute, false) else {
                return Ok(());
            };
            with_list(container, attribute.attribute(), |list| {
                values::remove(list, attribute.attribute(), filter, *sub)
            })
        }
        Operation::Add { target, value } => write(request, target, value, Change::Add, resource),
        Operation::Replace { target, value } => {
            write(request, target, value, Change::Replace, resource)
        }
    }
}

fn write(
    request: &PatchRequest,
    target: &Target,
    value: &Value,
    change: Change,
    resource: &mut Map<String, Value>,
) -> Result<(), Error> {
    let path = target.attribute();
    let Some(container) = container(resource, &path, true) else {
        return Err(Error::invalid_syntax(
            "An extension of the resource is not an object.",
        ));
    };
    match target {
        Target::Values {
            attribute,
            filter,
            sub,
        } => with_list(container, attribute.attribute(), |list| {
            let create = request.policy.create_unmatched;
            values::write(
                list,
                attribute.attribute(),
                filter,
                *sub,
                value,
                change,
                create,
            )
        }),
        Target::Attribute(path) => set(container, path, value, change),
    }
}

fn set(
    container: &mut Map<String, Value>,
    path: &AttributePath,
    value: &Value,
    change: Change,
) -> Result<(), Error> {
    let attribute = path.attribute();
    match path.sub_attribute() {
        Some(part) if attribute.multi_valued => with_list(container, attribute, |list| {
            values::set_part(list, attribute, part, value)
        }),
        Some(part) => {
            let mut members = Map::new();
            members.insert(part.name.to_owned(), value.clone());
            join(container, attribute, &members);
            Ok(())
        }
        None if attribute.multi_valued => with_list(container, attribute, |list| {
            values::set_list(list, attribute, value, change)
        }),
        None => {
            match value {
                // RFC 7644 sections 3.5.2.1 and 3.5.2.3: of an object only the parts named are set.
                Value::Object(members) => join(container, attribute, members),
                value => {
                    container.insert(attribute.name.to_owned(), value.clone());
                }
            }
            Ok(())
        }
    }
}

/// Sets the parts named; null unassigns a part.
fn join(container: &mut Map<String, Value>, attribute: &Attribute, parts: &Map<String, Value>) {
    let mut joined = match container.remove(attribute.name) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    for (name, part) in parts {
        if part.is_null() {
            joined.remove(name);
        } else {
            joined.insert(name.clone(), part.clone());
        }
    }
    if !joined.is_empty() {
        container.insert(attribute.name.to_owned(), Value::Object(joined));
    }
}

fn remove(
    container: &mut Map<String, Value>,
    path: &AttributePath,
    only: Option<&[Value]>,
) -> Result<(), Error> {
    let attribute = path.attribute();
    match (path.sub_attribute(), only) {
        (None, None) => {
            container.remove(attribute.name);
            Ok(())
        }
        (None, Some(listed)) => with_list(container, attribute, |list| {
            values::remove_listed(list, listed);
            Ok(())
        }),
        (Some(part), _) if attribute.multi_valued => with_list(container, attribute, |list| {
            values::remove_part(list, attribute, part)
        }),
        (Some(part), _) => {
            if let Some(Value::Object(members)) = container.get_mut(attribute.name) {
                if part.mutability == Mutability::Immutable && members.contains_key(part.name) {
                    return Err(values::immutable(attribute, part));
                }
                members.remove(part.name);
                if members.is_empty() {
                    container.remove(attribute.name);
                }
            }
            Ok(())
        }
    }
}

/// Works on a list, which may be absent before and is absent after if it is empty.
fn with_list(
    container: &mut Map<String, Value>,
    attribute: &Attribute,
    work: impl FnOnce(&mut Vec<Value>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut list = match container.remove(attribute.name) {
        Some(Value::Array(values)) => values,
        None | Some(Value::Null) => Vec::new(),
        Some(one) => vec![one],
    };
    work(&mut list)?;
    if !list.is_empty() {
        container.insert(attribute.name.to_owned(), Value::Array(list));
    }
    Ok(())
}

/// The object that holds the attribute: the resource, or that of an extension.
fn container<'r>(
    resource: &'r mut Map<String, Value>,
    path: &AttributePath,
    create: bool,
) -> Option<&'r mut Map<String, Value>> {
    let Some(extension) = path.extension() else {
        return Some(resource);
    };
    if create {
        let held = resource.entry(extension.urn).or_insert(Value::Null);
        if held.is_null() {
            *held = Value::Object(Map::new());
        }
    }
    resource
        .get_mut(extension.urn)
        .and_then(Value::as_object_mut)
}

fn touches(operation: &Operation, extension: &Schema) -> bool {
    let path = match operation {
        Operation::Add { target, .. }
        | Operation::Replace { target, .. }
        | Operation::Remove { target, .. } => target.attribute(),
        Operation::Unchanged { path, .. } => *path,
    };
    path.extension()
        .is_some_and(|touched| touched.urn == extension.urn)
}

/// RFC 7643 section 3: `schemas` names the schemas whose attributes the resource has.
fn announce(extension: &Schema, resource: &mut Map<String, Value>) {
    let is_empty = resource
        .get(extension.urn)
        .is_none_or(|value| value.as_object().is_none_or(Map::is_empty));
    if is_empty {
        resource.remove(extension.urn);
    }
    if let Some(Value::Array(urns)) = resource.get_mut("schemas") {
        let named = |urn: &Value| {
            urn.as_str()
                .is_some_and(|urn| urn.eq_ignore_ascii_case(extension.urn))
        };
        if is_empty {
            urns.retain(|urn| !named(urn));
        } else if !urns.iter().any(named) {
            urns.push(Value::from(extension.urn));
        }
    }
}

/// A read-only attribute may be named if it has this value already.
fn unchanged(
    path: &AttributePath,
    value: &Value,
    resource: &Map<String, Value>,
) -> Result<(), Error> {
    let held = match path.extension() {
        None => resource.get(path.attribute().name),
        Some(extension) => resource
            .get(extension.urn)
            .and_then(|held| held.get(path.attribute().name)),
    };
    let held = match path.sub_attribute() {
        None => held,
        Some(part) => held.and_then(|held| held.get(part.name)),
    };
    let same = match (held, value) {
        (Some(Value::Object(held)), Value::Object(given)) if path.leaf().kind == Type::Complex => {
            given
                .iter()
                .all(|(name, part)| held.get(name) == Some(part))
        }
        (Some(held), value) => held == value,
        (None, value) => value.is_null() || value.as_array().is_some_and(Vec::is_empty),
    };
    if same {
        Ok(())
    } else {
        Err(Error::mutability(format!(
            "'{path}' is read-only and has another value."
        )))
    }
}
