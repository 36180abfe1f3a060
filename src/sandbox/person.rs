//! A person's own half, over real HTTP: signing up, signing in, consenting to a new address.
//!
//! Keys and passwords stay on this side; the server gets a verifier, a public key and what is
//! sealed. That a group's private key opens here is the proof that a confirmation worked.

use std::sync::Arc;

use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    journal::Mail,
    routes::{Acceptance, Offer},
    setup::Device,
};
use crate::{
    account::{self, native::SignedIn},
    onepassword::{
        self,
        derivation::MINIMUM_ITERATIONS,
        envelope::SymmetricKey,
        identifier,
        keyset::{OpenKeyset, open_tree, primary},
        messages::{
            administration::{self as wire, PREFIX},
            errors::ErrorBody,
            sign_in::{Keysets, StartAnswer, StartRequest},
        },
        secret_key::SecretKey,
        secret_text::SecretText,
        sign_in_credentials::{SignInCredentials, UNLOCK_KEY_ID},
    },
};

/// What a person keeps: the "emergency kit", with the password beside it for the sandbox's sake.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kit {
    /// The address to sign in with.
    pub email: String,
    /// The Secret Key.
    pub secret_key: SecretText,
    /// The password.
    pub password: SecretText,
}

/// What somebody sees who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Their name.
    pub name: String,
    /// Their state.
    pub state: String,
    /// An address that waits for their consent.
    pub pending_email: Option<String>,
    /// Their groups.
    pub groups: Vec<GroupReport>,
}

/// One group of somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupReport {
    /// Its name.
    pub name: String,
    /// Whether its private key really opened.
    pub opened: bool,
}

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing in the mailbox invites this address (any more).
    #[error("there is no invitation for this address")]
    NoInvitation,
    /// The account has suspended the person, before or after joining.
    #[error("the account has suspended this person")]
    Suspended,
    /// The person has signed up and waits for the confirmation.
    #[error("the account has not confirmed this person yet")]
    NotConfirmed,
    /// Address, password or Secret Key is wrong.
    #[error("address, password or Secret Key is wrong")]
    Refused,
    /// No address waits for consent.
    #[error("no new address waits for consent")]
    NoPendingEmail,
    /// The server could not be reached, or answered something else.
    #[error("the account server: {0}")]
    Server(String),
    /// A step of the protocol failed.
    #[error(transparent)]
    Protocol(#[from] onepassword::Error),
}

/// Accepts the latest invitation of an address: makes a Secret Key, a key pair and a verifier.
pub async fn sign_up(
    http: &reqwest::Client,
    origin: &str,
    email: &str,
    password: SecretText,
) -> Result<Kit, Error> {
    let mailbox = address(origin, "/sandbox/mail", &[("to", email)])?;
    let mail: Vec<Mail> = read(http.get(mailbox)).await?;
    let invitation = mail
        .into_iter()
        .find_map(|message| message.invitation)
        .ok_or(Error::NoInvitation)?;
    let which = address(
        origin,
        "/sandbox/invitation",
        &[("invitation", &invitation)],
    )?;
    let offer: Offer = read(http.get(which)).await?;
    if offer.state == "TRANSFER_SUSPENDED" {
        return Err(Error::Suspended);
    }
    if offer.iterations < MINIMUM_ITERATIONS {
        return Err(Error::Server("too few rounds of key derivation".to_owned()));
    }
    let (place, typed) = (origin.to_owned(), password.clone());
    let (device, offer) = compute(move || {
        let device = Device::make(&place, &offer.email, &typed, offer.iterations)?;
        Ok((device, offer))
    })
    .await?;
    let kit = Kit {
        email: offer.email,
        secret_key: SecretText::new(device.secret_key.text().to_string()),
        password,
    };
    let acceptance = Acceptance {
        invitation,
        secrets: device.secrets,
    };
    let text = serde_json::to_vec(&acceptance).map_err(|_| Error::Server("no JSON".to_owned()))?;
    let _: wire::Member = read(
        http.post(address(origin, "/sandbox/sign-up", &[])?)
            .body(text),
    )
    .await?;
    Ok(kit)
}

/// Signs in and tries the key of every group.
pub async fn sign_in(http: &reqwest::Client, origin: &str, kit: &Kit) -> Result<Report, Error> {
    let visit = Visit::begin(http, origin, kit).await?;
    let myself: wire::Myself = visit.get(&format!("{PREFIX}/self")).await?;
    let groups: Vec<wire::Group> = visit.get(&format!("{PREFIX}/self/groups")).await?;
    let keysets: Keysets = visit.get("/api/v1/account/keysets").await?;
    visit.end().await;
    let own = primary(&keysets.keysets).ok_or(Error::Refused)?.clone();
    let (secret_key, kit) = (SecretKey::parse(&kit.secret_key)?, kit.clone());
    let open = compute(move || {
        let unlock = own
            .unlock_parameters()?
            .unlock_key(&kit.email, &kit.password, &secret_key)?;
        open_tree(&keysets.keysets, &unlock)
    })
    .await?;
    Ok(Report {
        name: myself.member.name,
        state: myself.member.state,
        pending_email: myself.member.pending_email,
        groups: groups
            .into_iter()
            .map(|group| GroupReport {
                opened: group.keyset.is_some_and(|id| open.contains_key(&id)),
                name: group.name,
            })
            .collect(),
    })
}

/// Consents to the address that waits. Verifier and primary keyset are made anew with it; the key
/// pair stays, so that nothing that was wrapped to it is lost.
pub async fn accept_email(http: &reqwest::Client, origin: &str, kit: &Kit) -> Result<Kit, Error> {
    let visit = Visit::begin(http, origin, kit).await?;
    let myself: wire::Myself = visit.get(&format!("{PREFIX}/self")).await?;
    let email = myself.member.pending_email.ok_or(Error::NoPendingEmail)?;
    let (place, old, new) = (origin.to_owned(), kit.clone(), email.clone());
    let secrets = compute(move || {
        let secret_key = SecretKey::parse(&old.secret_key)?;
        let parameters = myself.keyset.unlock_parameters()?;
        let unlock = parameters.unlock_key(&old.email, &old.password, &secret_key)?;
        let keyset = OpenKeyset::open_primary(&myself.keyset, &unlock)?;
        let rounds = parameters.iterations;
        let device = Device::with(&place, &new, &old.password, rounds, secret_key, keyset)?;
        Ok(device.secrets)
    })
    .await?;
    let accept = wire::AcceptEmail { email, secrets };
    let _: wire::Member = visit
        .signed_in
        .call(Method::PUT, &format!("{PREFIX}/self/email"), Some(&accept))
        .await
        .map_err(from_account)?;
    Ok(Kit {
        email: accept.email,
        ..kit.clone()
    })
}

/// A session of a person.
struct Visit {
    signed_in: SignedIn,
}

impl Visit {
    async fn begin(http: &reqwest::Client, origin: &str, kit: &Kit) -> Result<Self, Error> {
        let secret_key = SecretKey::parse(&kit.secret_key)?;
        let device_uuid = identifier::lower()?;
        let start = StartRequest {
            email: kit.email.clone(),
            secret_key_format: secret_key.format().to_owned(),
            secret_key_id: secret_key.id().to_owned(),
            device_uuid: device_uuid.clone(),
        };
        let text = serde_json::to_vec(&start).map_err(|_| Error::Server("no JSON".to_owned()))?;
        let started: StartAnswer = read(
            http.post(address(origin, "/api/v3/auth/start", &[])?)
                .body(text),
        )
        .await?;
        let user_auth = started
            .user_auth
            .filter(|asked| asked.iterations >= MINIMUM_ITERATIONS)
            .ok_or_else(|| Error::Server("unexpected sign-in parameters".to_owned()))?;
        let (typed, auth) = (kit.clone(), user_auth.clone());
        let srp_x = compute(move || {
            auth.srp_x(
                &typed.email,
                &typed.password,
                &SecretKey::parse(&typed.secret_key)?,
            )
        })
        .await?;
        let credentials = SignInCredentials {
            sign_in_address: origin.to_owned(),
            user_auth,
            email: kit.email.clone(),
            srp_x,
            // Derived once the keyset says how; signing in does not need it.
            unlock_key: SymmetricKey::new(UNLOCK_KEY_ID, [0; 32]),
            secret_key: kit.secret_key.clone(),
            device_uuid,
        };
        let signed_in = SignedIn::begin(http.clone(), Arc::new(credentials))
            .await
            .map_err(from_account)?;
        Ok(Self { signed_in })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        self.signed_in
            .call::<(), T>(Method::GET, path, None)
            .await
            .map_err(from_account)
    }

    async fn end(&self) {
        // A session that is not signed out ends by itself.
        let _ = self
            .signed_in
            .call::<(), serde_json::Value>(Method::PUT, "/api/v1/session/signout", None)
            .await;
    }
}

fn from_account(error: account::Error) -> Error {
    match error {
        account::Error::WrongState(account::MemberState::Suspended) => Error::Suspended,
        account::Error::WrongState(_) => Error::NotConfirmed,
        account::Error::CredentialsRefused(_) => Error::Refused,
        other => Error::Server(other.to_string()),
    }
}

fn address(origin: &str, path: &str, query: &[(&str, &str)]) -> Result<Url, Error> {
    let no_address = |_| Error::Server(format!("{origin} is no address"));
    let mut url = Url::parse(origin)
        .and_then(|origin| origin.join(path))
        .map_err(no_address)?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

async fn read<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, Error> {
    let lost = |error: reqwest::Error| Error::Server(error.without_url().to_string());
    let answer = request
        .header("content-type", "application/json")
        .send()
        .await
        .map_err(lost)?;
    let status = answer.status();
    let text = answer.bytes().await.map_err(lost)?;
    if status.is_success() {
        return serde_json::from_slice(&text)
            .map_err(|_| Error::Server("an answer was not understood".to_owned()));
    }
    let body: ErrorBody = serde_json::from_slice(&text).unwrap_or_default();
    Err(match (status, body.reason.as_deref()) {
        (StatusCode::NOT_FOUND, _) => Error::NoInvitation,
        (_, Some(wire::reason::WRONG_STATE)) => Error::Suspended,
        (StatusCode::BAD_REQUEST, None) => Error::Refused,
        (_, reason) => Error::Server(format!("{status} {}", reason.unwrap_or_default())),
    })
}

async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> onepassword::Result<T> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(Error::Server("interrupted".to_owned())),
    }
}
