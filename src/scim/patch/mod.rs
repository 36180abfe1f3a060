//! PATCH. RFC 7644 section 3.5.2.
//!
//! A request is read once, against a schema and a policy, into operations in which each path is
//! known and each value has its attribute's type. It is then either applied to a resource
//! ([`PatchRequest::apply`]) or, for groups, turned into changes that need no resource
//! ([`PatchRequest::group_changes`]).

mod apply;
mod group;
mod request;
mod values;

use serde_json::Value;

pub use group::GroupChange;

use super::error::Error;
use super::filter::Filter;
use super::path::AttributePath;
use super::policy::Policy;
use super::schema::{Attribute, ResourceSchema};

/// The schema URN of a PATCH body.
pub const PATCH_OP_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A PATCH body that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {
    schema: &'static ResourceSchema,
    policy: Policy,
    steps: Vec<Step>,
}

/// An operation and its place in the request, for errors.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    number: usize,
    operation: Operation,
}

/// One change. An operation without a path has been split into one for each attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Sets what is single, joins objects, appends to lists.
    Add {
        /// Where.
        target: Target,
        /// A value of the target's type.
        value: Value,
    },
    /// Sets what is single, joins objects, exchanges lists.
    Replace {
        /// Where.
        target: Target,
        /// A value of the target's type.
        value: Value,
    },
    /// Unassigns.
    Remove {
        /// Where.
        target: Target,
        /// For a whole list: only the values like these. [`Policy::remove_listed_values`].
        only: Option<Vec<Value>>,
    },
    /// Nothing, provided that the read-only attribute has this value already.
    /// [`Policy::unchanged_read_only`].
    Unchanged {
        /// The read-only attribute.
        path: AttributePath,
        /// The value that it should have.
        value: Value,
    },
}

/// What an operation works on.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// An attribute or a part of it.
    Attribute(AttributePath),
    /// Values of a list of objects, or a part of each of them.
    Values {
        /// The list.
        attribute: AttributePath,
        /// Which values.
        filter: Filter,
        /// The part.
        sub: Option<&'static Attribute>,
    },
}

impl Target {
    /// The attribute that the target is, or is in.
    pub fn attribute(&self) -> AttributePath {
        match self {
            Self::Attribute(path) => *path,
            Self::Values { attribute, .. } => *attribute,
        }
    }
}

impl PatchRequest {
    /// Reads a body.
    pub fn parse(
        body: &Value,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Self, Error> {
        request::parse(body, schema, policy)
    }

    /// The changes, in order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().map(|step| &step.operation)
    }

    /// Whether an operation is about this core attribute or a part of it.
    pub fn is_about(&self, attribute: &str) -> bool {
        self.operations().any(|operation| match operation {
            Operation::Add { target, .. }
            | Operation::Replace { target, .. }
            | Operation::Remove { target, .. } => {
                let path = target.attribute();
                path.extension().is_none() && path.attribute().name == attribute
            }
            Operation::Unchanged { .. } => false,
        })
    }

    /// Carries out all operations, or on an error none. Tells whether anything changed.
    ///
    /// RFC 7644 section 3.5.2: the operations are applied in order, and as one.
    pub fn apply(&self, resource: &mut Value) -> Result<bool, Error> {
        apply::apply(self, resource)
    }

    /// What the request does to the group with this id, without looking at its members.
    ///
    /// The list is short and in canonical order: at most one [`GroupChange::Rename`], one
    /// [`GroupChange::ExternalId`], then either [`GroupChange::RemoveMembers`] and
    /// [`GroupChange::AddMembers`], or one of [`GroupChange::ReplaceMembers`] and
    /// [`GroupChange::RemoveAllMembers`]. No list in it is empty, no id stands in two of them or
    /// twice in one.
    pub fn group_changes(&self, id: &str) -> Result<Vec<GroupChange>, Error> {
        group::changes(self, id)
    }

    /// Says which operation failed, where there are several.
    fn at(&self, step: &Step, error: Error) -> Error {
        locate(
            step.number,
            self.steps.last().map_or(0, |last| last.number),
            error,
        )
    }
}

fn locate(number: usize, last: usize, error: Error) -> Error {
    if last < 2 {
        return error;
    }
    Error {
        detail: format!("Operation {number}: {}", error.detail),
        ..error
    }
}

#[cfg(test)]
mod tests;
