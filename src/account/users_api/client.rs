//! The requests, by 1Password's public documentation of its Users API (v1beta1, a public preview).

use reqwest::{RequestBuilder, StatusCode, Url, header};
use serde::{Deserialize, de::DeserializeOwned};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::{
    account::{Error, MemberId, MemberState},
    onepassword::users_api::ClientCredentials,
    outbound::retry::{self, Answer},
};

/// Every request has to say who asks.
const USER_AGENT: &str = concat!("scim-bridge/", env!("CARGO_PKG_VERSION"));
/// A token this close to its end is renewed: one lasts for 15 minutes.
const MARGIN: time::Duration = time::Duration::minutes(1);
/// How much of a refusal is passed on, in characters.
const LONGEST: usize = 100;
/// Longer words are passed over: tokens and client secrets are such.
const LONGEST_WORD: usize = 20;

/// What the API can do to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Suspend,
    Reactivate,
}

impl Action {
    /// What the API calls it.
    fn verb(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Reactivate => "reactivate",
        }
    }

    /// The only state in which the API is said to do it.
    pub(super) fn before(self) -> MemberState {
        match self {
            Self::Suspend => MemberState::Active,
            Self::Reactivate => MemberState::Suspended,
        }
    }

    /// The state that it leads to.
    pub(super) fn after(self) -> MemberState {
        match self {
            Self::Suspend => MemberState::Suspended,
            Self::Reactivate => MemberState::Active,
        }
    }
}

/// Why the API did not do as asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// It says that it may not be done.
    Refused(Error),
    /// It says nothing that counts: out of order, or wrongly set up.
    NoHelp(String),
    /// It is not to be had at the moment.
    OutOfReach(String),
}

pub(super) struct Client {
    http: reqwest::Client,
    credentials: ClientCredentials,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: Zeroizing<String>,
    expires_at: OffsetDateTime,
}

/// RFC 6749, section 5.1.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds from now. Without it the token is used once.
    #[serde(default)]
    expires_in: u32,
}

#[derive(Deserialize)]
struct User {
    id: String,
    state: String,
}

/// What the API says itself, and no gateway before it.
#[derive(Deserialize)]
struct Refusal {
    /// A code of gRPC; it repeats the status.
    #[serde(rename = "code")]
    _code: u16,
    #[serde(default)]
    message: String,
}

impl Client {
    pub(super) fn new(credentials: ClientCredentials, http: reqwest::Client) -> Self {
        Self {
            http,
            credentials,
            token: Mutex::default(),
        }
    }

    /// Asks for a token, which changes nothing.
    pub(super) async fn check(&self) -> Result<(), Failure> {
        self.token().await.map(drop)
    }

    /// Suspends or reactivates. Safe to repeat.
    pub(super) async fn act(&self, action: Action, id: &MemberId) -> Result<(), Failure> {
        let person = format!("{id}:{}", action.verb());
        let account = &*self.credentials.account_id;
        let url = self.url(&["v1beta1", "accounts", account, "users", &person])?;
        let mut answer = self.send(self.http.post(url.clone())).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            // One that is kept may have been revoked.
            *self.token.lock().await = None;
            answer = self.send(self.http.post(url)).await?;
        }
        if !answer.status.is_success() {
            return Err(refusal(answer.status, &answer.body));
        }
        let user: User = understood(&answer.body)?;
        let done = user.id == id.as_str() && user.state == action.after().name();
        match done {
            true => Ok(()),
            false => Err(not_understood()),
        }
    }

    fn url(&self, path: &[&str]) -> Result<Url, Failure> {
        let server = Url::parse(&self.credentials.server.to_string());
        let mut url = server.map_err(|error| Failure::NoHelp(error.to_string()))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(path);
        }
        Ok(url)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Failure> {
        let token = self.token().await?;
        exchange(request.bearer_auth(token.as_str())).await
    }

    /// The last token while it lasts.
    async fn token(&self) -> Result<Zeroizing<String>, Failure> {
        // Held while asking: others who need a token wait for this one.
        let mut kept = self.token.lock().await;
        let now = OffsetDateTime::now_utc();
        if let Some(token) = &*kept
            && token.expires_at - MARGIN > now
        {
            return Ok(token.text.clone());
        }
        let token = self.ask_for_token(now).await?;
        let text = token.text.clone();
        *kept = Some(token);
        Ok(text)
    }

    /// RFC 6749, section 4.4. Without a scope, which could only be the one that is given anyway:
    /// what the application may do is chosen where it is registered.
    async fn ask_for_token(&self, now: OffsetDateTime) -> Result<Token, Failure> {
        let ClientCredentials {
            client_id,
            client_secret,
            ..
        } = &self.credentials;
        let request = self
            .http
            .post(self.url(&["v1beta1", "users", "oauth2", "token"])?)
            .basic_auth(client_id, Some(&**client_secret))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let answer = exchange(request).await?;
        if !answer.status.is_success() {
            return Err(Failure::NoHelp(format!(
                "it answers {} to the OAuth application: check that the application exists, \
                 and its client secret",
                answer.status
            )));
        }
        let granted: Granted = understood(&answer.body)?;
        Ok(Token {
            text: granted.access_token.into(),
            expires_at: now + time::Duration::seconds(granted.expires_in.into()),
        })
    }
}

/// What an answer means that is no success. Only what the API itself says of this person is the
/// last word.
fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let said: Option<Refusal> = serde_json::from_slice(body).ok();
    match (status, said) {
        (StatusCode::FORBIDDEN, Some(said)) if said.message == "no_owner_remain" => {
            Failure::Refused(Error::Protected(
                "the last owner of the account cannot be suspended".to_owned(),
            ))
        }
        // The application may lack a right that the connector has.
        (StatusCode::FORBIDDEN, Some(said)) => Failure::NoHelp(format!(
            "it does not permit it ({}): let the OAuth application suspend and reactivate users",
            clean(&said.message)
        )),
        // To take its word for it would make providers forget people: the account decides.
        (StatusCode::NOT_FOUND, Some(_)) => Failure::NoHelp(
            "it does not know a person of the account: check the account id that it is given"
                .to_owned(),
        ),
        (StatusCode::UNAUTHORIZED, _) => {
            Failure::NoHelp("it does not take the token that it has just given".to_owned())
        }
        (status, _) => Failure::NoHelp(format!("it answers {status}")),
    }
}

/// A message as it may be shown: one line, not long, without what could be a secret.
fn clean(message: &str) -> String {
    let words = message.split(|c: char| c.is_whitespace() || c.is_control());
    let words = words.map(|word| match word.chars().count() <= LONGEST_WORD {
        true => word,
        false => "…",
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().take(LONGEST).collect()
}

async fn exchange(request: RequestBuilder) -> Result<Answer, Failure> {
    retry::send(request.header(header::USER_AGENT, USER_AGENT))
        .await
        .map_err(|error| Failure::OutOfReach(error.to_string()))
}

fn understood<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|_| not_understood())
}

fn not_understood() -> Failure {
    Failure::NoHelp("it gives an answer that is not understood".to_owned())
}
