//! From a body to operations.

use serde_json::{Map, Value};

use super::{Operation, PATCH_OP_URN, PatchRequest, Step, Target, locate};
use crate::scim::conform::{Origin, conform};
use crate::scim::error::Error;
use crate::scim::lookup;
use crate::scim::path::{AttributePath, Path, unresolved};
use crate::scim::policy::Policy;
use crate::scim::schema::{ResourceSchema, Schema, Unresolved};

pub(super) fn parse(
    body: &Value,
    schema: &'static ResourceSchema,
    policy: &Policy,
) -> Result<PatchRequest, Error> {
    let members = body
        .as_object()
        .ok_or_else(|| Error::invalid_syntax("A PATCH body must be a JSON object."))?;
    // RFC 7644 section 3.5.2: the body has this schema and the member Operations.
    let is_patch = match lookup::assigned(members, "schemas") {
        Some(Value::Array(urns)) => urns
            .iter()
            .filter_map(Value::as_str)
            .any(|urn| urn.eq_ignore_ascii_case(PATCH_OP_URN)),
        _ => false,
    };
    if !is_patch {
        return Err(Error::invalid_syntax(format!(
            "'schemas' must contain {PATCH_OP_URN}."
        )));
    }
    let operations = lookup::assigned(members, "Operations")
        .and_then(Value::as_array)
        .filter(|operations| !operations.is_empty())
        .ok_or_else(|| {
            Error::invalid_syntax("'Operations' must be a list of at least one operation.")
        })?;
    let mut reader = Reader {
        schema,
        policy,
        number: 0,
        steps: Vec::with_capacity(operations.len()),
    };
    for operation in operations {
        reader.number += 1;
        reader
            .operation(operation)
            .map_err(|error| locate(reader.number, operations.len(), error))?;
    }
    Ok(PatchRequest {
        schema,
        policy: *policy,
        steps: reader.steps,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// Whether the client wrote the path, or sent an object instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelt {
    AsPath,
    AsMember,
}

struct Reader<'p> {
    schema: &'static ResourceSchema,
    policy: &'p Policy,
    number: usize,
    steps: Vec<Step>,
}

impl Reader<'_> {
    fn push(&mut self, operation: Operation) {
        self.steps.push(Step {
            number: self.number,
            operation,
        });
    }

    fn operation(&mut self, operation: &Value) -> Result<(), Error> {
        let members = operation
            .as_object()
            .ok_or_else(|| Error::invalid_syntax("An operation must be a JSON object."))?;
        let verb = self.verb(members)?;
        let path = match lookup::assigned(members, "path") {
            None => None,
            Some(Value::String(text)) if text.is_empty() && self.policy.empty_path => None,
            Some(Value::String(text)) => Some(Path::parse(text, self.schema, self.policy)?),
            Some(_) => return Err(Error::invalid_path("'path' must be a string.")),
        };
        let value = lookup::member(members, "value");
        match (verb, path, value) {
            // RFC 7644 section 3.5.2.2: without a path there is nothing to remove.
            (Verb::Remove, None, _) => Err(Error::no_target(
                "'remove' needs a 'path' that says what to remove.",
            )),
            (Verb::Remove, Some(path), value) => {
                self.with_path(verb, path, value.unwrap_or(&Value::Null))
            }
            (_, _, None) => Err(Error::invalid_value("'add' and 'replace' need a 'value'.")),
            (_, Some(path), Some(value)) => self.with_path(verb, path, value),
            (_, None, Some(value)) => self.without_path(verb, value),
        }
    }

    fn verb(&self, members: &Map<String, Value>) -> Result<Verb, Error> {
        let word = lookup::assigned(members, "op")
            .and_then(Value::as_str)
            .unwrap_or_default();
        [
            ("add", Verb::Add),
            ("replace", Verb::Replace),
            ("remove", Verb::Remove),
        ]
        .into_iter()
        .find(|(name, _)| {
            *name == word || self.policy.op_in_any_case && name.eq_ignore_ascii_case(word)
        })
        .map(|(_, verb)| verb)
        .ok_or_else(|| Error::invalid_syntax("'op' must be 'add', 'replace' or 'remove'."))
    }

    /// RFC 7644 sections 3.5.2.1 and 3.5.2.3: without a path, the value is an object of attributes.
    fn without_path(&mut self, verb: Verb, value: &Value) -> Result<(), Error> {
        let members = value.as_object().ok_or_else(|| {
            Error::invalid_value("Without a 'path', 'value' must be an object of attributes.")
        })?;
        for (name, value) in members {
            self.member(verb, name, value)?;
        }
        Ok(())
    }

    fn member(&mut self, verb: Verb, name: &str, value: &Value) -> Result<(), Error> {
        if name.eq_ignore_ascii_case(self.schema.core.urn) {
            let members = value
                .as_object()
                .ok_or_else(|| not_an_object(self.schema.core.urn))?;
            for (name, value) in members {
                let attribute = self
                    .schema
                    .attribute(name)
                    .ok_or_else(|| unresolved(name, Unresolved::UnknownAttribute))?;
                self.attribute(
                    verb,
                    AttributePath::new(None, attribute, None),
                    value,
                    Spelt::AsMember,
                )?;
            }
            return Ok(());
        }
        if let Some(extension) = self.schema.extension(name) {
            return self.extension(verb, extension, value);
        }
        if let Some(attribute) = self.schema.attribute(name) {
            return self.attribute(
                verb,
                AttributePath::new(None, attribute, None),
                value,
                Spelt::AsMember,
            );
        }
        if self.policy.path_keys {
            match Path::parse(name, self.schema, self.policy) {
                Ok(Path::Attribute(path)) => {
                    return self.attribute(verb, path, value, Spelt::AsMember);
                }
                Ok(path) => return self.with_path(verb, path, value),
                // Below, an unknown extension may still be passed over.
                Err(error) if !(self.policy.unknown_members && is_extension(name, value)) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        if self.policy.unknown_members && is_extension(name, value) {
            return Ok(());
        }
        Err(unresolved(name, Unresolved::UnknownAttribute))
    }

    fn extension(
        &mut self,
        verb: Verb,
        extension: &'static Schema,
        value: &Value,
    ) -> Result<(), Error> {
        if value.is_null() || verb == Verb::Remove {
            if verb != Verb::Add {
                for attribute in extension.attributes {
                    let path = AttributePath::new(Some(extension), attribute, None);
                    self.push(Operation::Remove {
                        target: Target::Attribute(path),
                        only: None,
                    });
                }
            }
            return Ok(());
        }
        for (name, value) in value
            .as_object()
            .ok_or_else(|| not_an_object(extension.urn))?
        {
            match extension.attribute(name) {
                Some(attribute) => {
                    let path = AttributePath::new(Some(extension), attribute, None);
                    self.attribute(verb, path, value, Spelt::AsMember)?;
                }
                None if self.policy.unknown_members => {}
                None => return Err(unresolved(name, Unresolved::UnknownAttribute)),
            }
        }
        Ok(())
    }

    fn with_path(&mut self, verb: Verb, path: Path, value: &Value) -> Result<(), Error> {
        match path {
            Path::Extension(extension) => self.extension(verb, extension, value),
            Path::Attribute(path) => self.attribute(verb, path, value, Spelt::AsPath),
            Path::Values {
                attribute,
                filter,
                sub,
            } => {
                let definition = sub.unwrap_or(attribute.attribute());
                if attribute.attribute().is_read_only() || definition.is_read_only() {
                    return Err(read_only(&attribute));
                }
                let target = Target::Values {
                    attribute,
                    filter,
                    sub,
                };
                if verb == Verb::Remove {
                    self.push(Operation::Remove { target, only: None });
                    return Ok(());
                }
                let value = match conform(definition, value, Origin::Patch, self.policy)? {
                    Value::Array(values) => {
                        let mut values = values.into_iter();
                        match (values.next(), values.next()) {
                            (Some(value), None) => value,
                            _ => {
                                return Err(Error::invalid_value(format!(
                                    "A filter on '{attribute}' goes with one value, not with a list."
                                )));
                            }
                        }
                    }
                    value => value,
                };
                self.write(verb, target, value)
            }
        }
    }

    fn attribute(
        &mut self,
        verb: Verb,
        path: AttributePath,
        value: &Value,
        spelt: Spelt,
    ) -> Result<(), Error> {
        let attribute = path.attribute();
        // A secret is taken without being looked at: nothing here can print it.
        if attribute.is_secret() {
            return Ok(());
        }
        if attribute.is_read_only() || path.leaf().is_read_only() {
            return self.read_only(verb, path, value, spelt);
        }
        if path.is("schemas") {
            return schemas(verb, value);
        }
        let target = Target::Attribute(path);
        if verb == Verb::Remove {
            if path.leaf().required {
                return Err(required(&path));
            }
            let listed =
                self.policy.remove_listed_values && path.leaf().multi_valued && !value.is_null();
            let only = match listed {
                true => match conform(path.leaf(), value, Origin::Body, self.policy)? {
                    Value::Array(values) => Some(values),
                    _ => Some(Vec::new()),
                },
                false => None,
            };
            self.push(Operation::Remove { target, only });
            return Ok(());
        }
        let value = conform(path.leaf(), value, Origin::Patch, self.policy)?;
        if value.is_null() && verb == Verb::Replace && path.leaf().required {
            return Err(required(&path));
        }
        self.write(verb, target, value)
    }

    /// RFC 7643 section 2.5: null and an empty list unassign, so replacing by them removes, and
    /// adding them adds nothing.
    fn write(&mut self, verb: Verb, target: Target, value: Value) -> Result<(), Error> {
        match (verb, value) {
            (Verb::Add, Value::Null) => {}
            (_, Value::Null) => self.push(Operation::Remove { target, only: None }),
            (Verb::Add, value) => self.push(Operation::Add { target, value }),
            (_, value) => self.push(Operation::Replace { target, value }),
        }
        Ok(())
    }

    /// RFC 7644 section 3.5.2: what is read-only must not be changed.
    fn read_only(
        &mut self,
        verb: Verb,
        path: AttributePath,
        value: &Value,
        spelt: Spelt,
    ) -> Result<(), Error> {
        if verb == Verb::Remove || !self.policy.unchanged_read_only {
            return Err(read_only(&path));
        }
        if spelt == Spelt::AsPath || (path.is("id") && !value.is_null()) {
            self.push(Operation::Unchanged {
                path,
                value: value.clone(),
            });
        }
        Ok(())
    }
}

/// The server keeps `schemas` itself: what a client sends must be a list of URNs, and is then
/// passed over.
fn schemas(verb: Verb, value: &Value) -> Result<(), Error> {
    if verb == Verb::Remove {
        return Err(Error::mutability(
            "'schemas' is required and cannot be removed.",
        ));
    }
    match value {
        Value::Array(urns) if urns.iter().all(Value::is_string) => Ok(()),
        Value::String(_) => Ok(()),
        _ => Err(Error::invalid_value("'schemas' must be a list of strings.")),
    }
}

fn is_extension(name: &str, value: &Value) -> bool {
    value.is_object() && name.contains(':') && !name.contains('[')
}

fn not_an_object(urn: &str) -> Error {
    Error::invalid_value(format!("'{urn}' must be an object of attributes."))
}

fn read_only(path: &AttributePath) -> Error {
    Error::mutability(format!("'{path}' is read-only."))
}

/// RFC 7644 section 3.5.2.2: a required attribute cannot be unassigned; the keyword is `mutability`.
fn required(path: &AttributePath) -> Error {
    Error::mutability(format!("'{path}' is required and cannot be removed."))
}
