//! The whole User of the RFC. RFC 7643 sections 4.1 and 8.7.1.

use super::USER_URN;
use super::attribute::{
    Attribute, COMPLEX, DISPLAY, LIST, Mutability, PRIMARY, Returned, STRING, Type, Uniqueness,
};
use super::enterprise::ENTERPRISE;
use super::resource::{ResourceSchema, Schema};
use super::shared::SHARED;

/// User with every attribute of the core schema and the enterprise extension.
pub static USER: ResourceSchema = ResourceSchema {
    name: "User",
    endpoint: "/Users",
    description: "User Account",
    shared: SHARED,
    core: &Schema {
        urn: USER_URN,
        name: "User",
        description: "User Account",
        attributes: &[
            Attribute {
                name: "userName",
                description: "The name by which the person is known to the server.",
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
                        ..STRING
                    },
                    Attribute {
                        name: "familyName",
                        ..STRING
                    },
                    Attribute {
                        name: "givenName",
                        ..STRING
                    },
                    Attribute {
                        name: "middleName",
                        ..STRING
                    },
                    Attribute {
                        name: "honorificPrefix",
                        ..STRING
                    },
                    Attribute {
                        name: "honorificSuffix",
                        ..STRING
                    },
                ],
                ..COMPLEX
            },
            Attribute {
                name: "displayName",
                ..STRING
            },
            Attribute {
                name: "nickName",
                ..STRING
            },
            Attribute {
                name: "profileUrl",
                kind: Type::Reference,
                reference_types: &["external"],
                ..STRING
            },
            Attribute {
                name: "title",
                ..STRING
            },
            Attribute {
                name: "userType",
                ..STRING
            },
            Attribute {
                name: "preferredLanguage",
                ..STRING
            },
            Attribute {
                name: "locale",
                ..STRING
            },
            Attribute {
                name: "timezone",
                ..STRING
            },
            Attribute {
                name: "active",
                kind: Type::Boolean,
                ..STRING
            },
            Attribute {
                name: "password",
                mutability: Mutability::WriteOnly,
                returned: Returned::Never,
                ..STRING
            },
            Attribute {
                name: "emails",
                sub_attributes: &[
                    VALUE,
                    DISPLAY,
                    Attribute {
                        canonical_values: &["work", "home", "other"],
                        ..TYPE
                    },
                    PRIMARY,
                ],
                ..LIST
            },
            Attribute {
                name: "phoneNumbers",
                sub_attributes: &[
                    VALUE,
                    DISPLAY,
                    Attribute {
                        canonical_values: &["work", "home", "mobile", "fax", "pager", "other"],
                        ..TYPE
                    },
                    PRIMARY,
                ],
                ..LIST
            },
            Attribute {
                name: "ims",
                sub_attributes: &[
                    VALUE,
                    DISPLAY,
                    Attribute {
                        canonical_values: &[
                            "aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo",
                        ],
                        ..TYPE
                    },
                    PRIMARY,
                ],
                ..LIST
            },
            Attribute {
                name: "photos",
                sub_attributes: &[
                    Attribute {
                        kind: Type::Reference,
                        reference_types: &["external"],
                        ..VALUE
                    },
                    DISPLAY,
                    Attribute {
                        canonical_values: &["photo", "thumbnail"],
                        ..TYPE
                    },
                    PRIMARY,
                ],
                ..LIST
            },
            Attribute {
                name: "addresses",
                sub_attributes: &[
                    Attribute {
                        name: "formatted",
                        ..STRING
                    },
                    Attribute {
                        name: "streetAddress",
                        ..STRING
                    },
                    Attribute {
                        name: "locality",
                        ..STRING
                    },
                    Attribute {
                        name: "region",
                        ..STRING
                    },
                    Attribute {
                        name: "postalCode",
                        ..STRING
                    },
                    Attribute {
                        name: "country",
                        ..STRING
                    },
                    Attribute {
                        canonical_values: &["work", "home", "other"],
                        ..TYPE
                    },
                    PRIMARY,
                ],
                ..LIST
            },
            Attribute {
                name: "groups",
                mutability: Mutability::ReadOnly,
                sub_attributes: &[
                    Attribute {
                        mutability: Mutability::ReadOnly,
                        ..VALUE
                    },
                    Attribute {
                        name: "$ref",
                        kind: Type::Reference,
                        reference_types: &["User", "Group"],
                        mutability: Mutability::ReadOnly,
                        ..STRING
                    },
                    Attribute {
                        mutability: Mutability::ReadOnly,
                        ..DISPLAY
                    },
                    Attribute {
                        canonical_values: &["direct", "indirect"],
                        mutability: Mutability::ReadOnly,
                        ..TYPE
                    },
                ],
                ..LIST
            },
            Attribute {
                name: "entitlements",
                sub_attributes: &[VALUE, DISPLAY, TYPE, PRIMARY],
                ..LIST
            },
            Attribute {
                name: "roles",
                sub_attributes: &[VALUE, DISPLAY, TYPE, PRIMARY],
                ..LIST
            },
            Attribute {
                name: "x509Certificates",
                sub_attributes: &[
                    Attribute {
                        kind: Type::Binary,
                        case_exact: true,
                        ..VALUE
                    },
                    DISPLAY,
                    TYPE,
                    PRIMARY,
                ],
                ..LIST
            },
        ],
    },
    extensions: &[&ENTERPRISE],
    kin: &[],
};

const VALUE: Attribute = Attribute {
    name: "value",
    ..STRING
};
const TYPE: Attribute = Attribute {
    name: "type",
    ..STRING
};
