//! Attributes that every resource has. RFC 7643 section 3.1 (and section 3 for `schemas`).

use super::attribute::{Attribute, COMPLEX, Mutability, Returned, STRING, Type, Uniqueness};

/// `schemas`, `id`, `externalId`, `meta`.
pub(super) static SHARED: &[Attribute] = &[
    Attribute {
        name: "schemas",
        kind: Type::Reference,
        multi_valued: true,
        description: "URNs of the schemas that the resource follows.",
        required: true,
        returned: Returned::Always,
        reference_types: &["uri"],
        ..STRING
    },
    Attribute {
        name: "id",
        description: "The server's identifier of the resource; it never changes.",
        case_exact: true,
        mutability: Mutability::ReadOnly,
        returned: Returned::Always,
        uniqueness: Uniqueness::Server,
        ..STRING
    },
    Attribute {
        name: "externalId",
        description: "The provider's identifier of the resource.",
        case_exact: true,
        ..STRING
    },
    Attribute {
        name: "meta",
        description: "What the server knows about the resource itself.",
        mutability: Mutability::ReadOnly,
        sub_attributes: &[
            Attribute {
                name: "resourceType",
                description: "The kind of resource.",
                ..FACT
            },
            Attribute {
                name: "created",
                kind: Type::DateTime,
                description: "When it was made.",
                ..FACT
            },
            Attribute {
                name: "lastModified",
                kind: Type::DateTime,
                description: "When it was last changed.",
                ..FACT
            },
            Attribute {
                name: "location",
                kind: Type::Reference,
                description: "Where it is found.",
                reference_types: &["uri"],
                ..FACT
            },
            Attribute {
                name: "version",
                description: "Its entity tag.",
                ..FACT
            },
        ],
        ..COMPLEX
    },
];

const FACT: Attribute = Attribute {
    case_exact: true,
    mutability: Mutability::ReadOnly,
    ..STRING
};
