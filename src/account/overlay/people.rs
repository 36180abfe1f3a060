//! What was changed about a person.

use time::OffsetDateTime;

use crate::{
    account::{Error, KeyFingerprint, Member, MemberEdit, MemberState, Result},
    onepassword::derivation::normal_email,
};

/// What was changed about one person, or all about one whom only we know.
pub(super) struct Person {
    /// Counts those who were changed.
    pub(super) number: u64,
    /// Whom only we know, as they were invited.
    pub(super) made: Option<Member>,
    name: Option<String>,
    language: Option<String>,
    address: Option<Address>,
    state: Option<State>,
    /// How often, and when last.
    changes: u64,
    changed_at: OffsetDateTime,
}

/// The address, and the one that is to replace it.
struct Address {
    email: String,
    pending: Option<String>,
}

/// A state that was changed.
#[derive(Clone, Copy)]
struct State {
    /// What the account says. Once it says something else, that counts.
    beneath: MemberState,
    now: MemberState,
    /// What the person returns to from a suspension.
    before: MemberState,
}

impl Person {
    pub(super) fn new(number: u64, made: Option<Member>) -> Self {
        Self {
            number,
            made,
            name: None,
            language: None,
            address: None,
            state: None,
            changes: 0,
            changed_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// Whether there is anything to remember.
    pub(super) fn matters(&self) -> bool {
        self.made.is_some() || self.changes > 0
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.state
            .is_some_and(|state| state.now == MemberState::Deleted)
    }

    /// The person, given what the account has.
    pub(super) fn shown(&self, inner: Option<Member>) -> Option<Member> {
        let mut member = self.made.clone().or(inner)?;
        if self.is_deleted() {
            return None;
        }
        if let Some(name) = &self.name {
            member.name.clone_from(name);
        }
        if let Some(language) = &self.language {
            member.language = Some(language.clone());
        }
        if let Some(address) = &self.address {
            member.email.clone_from(&address.email);
            member.pending_email.clone_from(&address.pending);
        }
        if let Some(state) = self.state_over(member.state) {
            member.state = state.now;
        }
        member.version += self.changes;
        member.updated_at = member.updated_at.map(|at| at.max(self.changed_at));
        Some(member)
    }

    /// The change of state, if it was made to this one.
    fn state_over(&self, beneath: MemberState) -> Option<State> {
        self.state.filter(|state| state.beneath == beneath)
    }

    /// Whether the account's list of people in such states has the person and we do not (`Less`),
    /// or the other way round.
    pub(super) fn compared(&self, is_listed: impl Fn(MemberState) -> bool) -> std::cmp::Ordering {
        let beneath = match (&self.made, self.state) {
            (Some(_), _) => false,
            (None, Some(state)) => is_listed(state.beneath),
            (None, None) => return std::cmp::Ordering::Equal,
        };
        let made = self.made.as_ref().map(|made| made.state);
        let now = self.state.map(|state| state.now).or(made);
        now.is_some_and(is_listed).cmp(&beneath)
    }

    fn touch(&mut self) {
        self.changes += 1;
        self.changed_at = OffsetDateTime::now_utc();
    }

    /// Changes what is to change about a person who is shown so.
    pub(super) fn edit(&mut self, shown: &Member, edit: &MemberEdit) {
        let mut changed = false;
        if let Some(name) = edit.name.as_ref().filter(|name| **name != shown.name) {
            self.name = Some(name.clone());
            changed = true;
        }
        let language = edit.language.as_ref();
        if let Some(language) =
            language.filter(|language| shown.language.as_ref() != Some(*language))
        {
            self.language = Some(language.clone());
            changed = true;
        }
        if let Some(email) = edit
            .email
            .as_ref()
            .filter(|email| *email != shown.requested_email())
        {
            self.address = Some(moved(shown, email));
            changed = true;
        }
        if changed {
            self.touch();
        }
    }

    /// Changes the state of a person, given what the account has and what is shown.
    fn set_state(&mut self, beneath: &Member, shown: &Member, now: MemberState) {
        self.state = Some(State {
            beneath: beneath.state,
            now,
            before: shown.state,
        })
        .filter(|state| state.now != state.beneath);
        self.touch();
    }

    pub(super) fn suspend(&mut self, beneath: &Member, shown: &Member) {
        use MemberState as S;
        let state = match shown.state {
            S::Suspended | S::TransferSuspended => return,
            S::TransferStarted | S::TransferPending | S::TransferAccepted | S::Pending => {
                S::TransferSuspended
            }
            _ => S::Suspended,
        };
        self.set_state(beneath, shown, state);
    }

    /// What the state was before a suspension by the account itself is no secret of it: it follows
    /// from what the person has.
    pub(super) fn reactivate(&mut self, beneath: &Member, shown: &Member) {
        use MemberState as S;
        let ours = self.state_over(beneath.state).map(|state| state.before);
        let state = match (shown.state, ours) {
            (S::Suspended | S::TransferSuspended, Some(before)) => before,
            (S::Suspended, None) => S::Active,
            (S::TransferSuspended, None) => match shown.key_fingerprint {
                Some(_) => S::TransferAccepted,
                None => S::TransferStarted,
            },
            _ => return,
        };
        self.set_state(beneath, shown, state);
    }

    pub(super) fn confirm(
        &mut self,
        beneath: &Member,
        shown: &Member,
        fingerprint: &KeyFingerprint,
    ) -> Result<()> {
        let waits = matches!(
            shown.state,
            MemberState::TransferAccepted | MemberState::Pending
        );
        match &shown.key_fingerprint {
            Some(key) if waits && key == fingerprint => {
                self.set_state(beneath, shown, MemberState::Active);
                Ok(())
            }
            Some(_) if waits => Err(Error::KeyChanged),
            _ => Err(Error::WrongState(shown.state)),
        }
    }

    pub(super) fn delete(&mut self, beneath: &Member, shown: &Member) {
        self.set_state(beneath, shown, MemberState::Deleted);
    }
}

/// Where a new address leads: whoever has signed up has to consent, because the address takes part
/// in the derivation of their keys; another spelling of the present one takes the place of what
/// waits.
fn moved(shown: &Member, email: &str) -> Address {
    let stays = normal_email(email) == normal_email(&shown.email);
    match !stays && shown.key_fingerprint.is_some() {
        true => Address {
            email: shown.email.clone(),
            pending: Some(email.to_owned()),
        },
        false => Address {
            email: email.to_owned(),
            pending: None,
        },
    }
}

/// Whether somebody has this address, or waits for it.
pub(super) fn has_address(member: &Member, address: &str) -> bool {
    addresses(member).any(|known| known == address)
}

/// The addresses that are taken by somebody, in the form in which they are compared.
pub(super) fn addresses(member: &Member) -> impl Iterator<Item = String> {
    let both = [Some(&member.email), member.pending_email.as_ref()];
    both.into_iter().flatten().map(|email| normal_email(email))
}
