//! One attribute's definition. RFC 7643 section 7.

/// The type of an attribute's values. RFC 7643 section 2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Type {
    String,
    Boolean,
    Decimal,
    Integer,
    DateTime,
    Binary,
    Reference,
    Complex,
}

impl Type {
    /// As written in a schema document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::DateTime => "dateTime",
            Self::Binary => "binary",
            Self::Reference => "reference",
            Self::Complex => "complex",
        }
    }
}

/// Who may change an attribute, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Mutability {
    ReadOnly,
    ReadWrite,
    Immutable,
    WriteOnly,
}

impl Mutability {
    /// As written in a schema document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "readOnly",
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::WriteOnly => "writeOnly",
        }
    }
}

/// When an attribute is part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Returned {
    Always,
    Never,
    Default,
    Request,
}

impl Returned {
    /// As written in a schema document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Default => "default",
            Self::Request => "request",
        }
    }
}

/// Among whom a value is unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the RFC's")]
pub enum Uniqueness {
    None,
    Server,
    Global,
}

impl Uniqueness {
    /// As written in a schema document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Server => "server",
            Self::Global => "global",
        }
    }
}

/// An attribute or sub-attribute. RFC 7643 section 7.
#[derive(Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name in its canonical spelling.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Type,
    /// Whether it holds a list.
    pub multi_valued: bool,
    /// A sentence for people who read the schema.
    pub description: &'static str,
    /// Whether a resource must have it.
    pub required: bool,
    /// Whether upper and lower case differ when values are compared.
    pub case_exact: bool,
    /// Who may change it.
    pub mutability: Mutability,
    /// When it is part of an answer.
    pub returned: Returned,
    /// Among whom its value is unique.
    pub uniqueness: Uniqueness,
    /// Values that are suggested for it.
    pub canonical_values: &'static [&'static str],
    /// For references: what may be referred to.
    pub reference_types: &'static [&'static str],
    /// For complex attributes: their parts.
    pub sub_attributes: &'static [Attribute],
}

/// RFC 7643 section 2.2: the characteristics of an attribute that states none.
pub(super) const STRING: Attribute = Attribute {
    name: "",
    kind: Type::String,
    multi_valued: false,
    description: "",
    required: false,
    case_exact: false,
    mutability: Mutability::ReadWrite,
    returned: Returned::Default,
    uniqueness: Uniqueness::None,
    canonical_values: &[],
    reference_types: &[],
    sub_attributes: &[],
};

/// A complex attribute with one value.
pub(super) const COMPLEX: Attribute = Attribute {
    kind: Type::Complex,
    ..STRING
};

/// A complex attribute with many values.
pub(super) const LIST: Attribute = Attribute {
    multi_valued: true,
    ..COMPLEX
};

/// The preferred value of a list. RFC 7643 section 2.4.
pub(super) const PRIMARY: Attribute = Attribute {
    name: "primary",
    kind: Type::Boolean,
    description: "Whether this is the preferred value; true for one value at most.",
    ..STRING
};

/// A name to show for a value. RFC 7643 section 2.4.
pub(super) const DISPLAY: Attribute = Attribute {
    name: "display",
    description: "A name to show for the value.",
    ..STRING
};

impl Attribute {
    /// The sub-attribute called `name`, in any case.
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.sub_attributes
            .iter()
            .find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// The sub-attribute that stands for the whole when none is named: `value`.
    ///
    /// RFC 7643 section 2.4: `value` holds the attribute's significant value.
    pub fn value_attribute(&self) -> Option<&'static Attribute> {
        self.sub_attribute("value")
    }

    /// Whether a client can never change it.
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }

    /// Whether its values are secrets: taken, never given.
    pub fn is_secret(&self) -> bool {
        self.returned == Returned::Never
    }
}
