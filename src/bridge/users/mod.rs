//! SCIM Users and the people of the account.
//!
//! The account holds an address, one name, a language and a state. The parts of the name, the
//! addresses and the ids that the provider sent are kept beside it and come back as sent, the names
//! for as long as the account still shows the one they led to.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use serde_json::Value;

use super::{
    ATTEMPTS, Bridge, Context, Deprovisioning, EmailChange, Error, POLICY, Resource, audit::Line,
    shortened,
};
use crate::{
    account::{
        self, Attempt, GroupId, Invitation, MAX_BATCH, Member, MemberEdit, MemberId, MemberKind,
        MemberState, Page, Start,
    },
    scim::{
        self,
        patch::PatchRequest,
        schema::{SERVED_USER, USER},
        user::User,
        version::Conditions,
    },
    state::{self, CreationKey, Person, Versioned},
};
use mapping::{
    changes, first_language, is_address, is_guest_name, local_part, record, same_address, sent,
    shown_name,
};

pub(super) use mapping::Known;

mod deprovision;
mod mapping;
mod search;

/// More changes than a person has attributes many times over.
const MAX_OPERATIONS: usize = 500;

impl Bridge {
    /// `POST /Users`: invites a person.
    ///
    /// # Errors
    /// 400 if a value cannot be taken, 409 `uniqueness` if somebody has the address or the
    /// externalId, 429 or 503 if the account is busy or out of reach.
    pub async fn create_user(&self, body: &Value, context: &Context) -> Result<Resource, Error> {
        let user = User::from_value(body, &POLICY)?;
        let creating = self.create_known_user(&user, context).await;
        self.note_failure("user.invite", &user.user_name, creating)
            .await
    }

    async fn create_known_user(&self, user: &User, context: &Context) -> Result<Resource, Error> {
        if user.active == Some(false) {
            return Err(scim::Error::invalid_value(
                "a person who is not active is not invited: send the person once they are active",
            )
            .into());
        }
        self.check_address(&user.user_name)?;
        if let Some(external_id) = &user.external_id {
            self.check_external_id(external_id, None).await?;
        }
        let key = CreationKey::Person(user.user_name.clone());
        let known = self
            .create_once(key, async |attempt| self.invite(user, attempt).await)
            .await?;
        Ok(known.to_resource(context, None))
    }

    async fn invite(&self, user: &User, attempt: &Attempt) -> Result<Known, Error> {
        let invitation = Invitation {
            email: user.user_name.clone(),
            name: shown_name(user).unwrap_or_else(|| local_part(&user.user_name).to_owned()),
            language: user.preferred_language.as_deref().and_then(first_language),
        };
        let member = self.account.invite(&invitation, attempt).await?;
        let id = member.id.as_str();
        let person = Person {
            invited: true,
            ..record(user, member.name.clone())
        };
        match self.store.put_person(id, &person, 0).await {
            Ok(()) => {
                let nobody = User::default();
                self.done(Line {
                    action: "user.invite",
                    target: id,
                    detail: member.email.clone(),
                    changes: changes(&nobody, user),
                })
                .await;
                let (value, version) = (person, 1);
                Ok(Known {
                    person: Some(Versioned { value, version }),
                    ..Known::from(member)
                })
            }
            // An earlier try got this far: the record is its own.
            Err(state::Error::Conflict) => Ok(Known {
                person: self.store.person(id).await?,
                ..Known::from(member)
            }),
            Err(error) => {
                // Somebody else got the externalId meanwhile: nobody is left half invited.
                if error == state::Error::ExternalIdTaken
                    && member.state == MemberState::TransferStarted
                {
                    self.account.delete_member(&member.id).await?;
                }
                Err(error.into())
            }
        }
    }

    /// `GET /Users/{id}`.
    ///
    /// # Errors
    /// 404 if nobody has this id.
    pub async fn user(&self, id: &str, context: &Context) -> Result<Resource, Error> {
        let known = self.found(id, wants_groups(context)).await?;
        // Guests are nobody's business but the account's.
        match known.member.kind {
            MemberKind::Member => self.user_resource(known, context).await,
            MemberKind::Guest => Err(nobody(id)),
        }
    }

    /// One person as an answer, with the attributes that the client wants.
    async fn user_resource(&self, mut known: Known, context: &Context) -> Result<Resource, Error> {
        if wants_groups(context) {
            self.read_groups(vec![&mut known]).await?;
        }
        Ok(known.to_resource(context, known.groups.as_deref()))
    }

    /// `PUT /Users/{id}`. Without `active` the state stays as it is (Okta leaves it out).
    ///
    /// # Errors
    /// As for [`Bridge::create_user`]; 403 for people whom no provider may touch.
    pub async fn replace_user(
        &self,
        id: &str,
        body: &Value,
        context: &Context,
    ) -> Result<Resource, Error> {
        let user = User::from_value(body, &POLICY)?;
        let wanted = |_: &Known| Ok(user.clone());
        let known = self.change_user(id, context, wanted).await?;
        self.user_resource(known, context).await
    }

    /// `PATCH /Users/{id}`: all operations, or none.
    ///
    /// # Errors
    /// As for [`Bridge::replace_user`], and 400 for operations that make no sense.
    pub async fn patch_user(
        &self,
        id: &str,
        body: &Value,
        context: &Context,
    ) -> Result<Resource, Error> {
        let patch = PatchRequest::parse(body, &USER, &POLICY)?;
        if patch.operations().count() > MAX_OPERATIONS {
            return Err(scim::Error::invalid_value(format!(
                "more than {MAX_OPERATIONS} changes of one person in one request"
            ))
            .into());
        }
        let says_active = patch.is_about("active");
        let changed = |known: &Known| {
            let mut value = known.to_value(&context.base, None);
            patch.apply(&mut value)?;
            let user = User::from_value(&value, &POLICY)?;
            Ok(User {
                active: user.active.filter(|_| says_active),
                ..user
            })
        };
        let known = self.change_user(id, context, changed).await?;
        self.user_resource(known, context).await
    }

    /// `DELETE /Users/{id}`: suspends. The person stays, inactive, and can be brought back;
    /// a second DELETE finds nothing left to do.
    ///
    /// # Errors
    /// 404 if nobody has this id, 403 for people whom no provider may touch, 412 if they are not
    /// the version asked for.
    pub async fn delete_user(&self, id: &str, context: &Context) -> Result<(), Error> {
        let gone = |_: &Known| Ok(Wish::Gone);
        self.change_person("user.delete", id, &context.conditions, false, gone)
            .await
            .map(drop)
    }

    /// Lets `wanted` say what a person should be, and makes them so.
    async fn change_user(
        &self,
        id: &str,
        context: &Context,
        wanted: impl Fn(&Known) -> Result<User, scim::Error>,
    ) -> Result<Known, Error> {
        let wish = |known: &Known| wanted(known).map(Wish::Be);
        let (conditions, groups) = (&context.conditions, wants_groups(context));
        self.change_person("user.change", id, conditions, groups, wish)
            .await
    }

    /// Reads a person, with their `groups` if the answer is to show them, and changes them, if they
    /// are the version asked for. A refusal is noted under the name of this action.
    async fn change_person(
        &self,
        action: &str,
        id: &str,
        conditions: &Conditions,
        groups: bool,
        wish: impl Fn(&Known) -> Result<Wish, scim::Error>,
    ) -> Result<Known, Error> {
        let changing = self.change_until_done(id, conditions, groups, wish);
        let result = self.change_under(conditions, id, changing).await;
        self.note_refusal(action, id, result).await
    }

    /// Starts over if somebody else changed the person meanwhile.
    async fn change_until_done(
        &self,
        id: &str,
        conditions: &Conditions,
        groups: bool,
        wish: impl Fn(&Known) -> Result<Wish, scim::Error>,
    ) -> Result<Known, Error> {
        let mut attempt = 1;
        loop {
            let known = self.found(id, groups).await?;
            if known.member.kind == MemberKind::Guest {
                known.refuse_if_protected()?;
            }
            // Once only: what the account has done by the second time must not be left half done.
            if attempt == 1 {
                conditions.check_change(&known.version(None))?;
            }
            let changed = match wish(&known)? {
                Wish::Gone => self.remove(known).await,
                Wish::Be(user) => self.make(known, user).await,
            };
            match changed {
                Err(Change::Conflict) if attempt < ATTEMPTS => {
                    // Longer each time, so that many who met once do not meet again.
                    tokio::time::sleep(Duration::from_millis(10) * attempt * attempt).await;
                    attempt += 1;
                }
                Err(Change::Conflict) => return Err(state::Error::Conflict.into()),
                Err(Change::Failed(error)) => return Err(error),
                Ok(known) => return Ok(known),
            }
        }
    }

    /// Makes a person what the provider wants them to be, and notes what changed.
    async fn make(&self, known: Known, user: User) -> Result<Known, Change> {
        let id = known.member.id.clone();
        let (before, person) = (known.to_user(), known.person.clone());
        let mut edited = None;
        let result = self.apply_to_user(known, user, &mut edited).await;
        let (after, detail) = match (&result, edited) {
            (Ok(now), edited) => {
                let detail = edited.map(|(_, what)| what);
                (now.to_user(), detail.unwrap_or_default())
            }
            // What the account has taken stays, whatever came after it.
            (Err(_), Some((member, what))) => {
                let known = Known {
                    person,
                    ..Known::from(member)
                };
                (known.to_user(), what)
            }
            (Err(_), None) => return result,
        };
        let changes = changes(&before, &after);
        if !changes.is_empty() {
            self.done(Line {
                action: "user.change",
                target: id.as_str(),
                detail,
                changes,
            })
            .await;
        }
        result
    }

    /// The account first, then the record, so that a repeat after a failure finds only what is left
    /// to do. `edited` is what the account made of it, and in words.
    async fn apply_to_user(
        &self,
        mut known: Known,
        user: User,
        edited: &mut Option<(Member, String)>,
    ) -> Result<Known, Change> {
        let shown = User::from_value(&known.to_value("", None), &POLICY)?;
        // Also what only the store would keep. A provider may match anybody, and note its own id.
        let after = User {
            external_id: shown.external_id.clone(),
            active: user.active.or(shown.active),
            ..user.clone()
        };
        if after != shown {
            known.refuse_if_protected()?;
        }
        let edit = self.edit(&known, &user)?;
        let before = known.person.as_ref().map(|person| &person.value);
        if let Some(external_id) = &user.external_id
            && before.and_then(|person| person.external_id.as_ref()) != Some(external_id)
        {
            self.check_external_id(external_id, Some(&known.member.id))
                .await?;
        }

        // What the guard refuses comes before anything is done.
        if user.active == Some(false) {
            known = self.begin_removal(known).await?;
        }
        let id = known.member.id.clone();
        if !edit.is_empty() {
            known.member = self.account.edit_member(&id, &edit).await?;
            *edited = Some((known.member.clone(), described(&edit)));
        }
        known = match user.active {
            Some(true) => self.restore(known).await?,
            Some(false) => self.finish_removal(known).await?,
            None => known,
        };

        let before = known.person.as_ref().map(|person| &person.value);
        let invited = match before {
            Some(person) => person.invited,
            None => self.was_inviting(&known.member).await?,
        };
        let mut person = Person {
            invited,
            removal: known
                .removal()
                .filter(|_| user.active != Some(true))
                .cloned(),
            ..record(&user, known.member.name.clone())
        };
        if let Some(before) = before {
            let updated_at = std::mem::replace(&mut person.updated_at, before.updated_at);
            if *before == person {
                return Ok(known);
            }
            person.updated_at = updated_at;
        }
        self.write_down(known, person).await
    }

    /// Writes down what is to be remembered of a person, unless somebody else did meanwhile.
    async fn write_down(&self, mut known: Known, person: Person) -> Result<Known, Change> {
        let version = known.person.as_ref().map_or(0, |person| person.version);
        let id = known.member.id.as_str();
        match self.store.put_person(id, &person, version).await {
            Err(state::Error::Conflict) => Err(Change::Conflict),
            Err(error) => Err(error.into()),
            Ok(()) => {
                known.person = Some(Versioned {
                    value: person,
                    version: version + 1,
                });
                Ok(known)
            }
        }
    }

    /// Whether an invitation of ours was cut off before it could be written down.
    async fn was_inviting(&self, member: &Member) -> Result<bool, Error> {
        match member.has_signed_up() {
            false => {
                self.was_cut_off(CreationKey::Person(member.email.clone()))
                    .await
            }
            true => Ok(false),
        }
    }

    /// What has to change in the account. It may keep a value in its own form (a name without
    /// outer blanks, `en-US` as `en`), so only what the provider changes is a change.
    fn edit(&self, known: &Known, user: &User) -> Result<MemberEdit, Error> {
        let member = &known.member;
        let before = known.person.as_ref().map(|person| &person.value);
        let editable = self.account.editable();
        let mut edit = MemberEdit::default();
        // Without any name in the request the account keeps the one it has.
        let name = shown_name(user).filter(|name| *name != member.name);
        if name.is_some() && name != known.names().and_then(|person| shown_name(&sent(person))) {
            edit.name = name;
        }
        if !same_address(&user.user_name, member.requested_email()) {
            match (editable.email, self.settings.email_change) {
                (true, _) => {
                    self.check_address(&user.user_name)?;
                    edit.email = Some(user.user_name.clone());
                }
                // Providers say the same again and again: an answer that is never yes would end
                // in their quarantine.
                (false, EmailChange::Ignore) => {}
                (false, EmailChange::Refuse) => {
                    return Err(scim::Error::mutability(format!(
                        "the way this bridge administers the account cannot change e-mail \
                         addresses: change {} at 1Password.com, or set \
                         SCIM_BRIDGE_EMAIL_CHANGE=ignore",
                        member.email
                    ))
                    .into());
                }
            }
        }
        let sent_before = before.and_then(|person| person.preferred_language.as_ref());
        if editable.language && user.preferred_language.as_ref() != sent_before {
            let language = user.preferred_language.as_deref().and_then(first_language);
            edit.language = language.filter(|language| member.language.as_ref() != Some(language));
        }
        Ok(edit)
    }

    /// Some people, how many there are in all, and where to go on.
    pub(super) async fn page_of_people(
        &self,
        start: Start,
        limit: usize,
    ) -> Result<(Vec<Known>, u64, Option<String>), Error> {
        let members = self.account.members(&[], &Page { start, limit }).await?;
        let people = self.with_records(members.items).await?;
        Ok((people, members.total, members.next))
    }

    async fn with_records(&self, members: Vec<Member>) -> Result<Vec<Known>, Error> {
        let ids: Vec<&str> = members.iter().map(|member| member.id.as_str()).collect();
        let people = self.store.people(&ids).await?;
        Ok(members
            .into_iter()
            .zip(people)
            .map(|(member, person)| Known {
                person,
                ..Known::from(member)
            })
            .collect())
    }

    /// Whoever has this id, guests too.
    async fn found(&self, text: &str, with_groups: bool) -> Result<Known, Error> {
        let id: MemberId = text.parse().map_err(|_| nobody(text))?;
        let member = async {
            match with_groups {
                true => {
                    let found = self.account.member_with_groups(&id).await?;
                    Ok::<_, account::Error>(found.map(|(member, groups)| (member, Some(groups))))
                }
                false => Ok(self.account.member(&id).await?.map(|member| (member, None))),
            }
        };
        let (member, person) = tokio::join!(member, self.store.person(id.as_str()));
        let (member, groups) = member?.ok_or_else(|| nobody(text))?;
        let groups = match groups {
            Some(groups) => Some(self.only_managed(groups, |group| &group.id).await?),
            None => None,
        };
        Ok(Known {
            member,
            person: person?,
            groups,
        })
    }

    /// Reads the managed groups of those of whom they are not known, at the cost of one look-up in
    /// the account and one in the store for all of them.
    pub(super) async fn read_groups(&self, mut people: Vec<&mut Known>) -> Result<(), Error> {
        people.retain(|known| known.groups.is_none());
        for batch in people.chunks_mut(MAX_BATCH) {
            let ids: Vec<MemberId> = batch.iter().map(|known| known.member.id.clone()).collect();
            let groups = self.account.groups_of_each(&ids).await?;
            let all: BTreeSet<GroupId> = groups.iter().flatten().map(|it| it.id.clone()).collect();
            let managed = self
                .only_managed(all.into_iter().collect(), |id| id)
                .await?;
            let managed: HashSet<GroupId> = managed.into_iter().collect();
            for (known, mut groups) in batch.iter_mut().zip(groups) {
                groups.retain(|group| managed.contains(&group.id));
                known.groups = Some(groups);
            }
        }
        Ok(())
    }

    fn check_address(&self, user_name: &str) -> Result<(), Error> {
        if !is_address(user_name) {
            return Err(scim::Error::invalid_value(format!(
                "userName {:?} is not an e-mail address; 1Password invites people by \
                 e-mail: map the user's mail attribute to userName",
                shortened(user_name)
            ))
            .into());
        }
        if !self.settings.allows_domain_of(user_name) {
            let domain = user_name.rsplit_once('@').map_or("", |(_, domain)| domain);
            let mailbox = match is_guest_name(user_name) {
                true => "map the user's mail attribute to userName, as this is no mailbox, or ",
                false => "",
            };
            return Err(scim::Error::invalid_value(format!(
                "people at {domain} are not invited: {mailbox}add the domain to the bridge's \
                 setting SCIM_BRIDGE_ALLOWED_DOMAINS and to the account's allowed domains"
            ))
            .into());
        }
        Ok(())
    }

    /// Refuses an externalId that somebody else has, unless they have left the account.
    async fn check_external_id(
        &self,
        external_id: &str,
        own: Option<&MemberId>,
    ) -> Result<(), Error> {
        let Some(holder) = self.store.person_by_external_id(external_id).await? else {
            return Ok(());
        };
        if own.is_some_and(|own| own.as_str() == holder) {
            return Ok(());
        }
        let alive = match holder.parse() {
            Ok(id) => self.account.member(&id).await?.is_some(),
            Err(account::NotAnId) => false,
        };
        if alive {
            return Err(state::Error::ExternalIdTaken.into());
        }
        Ok(self.store.remove_person(&holder).await?)
    }
}

fn nobody(id: &str) -> Error {
    scim::Error::not_found(format!("there is no user {}", shortened(id))).into()
}

/// What an edit changes, for the audit.
fn described(edit: &MemberEdit) -> String {
    let parts = [
        ("name", &edit.name),
        ("language", &edit.language),
        ("address", &edit.email),
    ];
    let changed = parts
        .into_iter()
        .filter_map(|(what, value)| value.as_ref().map(|value| format!("{what}: {value}")));
    changed.collect::<Vec<_>>().join(", ")
}

/// Whether an answer about one person is to carry their groups.
fn wants_groups(context: &Context) -> bool {
    let wanted = context.query.projection(&SERVED_USER, &POLICY);
    wanted.wants("groups")
}

/// Whether a list is to carry everybody's groups.
pub(super) fn shows_groups(context: &Context) -> bool {
    let wanted = context.query.projection(&SERVED_USER, &POLICY);
    wanted.is_explicit() && wanted.wants("groups")
}

/// What a provider wants of a person.
enum Wish {
    /// To be like this.
    Be(User),
    /// Not to be.
    Gone,
}

/// Why a person could not be made what the provider wants.
enum Change {
    /// Somebody else changed the person meanwhile.
    Conflict,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Change {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
