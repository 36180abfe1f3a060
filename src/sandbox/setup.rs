//! Making an account: its built-in groups, its owner, and for a demo a Provision Manager.

use rusqlite::{Connection, params};

use super::{
    Error, Sandbox,
    groups::{self, NewGroup},
    members,
    refusal::Refusal,
    store::{now, to_json},
};
use crate::onepassword::{
    identifier, keyset::OpenKeyset, messages::administration::right, newcomer::Newcomer,
    secret_text::SecretText, sign_in_credentials::SignInCredentials,
};

/// An account to be.
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// Domains that invitations are limited to; empty allows any.
    pub domains: Vec<String>,
    /// Who it belongs to.
    pub owner: NewPerson,
    /// Where the account will be reached, for the credentials: `http://127.0.0.1:4010`.
    pub sign_in_address: String,
}

/// Somebody to be in a new account.
pub struct NewPerson {
    /// Address.
    pub email: String,
    /// Password.
    pub password: SecretText,
}

/// What a person signs in with.
pub struct Login {
    /// Id of the person.
    pub member: String,
    /// Address.
    pub email: String,
    /// Secret Key.
    pub secret_key: SecretText,
    /// Password.
    pub password: SecretText,
}

/// An account just made for a demo.
pub struct DemoAccount {
    /// The owner.
    pub owner: Login,
    /// The Provision Manager, as a person.
    pub provision_manager: Login,
    /// The Provision Manager, as the bridge signs in.
    pub credentials: SignInCredentials,
}

/// Name and kind; through the first of them whoever administers reaches the keys of all others.
const BUILT_IN: [(&str, &str); 4] = [
    ("Administrators", "ADMINISTRATORS"),
    ("Owners", "OWNERS"),
    ("Recovery", "RECOVERY"),
    ("Team Members", "TEAM_MEMBERS"),
];
const MANAGERS: &str = "Provision Managers";

impl Sandbox {
    /// Creates the account of this sandbox, with nobody in it but its owner. Slow: five key pairs
    /// and two derivations.
    pub fn create_account(&self, new: &NewAccount) -> Result<Login, Error> {
        let owner = self.newcomer(new, &new.owner)?;
        self.make(new, |account| account.enter_owner(new, &owner))
    }

    /// Creates the account of this sandbox with a Provision Manager in it, as an administrator
    /// would have set one up. Slow: seven key pairs and four derivations.
    pub fn create_demo_account(
        &self,
        new: &NewAccount,
        manager: &NewPerson,
    ) -> Result<DemoAccount, Error> {
        let owner = self.newcomer(new, &new.owner)?;
        let keys = self.newcomer(new, manager)?;
        let (owner, provision_manager) = self.make(new, |account| {
            let owner = account.enter_owner(new, &owner)?;
            account.group(MANAGERS, "USER_DEFINED", &right::OF_PROVISION_MANAGERS)?;
            let groups = [MANAGERS, "Team Members"];
            let manager = account.enter("Provision Manager", manager, &keys, &groups)?;
            Ok((owner, manager))
        })?;
        Ok(DemoAccount {
            owner,
            provision_manager,
            credentials: keys.credentials,
        })
    }

    fn newcomer(&self, new: &NewAccount, person: &NewPerson) -> Result<Newcomer, Error> {
        Ok(Newcomer::generate(
            &new.sign_in_address,
            &person.email,
            &person.password,
            self.0.options.kdf_iterations,
        )?)
    }

    /// Makes the account and its built-in groups, and lets `people` come in.
    fn make<T>(
        &self,
        new: &NewAccount,
        people: impl FnOnce(&mut Founding<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Error> {
        if self.has_account()? {
            return Err(Error::AccountExists);
        }
        Ok(self.0.store.write_now(|db| {
            db.execute(
                "INSERT INTO account (one, uuid, name, domains, created_at) VALUES (1, ?, ?, '[]', ?)",
                params![identifier::upper()?, new.name, now()],
            )?;
            let mut account = Founding {
                db,
                groups: Vec::new(),
            };
            for (name, kind) in BUILT_IN {
                let mut permissions = Vec::new();
                match kind {
                    "OWNERS" | "ADMINISTRATORS" => {
                        permissions.extend(right::OF_PROVISION_MANAGERS);
                        permissions.push(right::MANAGE_SETTINGS);
                    }
                    "RECOVERY" => permissions.push("RECOVER_ACCOUNTS"),
                    _ => {}
                }
                account.group(name, kind, &permissions)?;
            }
            let made = people(&mut account)?;
            // Making the account is no event in its life, and its domains bind invitations only.
            db.execute_batch("DELETE FROM events; DELETE FROM mail; DELETE FROM attempts;")?;
            db.execute("UPDATE account SET domains = ?", [to_json(&new.domains)?])?;
            Ok(made)
        })?)
    }
}

/// An account while it is made: the only time when the keys of its groups are at hand.
struct Founding<'a> {
    db: &'a Connection,
    groups: Vec<(&'static str, i64, OpenKeyset)>,
}

impl Founding<'_> {
    fn group(
        &mut self,
        name: &'static str,
        kind: &str,
        permissions: &[&str],
    ) -> Result<(), Refusal> {
        let keys = OpenKeyset::generate()?;
        let seq = groups::insert(
            self.db,
            &NewGroup {
                name,
                kind,
                built_in: kind != "USER_DEFINED",
                permissions,
                keyset: &keys.wrapped_for(&keys.public_key())?,
            },
        )?;
        let holder = groups::administrators(self.db)?;
        if kind != "ADMINISTRATORS" {
            let wrapped = holder.pub_key.wrap(keys.symmetric_key())?;
            let key = &holder.pub_key;
            groups::store_key(self.db, seq, &holder.uuid, key, &wrapped, true)?;
        }
        self.groups.push((name, seq, keys));
        Ok(())
    }

    fn enter_owner(&self, new: &NewAccount, newcomer: &Newcomer) -> Result<Login, Refusal> {
        let groups = BUILT_IN.map(|(name, _)| name);
        self.enter("Owner", &new.owner, newcomer, &groups)
    }

    /// Lets somebody in at once, with the keys of these groups.
    fn enter(
        &self,
        name: &str,
        person: &NewPerson,
        newcomer: &Newcomer,
        groups: &[&str],
    ) -> Result<Login, Refusal> {
        let member = members::insert(self.db, &person.email, name, "en")?;
        members::accept(self.db, &member, &newcomer.secrets, &member.uuid)?;
        let key = newcomer.keyset.public_key();
        let of_theirs = |(name, ..): &&(&str, _, _)| groups.contains(name);
        for (_, seq, keys) in self.groups.iter().filter(of_theirs) {
            groups::join(self.db, *seq, member.seq)?;
            let wrapped = key.wrap(keys.symmetric_key())?;
            groups::store_key(self.db, *seq, &member.uuid, &key, &wrapped, false)?;
        }
        members::activate(self.db, member.seq)?;
        Ok(Login {
            member: member.uuid,
            email: newcomer.credentials.email.clone(),
            secret_key: newcomer.credentials.secret_key.clone(),
            password: person.password.clone(),
        })
    }
}
