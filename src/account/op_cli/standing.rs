//! What `op` can tell of itself and of the bridge's user, before a provider relies on both.

use std::collections::BTreeSet;

use super::{AccountDetails, OpAccount, Order, in_parallel, members::User};
use crate::account::{Error, Identity, MemberKind, MemberState, Result};

/// Rights that let somebody invite and confirm. `PROVISION_PEOPLE` is the only one that
/// 1Password's own group Provision Managers has; owners and administrators have the other.
const TO_PROVISION: [&str; 2] = ["PROVISION_PEOPLE", "ADD_PERSON"];

/// Who the bridge is at 1Password, and what that user may do as far as it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The account and the user.
    pub identity: Identity,
    /// The version that `op` says it is of.
    pub version: String,
    /// The rights of the groups that the user is in, under their published names, as far as `op`
    /// tells: there may be more.
    pub rights: BTreeSet<String>,
}

impl OpAccount {
    /// Looks at everything that shows without changing anything: about as many commands as the
    /// user has groups, and seven.
    ///
    /// # Errors
    /// As for signing in; [`Error::NotPermitted`] if the user is nobody who can provision.
    pub async fn standing(&self) -> Result<Standing> {
        self.within(async {
            let (user, account, version) = tokio::try_join!(
                self.ask::<User>(Order::new("user get").set("me")),
                self.ask::<AccountDetails>(Order::new("account get")),
                self.connection.version(),
            )?;
            let user = user.into_member(|_| true)?;
            let email = &user.email;
            if user.kind != MemberKind::Member || user.state != MemberState::Active {
                return Err(Error::NotPermitted(format!(
                    "{email} is no active member of the account, and so may not provision: let \
                     the bridge sign in as one"
                )));
            }
            let groups = self.list_groups_of(&user.id).await?;
            let rights = groups.iter().map(|group| async {
                match self.rights_of(&group.id).await {
                    Err(Error::NotPermitted(_)) => Ok(None),
                    rights => rights.map(Some),
                }
            });
            let told = in_parallel(rights.collect()).await?;
            let is_complete = told.iter().all(Option::is_some);
            let rights: BTreeSet<String> = told.into_iter().flatten().flatten().collect();
            let lacks_all = TO_PROVISION.iter().all(|right| !rights.contains(*right));
            // What is not told may be there.
            if is_complete && !rights.is_empty() && lacks_all {
                return Err(Error::NotPermitted(format!(
                    "{email} may not invite and confirm people: as an owner, turn on provisioning \
                     by the command line at 1Password.com, and put {email} into the group \
                     Provision Managers that this makes"
                )));
            }
            Ok(Standing {
                identity: Identity {
                    member: user.id,
                    account_name: account.name,
                    allowed_domains: Vec::new(),
                },
                version,
                rights,
            })
        })
        .await
    }
}
