//! The whole Group of the RFC. RFC 7643 sections 4.2 and 8.7.1.

use super::GROUP_URN;
use super::attribute::{Attribute, DISPLAY, LIST, Mutability, STRING, Type};
use super::resource::{ResourceSchema, Schema};
use super::shared::SHARED;

/// Group with every attribute of the core schema.
pub static GROUP: ResourceSchema = ResourceSchema {
    name: "Group",
    endpoint: "/Groups",
    description: "Group",
    shared: SHARED,
    core: &Schema {
        urn: GROUP_URN,
        name: "Group",
        description: "Group",
        attributes: &[
            Attribute {
                name: "displayName",
                required: true,
                ..STRING
            },
            Attribute {
                name: "members",
                sub_attributes: &[
                    Attribute {
                        name: "value",
                        mutability: Mutability::Immutable,
                        ..STRING
                    },
                    Attribute {
                        name: "$ref",
                        kind: Type::Reference,
                        reference_types: &["User", "Group"],
                        mutability: Mutability::Immutable,
                        ..STRING
                    },
                    Attribute {
                        name: "type",
                        canonical_values: &["User", "Group"],
                        mutability: Mutability::Immutable,
                        ..STRING
                    },
                    Attribute {
                        mutability: Mutability::Immutable,
                        ..DISPLAY
                    },
                ],
                ..LIST
            },
        ],
    },
    extensions: &[],
    kin: &[],
};
