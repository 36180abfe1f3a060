//! What stands for the world outside: a mailbox, and the acceptance of invitations.

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};

use super::Body;
use crate::{
    onepassword::{
        identifier, messages::administration::SignUpSecrets, secret_text::SecretText, srp,
    },
    sandbox::{
        Sandbox, journal, members,
        refusal::{Refusal, json},
    },
};

/// How many messages are shown.
const SHOWN: u32 = 200;

/// Whose mail.
#[derive(Deserialize)]
struct To {
    to: Option<String>,
}

/// Which invitation.
#[derive(Deserialize)]
struct Which {
    invitation: SecretText,
}

/// What an invitation says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Offer {
    /// The address, which takes part in the derivations.
    pub(crate) email: String,
    /// The name shown.
    pub(crate) name: String,
    /// `TRANSFER_STARTED`, or `TRANSFER_SUSPENDED`: then it cannot be accepted.
    pub(crate) state: String,
    /// The account's name.
    pub(crate) account_name: String,
    /// Rounds of key derivation to use.
    pub(crate) iterations: u32,
}

/// A newcomer's acceptance.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Acceptance {
    /// The invitation's secret.
    pub(crate) invitation: SecretText,
    /// What the newcomer's device made.
    #[serde(flatten)]
    pub(crate) secrets: SignUpSecrets,
}

pub(super) fn router() -> Router<Sandbox> {
    Router::new()
        .route("/sandbox/", get(page))
        .route("/sandbox/join", get(join))
        .route("/sandbox/mail", get(mail))
        .route("/sandbox/invitation", get(invitation))
        .route("/sandbox/sign-up", post(sign_up))
}

async fn mail(State(sandbox): State<Sandbox>, Query(to): Query<To>) -> Result<Response, Refusal> {
    let mail = sandbox
        .0
        .store
        .read(move |db| journal::mail(db, to.to.as_deref(), SHOWN))
        .await?;
    Ok(json(StatusCode::OK, &mail))
}

async fn invitation(
    State(sandbox): State<Sandbox>,
    Query(which): Query<Which>,
) -> Result<Response, Refusal> {
    let iterations = sandbox.0.options.kdf_iterations;
    let offer = sandbox
        .0
        .store
        .read(move |db| {
            let member = members::invited(db, &which.invitation)?;
            Ok(Offer {
                email: member.email,
                name: member.name,
                state: member.state,
                account_name: db.query_row("SELECT name FROM account", [], |row| row.get(0))?,
                iterations,
            })
        })
        .await?;
    Ok(json(StatusCode::OK, &offer))
}

async fn sign_up(
    State(sandbox): State<Sandbox>,
    Body(acceptance): Body<Acceptance>,
) -> Result<Response, Refusal> {
    let member = sandbox
        .0
        .store
        .write(move |db| members::sign_up(db, &acceptance.invitation, &acceptance.secrets))
        .await?;
    Ok(json(StatusCode::OK, &member))
}

/// The mailbox as a page.
async fn page(State(sandbox): State<Sandbox>) -> Result<Response, Refusal> {
    let mail = sandbox
        .0
        .store
        .read(|db| journal::mail(db, None, SHOWN))
        .await?;
    let mut rows = String::new();
    for message in mail {
        let subject = match &message.invitation {
            Some(secret) => format!(
                "<a href=\"/sandbox/join?invitation={}\">{}</a>",
                escaped(secret),
                escaped(&message.subject)
            ),
            None => escaped(&message.subject),
        };
        rows.push_str(&format!(
            "<tr><td>{}</td><td>{subject}</td><td>{}</td></tr>\n",
            escaped(&message.to),
            escaped(&to_the_second(&message.at))
        ));
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=\"3\">No mail yet: nobody was invited.</td></tr>\n");
    }
    let html = include_str!("mailbox.html").replace("<!--rows-->", &rows);
    Ok((
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
            ),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        html,
    )
        .into_response())
}

/// The page on which a newcomer signs up; see its source.
async fn join() -> Result<Response, Refusal> {
    let nonce = identifier::lower()?;
    let html = include_str!("join.html")
        .replace("{{nonce}}", &nonce)
        .replace("{{prime}}", &srp::prime_hex());
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, html).into_response())
}

/// An RFC 3339 time in UTC, as people like to read it.
fn to_the_second(at: &str) -> String {
    at.chars().take(19).collect::<String>().replace('T', " ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
