//! The enterprise extension of User. RFC 7643 sections 4.3 and 8.7.1.

use super::ENTERPRISE_URN;
use super::attribute::{Attribute, COMPLEX, Mutability, STRING, Type};
use super::resource::Schema;

/// The extension as the RFC has it.
pub(super) static ENTERPRISE: Schema = Schema {
    urn: ENTERPRISE_URN,
    name: "EnterpriseUser",
    description: "Attributes of people who belong to an organisation",
    attributes: &[
        Attribute {
            name: "employeeNumber",
            description: "Number or code of the person.",
            ..STRING
        },
        Attribute {
            name: "costCenter",
            description: "Name of a cost centre.",
            ..STRING
        },
        Attribute {
            name: "organization",
            description: "Name of an organisation.",
            ..STRING
        },
        Attribute {
            name: "division",
            description: "Name of a division.",
            ..STRING
        },
        Attribute {
            name: "department",
            description: "Name of a department.",
            ..STRING
        },
        Attribute {
            name: "manager",
            description: "The person's manager.",
            sub_attributes: &[
                Attribute {
                    name: "value",
                    description: "The manager's id.",
                    ..STRING
                },
                Attribute {
                    name: "$ref",
                    kind: Type::Reference,
                    description: "Where the manager is found.",
                    reference_types: &["User"],
                    ..STRING
                },
                Attribute {
                    name: "displayName",
                    description: "The manager's name.",
                    mutability: Mutability::ReadOnly,
                    ..STRING
                },
            ],
            ..COMPLEX
        },
    ],
};
