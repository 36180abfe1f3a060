//! What was changed about a group.

use std::collections::{HashMap, HashSet};

use time::OffsetDateTime;

use crate::account::{Group, GroupName, MemberId};

/// What was changed about one group, or all about one that only we know.
pub(super) struct ChangedGroup {
    /// Counts those that were changed.
    pub(super) number: u64,
    /// What only we know, as it was made.
    pub(super) made: Option<Group>,
    pub(super) name: Option<String>,
    pub(super) deleted: bool,
    /// Who is in it here and not in the account, each with a number that counts them.
    pub(super) joined: HashMap<MemberId, u64>,
    /// Who is in it in the account and not here.
    pub(super) left: HashSet<MemberId>,
    /// How often, and when last.
    changes: u64,
    changed_at: OffsetDateTime,
}

impl ChangedGroup {
    pub(super) fn new(number: u64, made: Option<Group>) -> Self {
        Self {
            number,
            made,
            name: None,
            deleted: false,
            joined: HashMap::new(),
            left: HashSet::new(),
            changes: 0,
            changed_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// The group, given what the account has.
    pub(super) fn shown(&self, inner: Option<Group>) -> Option<Group> {
        let mut group = self.made.clone().or(inner)?;
        if self.deleted {
            return None;
        }
        if let Some(name) = &self.name {
            group.name.clone_from(name);
        }
        let (joined, left) = (self.joined.len() as u64, self.left.len() as u64);
        group.member_count = (group.member_count + joined).saturating_sub(left);
        group.version += self.changes;
        group.updated_at = group.updated_at.max(self.changed_at);
        Some(group)
    }

    /// The name of a group that the account has.
    pub(super) fn shown_name(&self, mut inner: GroupName) -> Option<GroupName> {
        if self.deleted {
            return None;
        }
        if let Some(name) = &self.name {
            inner.name.clone_from(name);
        }
        Some(inner)
    }

    pub(super) fn touch(&mut self) {
        self.changes += 1;
        self.changed_at = OffsetDateTime::now_utc();
    }

    /// Whether somebody is in it, given whether they are in the account's.
    pub(super) fn has(&self, id: &MemberId, inner: bool) -> bool {
        self.joined.contains_key(id) || (inner && !self.left.contains(id))
    }

    /// Lets somebody in who was not.
    pub(super) fn let_in(&mut self, id: &MemberId, number: u64) {
        if !self.left.remove(id) {
            self.joined.insert(id.clone(), number);
        }
    }

    /// Takes somebody out who was in.
    pub(super) fn take_out(&mut self, id: &MemberId) {
        if self.joined.remove(id).is_none() {
            self.left.insert(id.clone());
        }
    }
}
