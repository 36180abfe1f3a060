//! The administrator's side: giving a bridge a Provision Manager of its own.
//!
//! An [`Administrator`] signs in with what they know, finds or makes the group that has the rights
//! of a bridge, makes a [`NewManager`] in it, and hands over to it what its predecessor held. Each
//! step may be repeated, and finds what an earlier run has done: nobody belongs to the group who
//! was not made for a bridge, and whoever was belongs to it from the first moment.

use std::collections::{BTreeSet, HashSet};

pub use super::login::Login;

use super::{
    NativeAccount, compute, found,
    groups::{self, KeyHolder},
    login::Visit,
    members,
    refusals::from_protocol,
};
use crate::{
    account::{
        self, Account, Attempt, GroupId, KeyFingerprint, MAX_BATCH, Member, MemberId, MemberState,
        Page, Start,
    },
    onepassword::{
        derivation::DEFAULT_ITERATIONS,
        identifier,
        messages::administration::{self as wire, PREFIX, SignUpSecrets, right},
        newcomer::Newcomer,
        secret_text::SecretText,
        sign_in_credentials::{SignInCredentials, origin},
    },
};

/// The group that every Provision Manager belongs to.
pub const PROVISION_MANAGERS: &str = "Provision Managers";

/// Why a step of the set-up failed. The text is for the administrator: cause and remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What was typed in cannot be a Secret Key.
    #[error(
        "this is no Secret Key: it begins with A3- and has 34 letters and digits; copy the whole \
         of it from the Emergency Kit"
    )]
    SecretKey,
    /// What was typed in is no address.
    #[error("{0:?} is no sign-in address: give it as in https://example.1password.com")]
    Address(String),
    /// Wrong e-mail address, password or Secret Key; the account does not say which.
    #[error(
        "the account refuses the sign-in: the e-mail address, the password or the Secret Key is \
         wrong, or they belong to another account"
    )]
    Refused,
    /// The administrator's account password alone does not do.
    #[error(
        "the account asks for a second factor, which cannot be given here: sign in as an \
         administrator who has none, or turn it off for as long as this takes"
    )]
    SecondFactor,
    /// Who signs in may not.
    #[error(
        "the state of the person who signs in is {}: an active administrator is needed",
        .0.name()
    )]
    Inactive(MemberState),
    /// Who signs in is no administrator.
    #[error("{email} lacks the right {right}: sign in as an owner or an administrator")]
    NotAdministrator {
        /// Who signed in.
        email: String,
        /// The first right that is missing.
        right: &'static str,
    },
    /// The account could not be reached, or is too busy.
    #[error(
        "{0}: check the sign-in address and the network, then do the same again, which goes on \
         where it stopped"
    )]
    OutOfReach(account::Error),
    /// The group's name belongs to a group that is something else.
    #[error(
        "the account has a group {PROVISION_MANAGERS} whose rights are not those that a bridge \
         needs: rename or delete it, then run set-up again"
    )]
    GroupTaken,
    /// The address belongs to an ordinary person.
    #[error(
        "{0} belongs to somebody who is no Provision Manager: choose an address for the bridge \
         that nobody has"
    )]
    EmailTaken(String),
    /// The address belongs to a Provision Manager with other keys.
    #[error(
        "{0} is a Provision Manager already, whose keys are not at hand: remove it first, or \
         choose another address"
    )]
    ManagerExists(String),
    /// The account refused a step for another reason.
    #[error(transparent)]
    Account(account::Error),
}

impl From<account::Error> for Error {
    fn from(error: account::Error) -> Self {
        use account::Error as E;
        match error {
            E::CredentialsRefused(_) => Self::Refused,
            E::Unavailable { .. } | E::Busy { .. } => Self::OutOfReach(error),
            other => Self::Account(other),
        }
    }
}

/// A Provision Manager's own half: all keys are made here, and the password, which is random,
/// is forgotten at once.
pub struct NewManager {
    /// What the bridge signs in with from now on.
    pub credentials: SignInCredentials,
    secrets: SignUpSecrets,
    /// Names the creation, however often it is repeated.
    attempt: String,
}

impl NewManager {
    /// Makes all keys for a Provision Manager with this e-mail address. Slow.
    pub async fn generate(address: &str, email: &str) -> Result<Self, Error> {
        let (address, email) = (origin(address), email.trim().to_owned());
        let made = compute(move || {
            let password = SecretText::new(identifier::upper()?);
            let newcomer = Newcomer::generate(&address, &email, &password, DEFAULT_ITERATIONS)?;
            Ok(Self {
                credentials: newcomer.credentials,
                secrets: newcomer.secrets,
                attempt: identifier::upper()?,
            })
        });
        Ok(made.await?)
    }

    /// Names the public key.
    pub fn fingerprint(&self) -> KeyFingerprint {
        KeyFingerprint::new(self.secrets.keyset.pub_key.fingerprint())
    }
}

/// An administrator who has signed in.
pub struct Administrator {
    account: NativeAccount,
    id: MemberId,
    email: String,
    account_name: String,
}

impl Administrator {
    /// Signs in, and makes sure that whoever it is may set a bridge up. Slow: derives keys.
    pub async fn sign_in(http: reqwest::Client, login: &Login) -> Result<Self, Error> {
        let visit = Visit::begin(http, login).await?;
        let myself = &visit.myself;
        let needed = [right::MANAGE_SETTINGS]
            .into_iter()
            .chain(right::OF_PROVISION_MANAGERS);
        let held = |right: &&str| myself.permissions.iter().any(|held| held == right);
        if let Some(right) = needed.into_iter().find(|right| !held(right)) {
            let email = myself.member.email.clone();
            visit.end().await;
            return Err(Error::NotAdministrator { email, right });
        }
        Ok(Self {
            id: members::id(&myself.member.uuid)?,
            email: myself.member.email.clone(),
            account_name: myself.account_name.clone(),
            account: visit.into_account(),
        })
    }

    /// The administrator's own id.
    pub fn id(&self) -> &MemberId {
        &self.id
    }

    /// The administrator's address.
    pub fn email(&self) -> &str {
        &self.email
    }

    /// The account's name.
    pub fn account_name(&self) -> &str {
        &self.account_name
    }

    /// The group with exactly the rights that a bridge needs; makes it if there is none.
    pub async fn provision_managers(&self) -> Result<GroupId, Error> {
        let rights = right::OF_PROVISION_MANAGERS;
        let Some(group) = self.account.group_by_name(PROVISION_MANAGERS).await? else {
            let attempt = Attempt::new(identifier::upper().map_err(from_protocol)?);
            let making = self
                .account
                .make_group(PROVISION_MANAGERS, &rights, &attempt);
            return Ok(self.account.within(making).await?.id);
        };
        let has: BTreeSet<&str> = group.permissions.iter().map(String::as_str).collect();
        if group.built_in || has != BTreeSet::from(rights) {
            return Err(Error::GroupTaken);
        }
        Ok(group.id)
    }

    /// Everybody who was made for a bridge, in the order in which they were.
    pub async fn managers(&self, group: &GroupId) -> Result<Vec<Member>, Error> {
        let (mut managers, mut page) = (Vec::new(), Page::first(MAX_BATCH));
        loop {
            let listing = self.account.group_members(group, &page).await?;
            managers.extend(listing.items);
            match listing.next {
                Some(next) => page.start = Start::After(next),
                None => return Ok(managers),
            }
        }
    }

    /// The Provision Manager with this address; `None` if nobody has it. That somebody else has is
    /// [`Error::EmailTaken`].
    pub async fn manager_by_email(
        &self,
        group: &GroupId,
        email: &str,
    ) -> Result<Option<Member>, Error> {
        let Some(member) = self.account.member_by_email(email).await? else {
            return Ok(None);
        };
        if self.account.is_member(group, &member.id).await? {
            return Ok(Some(member));
        }
        Err(Error::EmailTaken(email.to_owned()))
    }

    /// Makes a Provision Manager, who then waits for [`admit`](Self::admit). Repeatable with the
    /// same `new`.
    pub async fn create_manager(
        &self,
        new: &NewManager,
        name: &str,
        group: &GroupId,
    ) -> Result<Member, Error> {
        let email = &new.credentials.email;
        let invite = wire::Invite {
            request_id: new.attempt.clone(),
            email: email.clone(),
            name: name.to_owned(),
            language: None,
            enrolment: Some(wire::Enrolment {
                groups: vec![group.to_string()],
                secrets: new.secrets.clone(),
            }),
        };
        match self.account.within(self.account.add_member(&invite)).await {
            // Group keys are going to be wrapped to this key.
            Ok(made) if made.key_fingerprint == Some(new.fingerprint()) => Ok(made),
            Ok(_) => Err(account::Error::KeyChanged.into()),
            Err(account::Error::EmailTaken) => {
                Err(match self.manager_by_email(group, email).await? {
                    Some(_) => Error::ManagerExists(email.clone()),
                    None => account::Error::EmailTaken.into(),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Lets a Provision Manager in: confirms it if it waits, with the public key that `manager`
    /// has, and makes sure that it belongs to the group and holds its key. Repeatable.
    pub async fn admit(&self, manager: &Member, group: &GroupId) -> Result<(), Error> {
        let id = &manager.id;
        let present = self.account.member(id).await?;
        let present = present.ok_or(account::Error::NotFound("member"))?;
        match (present.state, &manager.key_fingerprint) {
            (MemberState::Active, _) => {}
            (MemberState::TransferAccepted, Some(fingerprint)) => {
                self.account.confirm(id, fingerprint).await?;
            }
            (state, _) => return Err(account::Error::WrongState(state).into()),
        }
        self.account.grant(group, std::slice::from_ref(id)).await?;
        Ok(())
    }

    /// Gives somebody the keys of all groups that somebody else manages, so that they can go on
    /// with them. Groups with rights are left out. Returns how many keys were given: none are
    /// given twice.
    pub async fn hand_over(&self, from: &MemberId, to: &MemberId) -> Result<usize, Error> {
        let had: HashSet<GroupId> = self.managed_by(to).await?.into_iter().collect();
        let missing = self.managed_by(from).await?;
        let missing: Vec<_> = missing.iter().filter(|id| !had.contains(id)).collect();
        if missing.is_empty() {
            return Ok(0);
        }
        let holder = self.key_holder(to).await?;
        let mut given = 0;
        for group in missing {
            // A group that was deleted meanwhile needs no key.
            given += found(self.give_key(group, &holder).await)?.unwrap_or(0);
        }
        Ok(given)
    }

    /// Gives a Provision Manager the key of one group. Repeatable.
    pub async fn hand_over_group(&self, group: &GroupId, to: &MemberId) -> Result<(), Error> {
        let holder = self.key_holder(to).await?;
        self.give_key(group, &holder).await?;
        Ok(())
    }

    async fn key_holder(&self, id: &MemberId) -> account::Result<Vec<KeyHolder>> {
        let account = &self.account;
        let holder = account.within(account.key_holders(&[id.as_str()])).await?;
        Ok(holder.into_iter().collect())
    }

    /// Makes people key managers of a group; returns how many were not.
    async fn give_key(&self, group: &GroupId, to: &[KeyHolder]) -> account::Result<usize> {
        let account = &self.account;
        let giving = account.within(async {
            let keys = wire::Grant {
                members: account.wrap_for(group, to.to_vec()).await?,
            };
            let path = format!("{PREFIX}/groups/{group}/keys");
            let answer: wire::Changed = account.connection.post(&path, &keys).await?;
            Ok(answer.changed)
        });
        giving.await
    }

    /// Ordinary groups whose key somebody holds as a manager.
    async fn managed_by(&self, member: &MemberId) -> Result<Vec<GroupId>, Error> {
        let path = format!("{PREFIX}/members/{member}/keys");
        let account = &self.account;
        let groups: Vec<wire::Group> = account.within(account.connection.get(&path)).await?;
        let groups = groups.into_iter().map(groups::group);
        let groups = groups.collect::<account::Result<Vec<_>>>()?;
        Ok(groups
            .into_iter()
            .filter(|group| !group.has_account_wide_power())
            .map(|group| group.id)
            .collect())
    }

    /// Removes a Provision Manager for good. If it has a successor, it is suspended first, so that
    /// a bridge that still uses it makes no more groups, and the last of them are handed over.
    /// Repeatable.
    pub async fn remove(
        &self,
        manager: &MemberId,
        successor: Option<&MemberId>,
    ) -> Result<(), Error> {
        if let Some(successor) = successor
            && self.account.member(manager).await?.is_some()
        {
            self.account.suspend(manager).await?;
            self.hand_over(manager, successor).await?;
        }
        Ok(self.account.delete_member(manager).await?)
    }

    /// Ends the session.
    pub async fn sign_out(self) {
        self.account.sign_out().await;
    }
}
