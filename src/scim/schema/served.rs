//! What the bridge keeps and therefore advertises.
//!
//! Discovery is generated from these definitions and bodies are read by them, so the two cannot
//! drift apart.

use super::attribute::{
    Attribute, COMPLEX, DISPLAY, LIST, Mutability, PRIMARY, STRING, Type, Uniqueness,
};
use super::resource::{ResourceSchema, Schema};
use super::shared::SHARED;
use super::{GROUP_URN, USER_URN};

/// The User that round-trips through the bridge.
pub static SERVED_USER: ResourceSchema = ResourceSchema {
    name: "User",
    endpoint: "/Users",
    description: "A person who is a member of the 1Password account",
    shared: SHARED,
    core: &CORE_USER,
    extensions: &[],
    kin: &[],
};

/// Users and groups together, for filters and orders of a search over both. RFC 7644 section
/// 3.4.2.1: an attribute that a resource's kind does not have is one without a value.
pub static SERVED_ANY: ResourceSchema = ResourceSchema {
    name: "Resource",
    endpoint: "/",
    description: "A user or a group",
    shared: SHARED,
    core: &CORE_USER,
    extensions: &[],
    kin: &[&SERVED_GROUP],
};

static CORE_USER: Schema = Schema {
    urn: USER_URN,
    name: "User",
    description: "A person who is a member of the 1Password account",
    attributes: &[
        Attribute {
            name: "userName",
            description: "The person's e-mail address in the account.",
            required: true,
            uniqueness: Uniqueness::Server,
            ..STRING
        },
        Attribute {
            name: "name",
            description: "The parts of the person's name.",
            sub_attributes: &[
                Attribute {
                    name: "formatted",
                    description: "The whole name, ready to be shown.",
                    ..STRING
                },
                Attribute {
                    name: "familyName",
                    description: "The family name.",
                    ..STRING
                },
                Attribute {
                    name: "givenName",
                    description: "The given name.",
                    ..STRING
                },
            ],
            ..COMPLEX
        },
        Attribute {
            name: "displayName",
            description: "The name shown in 1Password.",
            ..STRING
        },
        Attribute {
            name: "preferredLanguage",
            description: "The language of the account's e-mails to the person.",
            ..STRING
        },
        Attribute {
            name: "active",
            kind: Type::Boolean,
            description: "False while the person is suspended.",
            ..STRING
        },
        Attribute {
            name: "emails",
            description: "E-mail addresses of the person.",
            sub_attributes: &[
                Attribute {
                    name: "value",
                    description: "An e-mail address.",
                    ..STRING
                },
                DISPLAY,
                Attribute {
                    name: "type",
                    description: "What the address is for.",
                    canonical_values: &["work", "home", "other"],
                    ..STRING
                },
                PRIMARY,
            ],
            ..LIST
        },
        Attribute {
            name: "groups",
            description: "The managed groups that the person is in; changed through Group.",
            mutability: Mutability::ReadOnly,
            sub_attributes: &[
                Attribute {
                    name: "value",
                    description: "The group's id.",
                    case_exact: true,
                    mutability: Mutability::ReadOnly,
                    ..STRING
                },
                Attribute {
                    name: "$ref",
                    kind: Type::Reference,
                    description: "Where the group is found.",
                    case_exact: true,
                    reference_types: &["Group"],
                    mutability: Mutability::ReadOnly,
                    ..STRING
                },
                Attribute {
                    mutability: Mutability::ReadOnly,
                    description: "The group's name.",
                    ..DISPLAY
                },
                Attribute {
                    name: "type",
                    description: "How the person came to be in the group.",
                    canonical_values: &["direct"],
                    mutability: Mutability::ReadOnly,
                    ..STRING
                },
            ],
            ..LIST
        },
    ],
};

/// The Group that round-trips through the bridge.
pub static SERVED_GROUP: ResourceSchema = ResourceSchema {
    name: "Group",
    endpoint: "/Groups",
    description: "A managed group of the 1Password account",
    shared: SHARED,
    core: &Schema {
        urn: GROUP_URN,
        name: "Group",
        description: "A managed group of the 1Password account",
        attributes: &[
            Attribute {
                name: "displayName",
                description: "The group's name; no two managed groups have the same.",
                required: true,
                uniqueness: Uniqueness::Server,
                ..STRING
            },
            Attribute {
                name: "members",
                description: "The people in the group.",
                sub_attributes: &[
                    Attribute {
                        name: "value",
                        description: "The person's id.",
                        case_exact: true,
                        mutability: Mutability::Immutable,
                        ..STRING
                    },
                    Attribute {
                        name: "$ref",
                        kind: Type::Reference,
                        description: "Where the person is found.",
                        case_exact: true,
                        reference_types: &["User"],
                        mutability: Mutability::Immutable,
                        ..STRING
                    },
                    Attribute {
                        name: "type",
                        description: "The kind of member.",
                        canonical_values: &["User"],
                        mutability: Mutability::Immutable,
                        ..STRING
                    },
                    Attribute {
                        mutability: Mutability::ReadOnly,
                        description: "The person's name.",
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
