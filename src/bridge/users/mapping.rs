//! What a person is in SCIM's words, and what of a SCIM User is kept.

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::{
    account::{GroupName, Member, MemberKind},
    bridge::{Context, POLICY, Resource, audit, identify},
    scim::{
        self,
        meta::Meta,
        schema::SERVED_USER,
        user::{Email, Name, User},
        version::Version,
    },
    state::{self, AuditChange, Person, Removal, Versioned},
};

/// A person as account and store know them.
pub(in crate::bridge) struct Known {
    pub(super) member: Member,
    pub(super) person: Option<Versioned<Person>>,
    /// The managed groups that they belong to, where those were read and nobody changed them since.
    pub(in crate::bridge) groups: Option<Vec<GroupName>>,
}

impl From<Member> for Known {
    /// A person of whom nothing but this is known.
    fn from(member: Member) -> Self {
        Self {
            member,
            person: None,
            groups: None,
        }
    }
}

impl Known {
    /// The record, if the account still shows the name it led to.
    pub(super) fn names(&self) -> Option<&Person> {
        self.person
            .as_ref()
            .map(|person| &person.value)
            .filter(|person| person.account_name == self.member.name)
    }

    /// The person as a SCIM User: as the provider sent them, or if none ever did, as the account
    /// tells. A value that a provider took away is not made up again.
    pub(super) fn to_user(&self) -> User {
        let email = self.member.requested_email();
        let mut user = match &self.person {
            Some(person) => sent(&person.value),
            None => User {
                emails: vec![Email {
                    value: email.to_owned(),
                    type_: Some("work".to_owned()),
                    primary: Some(true),
                    display: None,
                }],
                preferred_language: self.member.language.clone(),
                ..User::default()
            },
        };
        if !same_address(&user.user_name, email) {
            user.user_name = email.to_owned();
        }
        if self.names().is_none() {
            user.display_name = Some(self.member.name.clone());
            user.name = split_name(&self.member.name);
        }
        user.active = Some(!self.member.state.is_inactive());
        user
    }

    /// That the provider wants the person out, if it does.
    pub(super) fn removal(&self) -> Option<&Removal> {
        self.person.as_ref()?.value.removal.as_ref()
    }

    /// Counts the changes that are made through the person; `groups`, if they are shown, are
    /// those of others.
    pub(super) fn version(&self, groups: Option<&[GroupName]>) -> Version {
        let record = self.person.as_ref().map_or(0, |person| person.version);
        let version = Version::new(&[self.member.version, record]);
        match groups {
            None | Some([]) => version,
            Some(groups) => version.with_derived(digest(groups)),
        }
    }

    /// The person as an answer, with the attributes that the client wants.
    pub(in crate::bridge) fn to_resource(
        &self,
        context: &Context,
        groups: Option<&[GroupName]>,
    ) -> Resource {
        let mut value = self.to_value(&context.base, groups);
        let projection = context.query.projection(&SERVED_USER, &POLICY);
        projection.apply(&mut value);
        Resource {
            value: Some(value),
            location: self.location(&context.base),
            version: self.version(groups),
        }
    }

    fn location(&self, base: &str) -> String {
        format!("{base}/Users/{}", self.member.id)
    }

    pub(super) fn to_value(&self, base: &str, groups: Option<&[GroupName]>) -> Value {
        let id = self.member.id.as_str();
        let recorded = self.person.as_ref().map(|person| person.value.updated_at);
        let meta = Meta {
            resource_type: "User",
            created: self.member.created_at,
            last_modified: recorded.max(self.member.updated_at),
            location: self.location(base),
            version: Some(self.version(groups)),
        };
        let mut value = self.to_user().to_value();
        identify(&mut value, id, &meta);
        if let Some(groups) = groups.filter(|groups| !groups.is_empty())
            && let Some(object) = value.as_object_mut()
        {
            let groups = groups.iter().map(|group| {
                serde_json::json!({
                    "value": group.id.as_str(),
                    "display": group.name,
                    "$ref": format!("{base}/Groups/{}", group.id),
                    "type": "direct",
                })
            });
            object.insert("groups".to_owned(), groups.collect());
        }
        value
    }

    /// Refuses changes of people who are none of a provider's business.
    pub(super) fn refuse_if_protected(&self) -> Result<(), scim::Error> {
        if self.member.kind == MemberKind::Guest {
            return Err(scim::Error::forbidden(
                "this is a guest of the account: guests are not managed by a provider",
            ));
        }
        if !self.member.protected {
            return Ok(());
        }
        Err(scim::Error::forbidden(format!(
            "{} is an owner or administrator of the account, or the bridge itself: a provider may \
             not change them; take them out of its scope",
            self.member.email
        )))
    }
}

/// A short name for these groups as they are shown, in whatever order they come.
fn digest(groups: &[GroupName]) -> String {
    let mut shown: Vec<_> = groups
        .iter()
        .map(|group| format!("{} {:?}", group.id, group.name))
        .collect();
    shown.sort_unstable();
    let hash = Sha256::digest(shown.join("\n"));
    HEXLOWER.encode(hash.get(..6).unwrap_or_default())
}

/// What is kept of a user whom this bridge did not invite, and who is wanted in.
pub(super) fn record(user: &User, account_name: String) -> Person {
    Person {
        external_id: user.external_id.clone(),
        user_name: user.user_name.clone(),
        display_name: user.display_name.clone(),
        formatted: user.name.formatted.clone(),
        given_name: user.name.given_name.clone(),
        family_name: user.name.family_name.clone(),
        emails: user
            .emails
            .iter()
            .map(|email| state::Email {
                value: email.value.clone(),
                kind: email.type_.clone(),
                primary: email.primary,
                display: email.display.clone(),
            })
            .collect(),
        preferred_language: user.preferred_language.clone(),
        account_name,
        invited: false,
        removal: None,
        updated_at: OffsetDateTime::now_utc(),
    }
}

/// What of the attributes that are kept changed. `active` is none of them: that somebody goes or
/// returns is a change of its own.
pub(super) fn changes(before: &User, after: &User) -> Vec<AuditChange> {
    let user_name = |user: &User| Some(user.user_name.clone()).filter(|name| !name.is_empty());
    let (old_name, new_name) = (user_name(before), user_name(after));
    let texts = [
        ("userName", &old_name, &new_name),
        ("externalId", &before.external_id, &after.external_id),
        ("displayName", &before.display_name, &after.display_name),
        (
            "name.formatted",
            &before.name.formatted,
            &after.name.formatted,
        ),
        (
            "name.givenName",
            &before.name.given_name,
            &after.name.given_name,
        ),
        (
            "name.familyName",
            &before.name.family_name,
            &after.name.family_name,
        ),
        (
            "preferredLanguage",
            &before.preferred_language,
            &after.preferred_language,
        ),
    ];
    let texts = texts.into_iter().filter_map(|(name, before, after)| {
        audit::text_change(name, before.as_deref(), after.as_deref())
    });
    let emails = |user: &User| user.to_value().get("emails").cloned();
    let (old, new) = (emails(before), emails(after));
    let emails = (old != new).then(|| audit::change("emails", old, new));
    texts.chain(emails).collect()
}

/// A record as the user that it was made from; `active` is not kept.
pub(super) fn sent(person: &Person) -> User {
    User {
        user_name: person.user_name.clone(),
        external_id: person.external_id.clone(),
        display_name: person.display_name.clone(),
        name: Name {
            formatted: person.formatted.clone(),
            given_name: person.given_name.clone(),
            family_name: person.family_name.clone(),
        },
        emails: person
            .emails
            .iter()
            .map(|email| Email {
                value: email.value.clone(),
                type_: email.kind.clone(),
                primary: email.primary,
                display: email.display.clone(),
            })
            .collect(),
        active: None,
        preferred_language: person.preferred_language.clone(),
    }
}

/// The one name that the account is to show: the display name, else the formatted one, else given
/// and family name; `None` if the provider sent no name at all.
pub(super) fn shown_name(user: &User) -> Option<String> {
    let parts = [&user.name.given_name, &user.name.family_name];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    [
        user.display_name.clone(),
        user.name.formatted.clone(),
        Some(parts.join(" ")),
    ]
    .into_iter()
    .flatten()
    .find(|name| !name.trim().is_empty())
}

/// One bare address (RFC 5321, section 4.1.2, without quoted forms): no list, no name beside it.
pub(super) fn is_address(text: &str) -> bool {
    let illegal = |c: char| c.is_whitespace() || c.is_control() || r#",;:<>()[]"\"#.contains(c);
    let parts: Vec<&str> = text.split('@').collect();
    matches!(parts.as_slice(), [local, domain] if !local.is_empty() && !domain.is_empty())
        && text.len() <= 254
        && !text.contains(illegal)
}

/// Whether this is the principal name that Entra ID makes for a guest, `jane_ex.com#EXT#@tenant`,
/// which no mail reaches.
pub(super) fn is_guest_name(user_name: &str) -> bool {
    user_name.to_ascii_lowercase().contains("#ext#@")
}

/// The first language of `preferredLanguage`, which has the form of an Accept-Language header
/// (RFC 7643, section 4.1.1); `None` for what is no language tag.
pub(super) fn first_language(preferred: &str) -> Option<String> {
    let tag = preferred.split([',', ';']).next()?.trim();
    let well_formed = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    (tag.len() <= 35 && tag.split('-').all(well_formed)).then(|| tag.to_owned())
}

/// What stands before the @: a name for somebody of whom nothing else is known.
pub(super) fn local_part(address: &str) -> &str {
    address.split('@').next().unwrap_or(address)
}

/// Given and family name of somebody of whom only one name is known. For showing only.
fn split_name(name: &str) -> Name {
    let (given, family) = name.split_once(' ').unwrap_or((name, ""));
    let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Name {
        formatted: present(name),
        given_name: present(given),
        family_name: present(family),
    }
}

pub(super) fn same_address(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::account::MemberState;

    #[test]
    fn an_address_is_one_address() {
        for address in [
            "a@b",
            "Ann.O'Neil+x@sub.example.com",
            "é@example.com",
            "jane_ex.com#EXT#@t.example",
        ] {
            assert!(is_address(address), "{address}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for other in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "a@b@c",
            "a@evil.example,b@good.example",
            "Ann<a@b>",
            "\"a@b",
            "a b@c",
            "a@b\n",
            "{$user.email}",
            &long,
        ] {
            assert!(!is_address(other), "{other}");
        }
    }

    #[test]
    fn a_guest_is_told_by_the_mark_in_the_name() {
        assert!(is_guest_name("jane_ex.com#EXT#@t.example"));
        assert!(!is_guest_name("jane#ext@t.example"));
    }

    fn known(person: Option<Person>) -> Known {
        let now = OffsetDateTime::UNIX_EPOCH;
        let member = Member {
            id: "AAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            email: "ann@example.com".into(),
            pending_email: None,
            name: "Ann Lee".into(),
            language: Some("en".into()),
            state: MemberState::Active,
            kind: MemberKind::Member,
            protected: false,
            key_fingerprint: None,
            created_at: Some(now),
            updated_at: Some(now),
            version: 1,
        };
        let person = person.map(|value| Versioned { value, version: 1 });
        Known {
            member,
            person,
            groups: None,
        }
    }

    #[test]
    fn only_who_was_never_sent_is_derived() {
        let derived = known(None).to_user();
        assert_eq!(derived.display_name.as_deref(), Some("Ann Lee"));
        assert_eq!(derived.name.family_name.as_deref(), Some("Lee"));
        assert_eq!(derived.emails[0].value, "ann@example.com");
        assert_eq!(derived.preferred_language.as_deref(), Some("en"));

        let bare = User {
            user_name: "Ann@example.com".to_owned(),
            ..User::default()
        };
        let shown = User {
            active: Some(true),
            ..bare.clone()
        };
        let as_sent = known(Some(record(&bare, "Ann Lee".to_owned())));
        assert_eq!(as_sent.to_user(), shown);

        // Renamed in the account: the names that were sent are no longer true.
        let renamed = known(Some(record(&bare, "Anna".to_owned())));
        assert_eq!(renamed.to_user().display_name.as_deref(), Some("Ann Lee"));
    }

    #[test]
    fn guests_and_people_with_power_are_nobody_s_to_change() {
        let mut known = known(None);
        assert!(known.refuse_if_protected().is_ok());
        known.member.protected = true;
        let why = known.refuse_if_protected().unwrap_err();
        assert!(why.status == 403 && why.detail.contains("administrator"));
        known.member.kind = MemberKind::Guest;
        let why = known.refuse_if_protected().unwrap_err();
        assert!(why.status == 403 && why.detail.contains("guest"));
    }

    #[test]
    fn the_first_language_is_taken() {
        for (sent, taken) in [
            ("en", Some("en")),
            ("en-US", Some("en-US")),
            ("da, en-gb;q=0.8, en;q=0.7", Some("da")),
            (" de ;q=1", Some("de")),
            ("", None),
            ("*", None),
            ("not a language", None),
        ] {
            assert_eq!(first_language(sent).as_deref(), taken, "{sent}");
        }
    }

    #[test]
    fn the_fullest_name_is_shown() {
        let name = |display: &str, formatted: &str, given: &str, family: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            shown_name(&User {
                display_name: some(display),
                name: Name {
                    formatted: some(formatted),
                    given_name: some(given),
                    family_name: some(family),
                },
                ..User::default()
            })
        };
        assert_eq!(name("D", "F", "G", "N").as_deref(), Some("D"));
        assert_eq!(name(" ", "F", "G", "N").as_deref(), Some("F"));
        assert_eq!(name("", "", "G", "N").as_deref(), Some("G N"));
        assert_eq!(name("", "", "", "N").as_deref(), Some("N"));
        assert_eq!(name("", "", "", ""), None);
    }
}
