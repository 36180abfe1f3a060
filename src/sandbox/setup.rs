//! Making an account: its built-in groups, its owner, and a Provision Manager.

use rusqlite::params;

use super::{
    Error, Sandbox,
    caller::right,
    groups::{self, NewGroup},
    members,
    refusal::Refusal,
    store::{now, to_json},
};
use crate::onepassword::{
    identifier,
    keyset::OpenKeyset,
    messages::administration::{Invite, SignUpSecrets},
    secret_key::SecretKey,
    secret_text::SecretText,
    sign_in_credentials::{SignInCredentials, UnlockParameters, UserAuth},
    srp::Verifier,
};

/// An account to be.
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// Domains that invitations are limited to; empty allows any.
    pub domains: Vec<String>,
    /// Address of the owner.
    pub owner_email: String,
    /// The owner's password.
    pub owner_password: SecretText,
    /// Address of the Provision Manager.
    pub provision_manager_email: String,
    /// The Provision Manager's password.
    pub provision_manager_password: SecretText,
    /// Where the account will be reached, for the credentials: `http://127.0.0.1:4010`.
    pub sign_in_address: String,
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

/// An account just made.
pub struct DemoAccount {
    /// Its id.
    pub uuid: String,
    /// The owner.
    pub owner: Login,
    /// The Provision Manager, as a person.
    pub provision_manager: Login,
    /// The Provision Manager, as the bridge signs in.
    pub credentials: SignInCredentials,
}

const OWNERS: usize = 0;
const ADMINISTRATORS: usize = 1;
const RECOVERY: usize = 2;
const EVERYONE: usize = 3;
const MANAGERS: usize = 4;

const BUILT_IN: [(&str, &str); 5] = [
    ("Owners", "OWNERS"),
    ("Administrators", "ADMINISTRATORS"),
    ("Recovery", "RECOVERY"),
    ("Team Members", "TEAM_MEMBERS"),
    ("Provision Managers", "USER_DEFINED"),
];

/// A person's own half, as their device would make it.
pub(super) struct Device {
    pub(super) keyset: OpenKeyset,
    pub(super) secrets: SignUpSecrets,
    pub(super) secret_key: SecretKey,
    pub(super) credentials: SignInCredentials,
}

impl Device {
    /// Makes all keys anew. Slow: a key pair and two derivations.
    pub(super) fn make(
        address: &str,
        email: &str,
        password: &str,
        iterations: u32,
    ) -> crate::onepassword::Result<Self> {
        let secret_key = SecretKey::generate()?;
        let keyset = OpenKeyset::generate()?;
        Self::with(address, email, password, iterations, secret_key, keyset)
    }

    /// Makes the verifier and the primary keyset for keys that exist.
    pub(super) fn with(
        address: &str,
        email: &str,
        password: &str,
        iterations: u32,
        secret_key: SecretKey,
        keyset: OpenKeyset,
    ) -> crate::onepassword::Result<Self> {
        let user_auth = UserAuth::generate(iterations)?;
        let unlock = UnlockParameters::generate(iterations)?;
        let credentials =
            SignInCredentials::derive(address, email, password, &secret_key, user_auth, &unlock)?;
        let secrets = SignUpSecrets {
            secret_key_format: secret_key.format().to_owned(),
            secret_key_id: secret_key.id().to_owned(),
            user_auth: credentials.user_auth.clone(),
            verifier: SecretText::new(Verifier::from_x(&credentials.srp_x).to_hex().to_string()),
            keyset: keyset.sealed_for_owner(&credentials.unlock_key, &unlock)?,
        };
        Ok(Self {
            keyset,
            secrets,
            secret_key,
            credentials,
        })
    }
}

impl Sandbox {
    /// Creates the account of this sandbox. Slow: seven key pairs and four derivations.
    pub fn create_account(&self, new: &NewAccount) -> Result<DemoAccount, Error> {
        if self.has_account()? {
            return Err(Error::AccountExists);
        }
        let rounds = self.0.options.kdf_iterations;
        let make = |email: &str, password: &str| {
            Device::make(&new.sign_in_address, email, password, rounds)
        };
        let owner = make(&new.owner_email, &new.owner_password)?;
        let manager = make(
            &new.provision_manager_email,
            &new.provision_manager_password,
        )?;
        let keysets = BUILT_IN
            .iter()
            .map(|_| OpenKeyset::generate())
            .collect::<Result<Vec<_>, _>>()?;
        let uuid = identifier::upper()?;
        let (owner_id, manager_id) = self.0.store.write_now(|db| {
            db.execute(
                "INSERT INTO account (one, uuid, name, domains, created_at) VALUES (1, ?, ?, '[]', ?)",
                params![uuid, new.name, now()],
            )?;
            let mut seqs = Vec::new();
            for (place, (name, kind)) in BUILT_IN.iter().enumerate() {
                let permissions: &[&str] = match place {
                    OWNERS | ADMINISTRATORS | MANAGERS => &right::ALL,
                    RECOVERY => &["RECOVER_ACCOUNTS"],
                    _ => &[],
                };
                let keyset = keysets[place].wrapped_for(&keysets[place].public_key())?;
                seqs.push(groups::insert(
                    db,
                    &NewGroup {
                        name,
                        kind,
                        built_in: true,
                        permissions,
                        keyset: &keyset,
                    },
                )?);
            }
            // Whoever administers reaches every group's key through its own group's.
            let holder = groups::administrators(db)?.uuid;
            for (place, seq) in seqs.iter().enumerate() {
                if place != ADMINISTRATORS {
                    let key = keysets[ADMINISTRATORS].public_key();
                    let wrapped = key.wrap(keysets[place].symmetric_key())?;
                    groups::store_key(db, *seq, &holder, &key, &wrapped, true)?;
                }
            }
            let enter = |device: &Device, name: &str, places: &[usize]| {
                let email = &device.credentials.email;
                let member = members::invite(
                    db,
                    "SETUP",
                    &Invite {
                        request_id: identifier::upper()?,
                        email: email.clone(),
                        name: name.to_owned(),
                        language: None,
                    },
                )?;
                let invitation: String = db.query_row(
                    "SELECT invitation FROM members WHERE uuid = ?",
                    [&member.uuid],
                    |row| row.get(0),
                )?;
                members::sign_up(db, &invitation, &device.secrets)?;
                let stored = members::by_uuid(db, &member.uuid)?;
                let key = device.keyset.public_key();
                for place in places {
                    groups::join(db, seqs[*place], stored.seq)?;
                    let wrapped = key.wrap(keysets[*place].symmetric_key())?;
                    groups::store_key(db, seqs[*place], &member.uuid, &key, &wrapped, false)?;
                }
                members::activate(db, stored.seq)?;
                members::protect(db, stored.seq)?;
                Ok::<_, Refusal>(member.uuid)
            };
            let ids = (
                enter(&owner, "Owner", &[OWNERS, ADMINISTRATORS, RECOVERY, EVERYONE])?,
                enter(&manager, "Provision Manager", &[MANAGERS, EVERYONE])?,
            );
            // Making the account is no event in its life, and its domains bind invitations only.
            db.execute_batch("DELETE FROM events; DELETE FROM mail; DELETE FROM attempts;")?;
            db.execute("UPDATE account SET domains = ?", [to_json(&new.domains)?])?;
            Ok(ids)
        })?;
        let login = |member, device: &Device, password: &SecretText| Login {
            member,
            email: device.credentials.email.clone(),
            secret_key: SecretText::new(device.secret_key.text().to_string()),
            password: password.clone(),
        };
        Ok(DemoAccount {
            uuid,
            owner: login(owner_id, &owner, &new.owner_password),
            provision_manager: login(manager_id, &manager, &new.provision_manager_password),
            credentials: manager.credentials,
        })
    }
}
