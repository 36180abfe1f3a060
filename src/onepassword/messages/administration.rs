//! Administration of an account: our own design, see `docs/account-api.md`.

use serde::{Deserialize, Serialize};

use crate::onepassword::{
    envelope::Envelope, keyset::Keyset, rsa::PublicKey, secret_text::SecretText,
};

/// Where all of it lives.
pub const PREFIX: &str = "/api/x-bridge/v1";
/// The most ids in one request, and the most rows of one page.
pub const MAX_BATCH: usize = 1000;

/// Words for programs in [`ErrorBody::reason`](super::errors::ErrorBody).
pub mod reason {
    /// 409: somebody has, or waits for, this address. `data`: the address.
    pub const EMAIL_TAKEN: &str = "email_taken";
    /// 409: another group has this name.
    pub const NAME_TAKEN: &str = "name_taken";
    /// 403: the account does not invite people of this domain. `data`: the domain.
    pub const DOMAIN_NOT_ALLOWED: &str = "domain_not_allowed";
    /// 400: a value that the account does not take.
    pub const INVALID_VALUE: &str = "invalid_value";
    /// 403: somebody or something with account-wide power, or the caller itself.
    pub const PROTECTED: &str = "protected";
    /// 409: the step does not fit the person's state. `data`: the state.
    pub const WRONG_STATE: &str = "wrong_state";
    /// 409: the public key is not the one expected.
    pub const KEY_CHANGED: &str = "key_changed";
    /// 409: a grant to a confirmed person came without the group's key. `data`: ids of people.
    pub const KEY_REQUIRED: &str = "key_required";
    /// 409: a confirmation left out a group. `data`: ids of groups.
    pub const KEYS_MISSING: &str = "keys_missing";
    /// 404: ids that are nobody's. `data`: those.
    pub const UNKNOWN_MEMBERS: &str = "unknown_members";
    /// 403: the caller lacks a right. `data`: the right.
    pub const NOT_PERMITTED: &str = "not_permitted";
    /// 404: there is no such person.
    pub const NO_MEMBER: &str = "no_such_member";
    /// 404: there is no such group.
    pub const NO_GROUP: &str = "no_such_group";
    /// 403: the group's key is not wrapped to the caller.
    pub const NO_KEY: &str = "no_key";
}

/// Rights under their published names.
pub mod right {
    /// To see people, groups and who belongs to what.
    pub const VIEW_PEOPLE: &str = "VIEW_PEOPLE";
    /// To invite.
    pub const ADD_PERSON: &str = "ADD_PERSON";
    /// To change name, language and address.
    pub const CHANGE_PERSON_NAME: &str = "CHANGE_PERSON_NAME";
    /// To confirm.
    pub const PROVISION_PEOPLE: &str = "PROVISION_PEOPLE";
    /// To suspend and to reactivate.
    pub const SUSPEND_PERSON: &str = "SUSPEND_PERSON";
    /// To delete people.
    pub const DELETE_PERSON: &str = "DELETE_PERSON";
    /// To make, change and delete groups without rights of their own.
    pub const MANAGE_GROUPS: &str = "MANAGE_GROUPS";
    /// To give rights to others: what tells an administrator from a Provision Manager.
    pub const MANAGE_SETTINGS: &str = "MANAGE_SETTINGS";

    /// What a bridge needs, and nothing more: the rights of Provision Managers.
    pub const OF_PROVISION_MANAGERS: [&str; 7] = [
        VIEW_PEOPLE,
        ADD_PERSON,
        CHANGE_PERSON_NAME,
        PROVISION_PEOPLE,
        SUSPEND_PERSON,
        DELETE_PERSON,
        MANAGE_GROUPS,
    ];
}

/// Whether people in this state hold their groups' keys themselves. Everybody else gets them at
/// the confirmation.
pub fn holds_keys(state: &str) -> bool {
    matches!(
        state,
        "ACTIVE" | "SUSPENDED" | "RECOVERY_STARTED" | "RECOVERY_ACCEPTED"
    )
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// 26 upper-case base32 characters.
    pub uuid: String,
    /// The address to sign in with.
    pub email: String,
    /// An address that waits for the person's consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_email: Option<String>,
    /// The name shown.
    pub name: String,
    /// Such as `en`.
    pub language: String,
    /// Under its published name.
    pub state: String,
    /// `MEMBER` or `GUEST`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Has power over the account: only an administrator may touch it, if anybody.
    pub protected: bool,
    /// Once signed up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pub_key: Option<PublicKey>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// Counts the changes.
    pub attr_version: u64,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// 26 lower-case base32 characters.
    pub uuid: String,
    /// Unique without regard to case.
    pub name: String,
    /// `OWNERS`, `ADMINISTRATORS`, `RECOVERY`, `TEAM_MEMBERS`, `SECURITY` or `USER_DEFINED`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Id of its keyset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyset: Option<String>,
    /// Made by the account itself.
    pub built_in: bool,
    /// Rights under their published names.
    pub permissions: Vec<String>,
    /// Members, key managers not counted.
    pub member_count: u64,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    pub updated_at: String,
    /// Counts the changes of name and members.
    pub attr_version: u64,
}

/// `GET /self`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Myself {
    /// The caller.
    pub member: Member,
    /// The account's id.
    pub account_uuid: String,
    /// The account's name.
    pub account_name: String,
    /// Domains that invitations are limited to; empty means any.
    pub allowed_domains: Vec<String>,
    /// What the caller may do.
    pub permissions: Vec<String>,
    /// The caller's primary keyset.
    pub keyset: Keyset,
    /// The group whose holders can reach the keys of every group.
    pub administrators: KeyHolder,
}

/// Somebody to wrap a key for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyHolder {
    /// Person or group.
    pub uuid: String,
    /// Its public key.
    pub pub_key: PublicKey,
}

/// `PUT /self/email`: consent to a new address. The address takes part in both derivations, so
/// that verifier and primary keyset are made anew.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptEmail {
    /// Must be the address that waits.
    pub email: String,
    /// The new sign-in material.
    #[serde(flatten)]
    pub secrets: SignUpSecrets,
}

/// What a person's own device makes, and a server may keep; also the body of `PUT /self/password`:
/// the password takes part in both derivations too. Nothing here opens anything. Has no `Debug`:
/// passwords can be guessed against a verifier.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignUpSecrets {
    /// `A3`.
    pub secret_key_format: String,
    /// The Secret Key's id.
    pub secret_key_id: String,
    /// How x was derived.
    pub user_auth: crate::onepassword::sign_in_credentials::UserAuth,
    /// `g^x`, hex.
    pub verifier: SecretText,
    /// The primary keyset.
    pub keyset: Keyset,
}

/// `POST /members`. Has no `Debug`, as [`SignUpSecrets`] have none.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invite {
    /// Random; a repeat is answered with the first result.
    pub request_id: String,
    /// Where the invitation goes.
    pub email: String,
    /// The name shown.
    pub name: String,
    /// `en` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Makes a member whose keys the caller has made: then nobody is invited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<Enrolment>,
}

/// A member who needs no invitation.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolment {
    /// Ids of groups to belong to from the first moment.
    pub groups: Vec<String>,
    /// What an invited person would send at sign-up.
    #[serde(flatten)]
    pub secrets: SignUpSecrets,
}

/// `PATCH /members/{id}`; what is absent stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EditMember {
    /// The name shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// `POST /members/by-email`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ByEmail {
    /// Compared without regard to case.
    pub email: String,
}

/// `POST …/by-ids`, and the body of a revocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ids {
    /// At most [`MAX_BATCH`].
    pub ids: Vec<String>,
}

/// `POST …/by-name`, and the body of a renaming.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Name {
    /// Compared without regard to case.
    pub name: String,
}

/// `POST …/query`: a page.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Query {
    /// Only people in these states; all if empty. Not for groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// Begin behind the row with this key…
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// …or behind so many rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// At most [`MAX_BATCH`].
    pub limit: usize,
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listing<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Rows of the whole list.
    pub total: u64,
    /// Key of the last row, if more follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /members/{id}/confirmation`: what is needed to confirm.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Awaiting {
    /// The person.
    pub member: Member,
    /// The groups whose key the person lacks.
    pub groups: Vec<GroupKeyset>,
}

/// A group's keyset, as the caller holds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupKeyset {
    /// The group.
    pub group: String,
    /// Absent if it is not wrapped to the caller.
    pub keyset: Option<Keyset>,
}

/// `POST /members/{id}/confirmation`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Confirm {
    /// Random; a repeat is answered with the first result.
    pub request_id: String,
    /// Of the public key that the keys were wrapped to.
    pub fingerprint: String,
    /// One for each group.
    pub keys: Vec<WrappedKey>,
}

/// A symmetric key wrapped for somebody.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WrappedKey {
    /// Confirmation: the group. Grant: the person. Creation: the holder, person or group.
    pub id: String,
    /// Absent in a grant to somebody who has no key yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enc_sym_key: Option<Envelope>,
}

/// `POST /groups`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateGroup {
    /// Random; a repeat is answered with the first result.
    pub request_id: String,
    /// Its name.
    pub name: String,
    /// Its keyset, wrapped to the caller.
    pub keyset: Keyset,
    /// Its key for others: the Administrators.
    pub keys: Vec<WrappedKey>,
    /// Rights that its members get, each of which the caller has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

/// `POST /groups/{id}/grants`, and `POST /groups/{id}/keys`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Grant {
    /// At most [`MAX_BATCH`] people, each with the group's key if it has one of its own.
    pub members: Vec<WrappedKey>,
}

/// How much changed, and of what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// Memberships, or keys held, that were not there before, or are no more.
    pub changed: usize,
    /// The group as it is now.
    pub group: Group,
}

/// `POST /members/with-groups`: one of the people that exist.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WithGroups {
    /// The person.
    pub member: Member,
    /// The groups that they belong to.
    pub groups: Vec<GroupName>,
}

/// A group, by its names only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupName {
    /// 26 lower-case base32 characters.
    pub uuid: String,
    /// Unique without regard to case.
    pub name: String,
}

/// `POST /groups/{id}/members/query`: a page of those who belong to a group, and the group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupMembers {
    /// The group.
    pub group: Group,
    /// The page.
    pub members: Listing<Member>,
}

/// `POST /groups/{id}/members/by-ids`: how some people stand to a group, and the group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Standing {
    /// The group.
    pub group: Group,
    /// Those of the people that exist.
    pub people: Vec<Belonging>,
}

/// One of the people in a [`Standing`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Belonging {
    /// The person.
    pub member: Member,
    /// Whether they belong to the group.
    pub belongs: bool,
}
