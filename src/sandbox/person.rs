//! A person's own half, over real HTTP: signing up, signing in, consenting to a new address,
//! changing the password, making a group.
//!
//! Keys and passwords stay on this side; the server gets a verifier, a public key and what is
//! sealed. That a group's private key opens here is the proof that a confirmation worked.

use reqwest::{Method, StatusCode, Url};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    journal::Mail,
    routes::{Acceptance, Offer},
};
use crate::{
    account::{
        self, Account, Attempt, GroupId, MemberState,
        native::{
            login::{Login, Visit},
            setup,
        },
    },
    onepassword::{
        self,
        derivation::MINIMUM_ITERATIONS,
        identifier,
        keyset::{OpenKeyset, open_tree},
        messages::{
            administration::{self as wire, PREFIX, SignUpSecrets},
            errors::ErrorBody,
            sign_in::Keysets,
        },
        newcomer::Newcomer,
        secret_key::SecretKey,
        secret_text::SecretText,
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
    let (newcomer, offer) = compute(move || {
        let newcomer = Newcomer::generate(&place, &offer.email, &typed, offer.iterations)?;
        Ok((newcomer, offer))
    })
    .await?;
    let kit = Kit {
        email: offer.email,
        secret_key: newcomer.credentials.secret_key,
        password,
    };
    let acceptance = Acceptance {
        invitation,
        secrets: newcomer.secrets,
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
    let visit = begin(http, origin, kit).await?;
    let groups: Vec<wire::Group> = get(&visit, &format!("{PREFIX}/self/groups")).await?;
    let keysets: Keysets = get(&visit, "/api/v1/account/keysets").await?;
    let unlock_key = visit.credentials.unlock_key.clone();
    let member = visit.myself.member.clone();
    visit.end().await;
    let open = compute(move || open_tree(&keysets.keysets, &unlock_key)).await?;
    Ok(Report {
        name: member.name,
        state: member.state,
        pending_email: member.pending_email,
        groups: groups
            .into_iter()
            .map(|group| GroupReport {
                opened: group.keyset.is_some_and(|id| open.contains_key(&id)),
                name: group.name,
            })
            .collect(),
    })
}

/// Consents to the address that waits.
pub async fn accept_email(http: &reqwest::Client, origin: &str, kit: &Kit) -> Result<Kit, Error> {
    let visit = begin(http, origin, kit).await?;
    let pending = visit.myself.member.pending_email.clone();
    let new = Kit {
        email: pending.ok_or(Error::NoPendingEmail)?,
        ..kit.clone()
    };
    let accept = wire::AcceptEmail {
        email: new.email.clone(),
        secrets: secrets_for(&visit, &new).await?,
    };
    put(&visit, &format!("{PREFIX}/self/email"), &accept).await?;
    Ok(new)
}

/// Changes the password. Whoever was signed in has to sign in again.
pub async fn change_password(
    http: &reqwest::Client,
    origin: &str,
    kit: &Kit,
    password: SecretText,
) -> Result<Kit, Error> {
    let visit = begin(http, origin, kit).await?;
    let new = Kit {
        password,
        ..kit.clone()
    };
    let secrets = secrets_for(&visit, &new).await?;
    put(&visit, &format!("{PREFIX}/self/password"), &secrets).await?;
    Ok(new)
}

/// Makes a group, as an administrator does without a bridge: its key goes to them and to the
/// Administrators, and to nobody else.
pub async fn make_group(
    http: &reqwest::Client,
    origin: &str,
    kit: &Kit,
    name: &str,
) -> Result<GroupId, Error> {
    let account = begin(http, origin, kit).await?.into_account();
    let attempt = Attempt::new(identifier::upper()?);
    let made = account.create_group(name, &attempt).await;
    account.sign_out().await;
    Ok(made.map_err(from_account)?.id)
}

/// Verifier and primary keyset for another address or password. The key pair stays, so that
/// nothing that was wrapped to it is lost.
async fn secrets_for(visit: &Visit, new: &Kit) -> Result<SignUpSecrets, Error> {
    let (old, new) = (visit.credentials.clone(), new.clone());
    let keyset = visit.myself.keyset.clone();
    compute(move || {
        let keys = OpenKeyset::open_primary(&keyset, &old.unlock_key)?;
        let secret_key = SecretKey::parse(&old.secret_key)?;
        let rounds = old.user_auth.iterations;
        let place = &old.sign_in_address;
        let newcomer =
            Newcomer::with_keys(place, &new.email, &new.password, rounds, &secret_key, keys)?;
        Ok(newcomer.secrets)
    })
    .await
}

async fn begin(http: &reqwest::Client, origin: &str, kit: &Kit) -> Result<Visit, Error> {
    let login = Login {
        address: origin.to_owned(),
        email: kit.email.clone(),
        secret_key: kit.secret_key.clone(),
        password: kit.password.clone(),
    };
    Visit::begin(http.clone(), &login)
        .await
        .map_err(|error| match error {
            setup::Error::Inactive(MemberState::Suspended) => Error::Suspended,
            setup::Error::Inactive(_) => Error::NotConfirmed,
            setup::Error::Refused | setup::Error::SecretKey => Error::Refused,
            other => Error::Server(other.to_string()),
        })
}

async fn get<T: DeserializeOwned>(visit: &Visit, path: &str) -> Result<T, Error> {
    let answer = visit.call::<(), T>(Method::GET, path, None).await;
    answer.map_err(from_account)
}

async fn put<B: Serialize>(visit: &Visit, path: &str, body: &B) -> Result<wire::Member, Error> {
    let answer = visit.call(Method::PUT, path, Some(body)).await;
    answer.map_err(from_account)
}

fn from_account(error: account::Error) -> Error {
    Error::Server(error.to_string())
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
