//! Which habits of providers are tolerated beyond the letter of the RFCs.
//!
//! Each field is one habit, with the client that has it. Pure functions are strict by default;
//! the bridge serves real providers and uses [`Policy::compatible`].

/// A set of tolerances. `false` is always the letter of the RFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    // ----- filters -----
    /// `externalId eq jyoung`: a value without quotes, on the attributes that providers match by.
    /// Microsoft's documentation and Postman collection for Entra ID; RFC 9865 has one by mistake.
    pub unquoted_filter_values: bool,
    /// Several spaces, tabs, spaces inside brackets, none where a bracket or quote already parts.
    /// Microsoft's Postman collection, hand-written filters, double-encoded URLs.
    pub loose_filter_spaces: bool,
    /// `emails[type eq "work"].value eq "a@b"`: figure 1 of RFC 7644 knows no sub-attribute behind
    /// a value path in a filter. Entra ID asks so when it matches by e-mail.
    pub filtered_sub_attributes: bool,
    /// `id eq "U" and manager eq "M"`: Entra ID's reference check, sent without the extension's URN
    /// and whether or not the server has managers. It is understood, and matches where it is true.
    pub manager_reference_check: bool,

    // ----- values, in bodies, PATCH and filters -----
    /// `"active": "True"`: booleans as strings, in any case.
    /// Entra ID without its `aadOptscim062020` flag, OneLogin's templates.
    pub booleans_as_strings: bool,
    /// A bare string where an object with `value` belongs: `"members": ["U"]`, `"manager": "M"`;
    /// also an array of one object for a single-valued one.
    /// Microsoft's Postman collection, Entra ID's manager.
    pub bare_values: bool,
    /// An empty string, or an object whose `value` is empty, unassigns a complex attribute.
    /// Entra ID empties `manager` so.
    pub empty_value_unassigns: bool,
    /// Unknown members inside an object of a PATCH value are passed over, as in POST and PUT, and
    /// so are objects of extensions that are not known here.
    /// Okta and OneLogin with custom attributes.
    pub unknown_members: bool,
    /// A POST or PUT body without `schemas`. OneLogin's and Rippling's editable templates.
    pub absent_schemas: bool,

    // ----- PATCH -----
    /// `"op": "Replace"`: operations in any case. Entra ID.
    pub op_in_any_case: bool,
    /// `"path": ""` is the same as no path. Scripts built on Microsoft's samples.
    pub empty_path: bool,
    /// Without a path, the members of `value` may be paths themselves: `"name.givenName"`,
    /// `"emails[type eq \"work\"].value"`, `"urn:…:User:department"`. Entra ID with its flag.
    pub path_keys: bool,
    /// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.manager`: a dot instead of the
    /// last colon. Entra ID in older mappings.
    pub dotted_urns: bool,
    /// Adding or replacing `emails[type eq "work"].value` where no e-mail is of type work makes one
    /// (RFC 7644 section 3.5.2.3: `noTarget`). Entra ID, for every filtered mapping.
    pub create_unmatched: bool,
    /// `remove` with path `members` and a list of values removes those listed. By the letter the
    /// value has no meaning and the whole group is emptied. Entra ID, JumpCloud.
    pub remove_listed_values: bool,
    /// A read-only attribute may be sent if it changes nothing: `id` with its own value, and
    /// without a path also `meta`, `groups` and others, which are passed over.
    /// Okta puts the group's `id` into each rename; others send the resource back as read.
    pub unchanged_read_only: bool,
}

impl Policy {
    /// The letter of the RFCs.
    pub const fn strict() -> Self {
        Self {
            unquoted_filter_values: false,
            loose_filter_spaces: false,
            filtered_sub_attributes: false,
            manager_reference_check: false,
            booleans_as_strings: false,
            bare_values: false,
            empty_value_unassigns: false,
            unknown_members: false,
            absent_schemas: false,
            op_in_any_case: false,
            empty_path: false,
            path_keys: false,
            dotted_urns: false,
            create_unmatched: false,
            remove_listed_values: false,
            unchanged_read_only: false,
        }
    }

    /// Everything that real providers need.
    pub const fn compatible() -> Self {
        Self {
            unquoted_filter_values: true,
            loose_filter_spaces: true,
            filtered_sub_attributes: true,
            manager_reference_check: true,
            booleans_as_strings: true,
            bare_values: true,
            empty_value_unassigns: true,
            unknown_members: true,
            absent_schemas: true,
            op_in_any_case: true,
            empty_path: true,
            path_keys: true,
            dotted_urns: true,
            create_unmatched: true,
            remove_listed_values: true,
            unchanged_read_only: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_is_the_default() {
        assert_eq!(Policy::default(), Policy::strict());
    }
}
