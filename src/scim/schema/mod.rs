//! What is known about attributes: types, case, mutability, and how to find one by its path.
//!
//! Two views of each resource. [`USER`] and [`GROUP`] are the RFC's whole schemas: they type
//! filters and PATCH requests, so that what a provider sends is understood even where it is then
//! ignored. [`SERVED_USER`] and [`SERVED_GROUP`] are what the bridge keeps and advertises.

mod attribute;
mod enterprise;
mod group;
mod resource;
mod served;
mod shared;
mod user;

pub use attribute::{Attribute, Mutability, Returned, Type, Uniqueness};
pub use group::GROUP;
pub use resource::{ResourceSchema, Schema, Unresolved};
pub use served::{SERVED_ANY, SERVED_GROUP, SERVED_USER};
pub use user::USER;

/// The kinds of resource that the bridge serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `/Users`
    User,
    /// `/Groups`
    Group,
}

impl Kind {
    /// All of them, users first.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// What is served of it.
    pub fn schema(self) -> &'static ResourceSchema {
        match self {
            Self::User => &SERVED_USER,
            Self::Group => &SERVED_GROUP,
        }
    }
}

/// URN of the core User schema.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core Group schema.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise extension of User.
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
