//! Sign-in, generation 2: start, exchange of A and B, proofs, completion.
//!
//! Of the three exponentiations only the last stands in the way: `g^a` is computed while the first
//! request is under way, and `g^x` came with the credentials, or is computed with the second.

use std::sync::Arc;

use reqwest::{Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    compute,
    refusals::{Failure, from_protocol},
};
use crate::{
    account::{Error, MemberState},
    metrics::AccountCalls,
    onepassword::{
        self, base64url,
        derivation::MINIMUM_ITERATIONS,
        messages::{
            errors::ErrorBody,
            sign_in::{
                ClientValue, CompleteAnswer, CompleteRequest, ConfirmKeyAnswer, ConfirmKeyRequest,
                Device, ServerValue, StartAnswer, StartRequest,
            },
        },
        request_mac,
        secret_key::SecretKey,
        session::{self, Session},
        sign_in_credentials::{SignInCredentials, UserAuth},
        srp::{ClientEphemeral, Generation, PublicValue, Transcript},
    },
};

/// How the client names itself.
pub(super) const CLIENT: &str = concat!("scim-bridge/", env!("CARGO_PKG_VERSION"));
const CLIENT_HEADER: &str = "x-agilebits-client";

/// Where requests go.
pub(super) struct Service {
    http: reqwest::Client,
    origin: reqwest::Url,
}

impl Service {
    /// The service at this origin; `None` if it is no URL with a host.
    pub(super) fn new(http: reqwest::Client, origin: &str) -> Option<Self> {
        let origin = reqwest::Url::parse(origin).ok()?;
        origin.host_str()?;
        Some(Self { http, origin })
    }

    /// Sends one request; `None` sends no body.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        session: Option<&str>,
        signed: Option<&Session>,
        body: Option<Vec<u8>>,
    ) -> Result<reqwest::Response, Failure> {
        let url = self
            .origin
            .join(path)
            .map_err(|_| Failure::Final(Error::Protocol(format!("no path: {path}"))))?;
        let mut request = self
            .http
            .request(method.clone(), url.clone())
            .timeout(super::connection::ATTEMPT)
            .header(CLIENT_HEADER, CLIENT)
            .header(header::USER_AGENT, CLIENT);
        if let Some(id) = session {
            request = request.header(session::HEADER, id);
        }
        if let Some(signed) = signed {
            let target = url.query().map_or_else(
                || url.path().to_owned(),
                |query| format!("{}?{query}", url.path()),
            );
            let host = url.host_str().unwrap_or_default();
            let mac = signed.sign(method.as_str(), host, &target);
            request = request
                .header(session::HEADER, signed.id())
                .header(request_mac::HEADER, mac);
        }
        if let Some(body) = body {
            request = request
                .header(header::CONTENT_TYPE, "application/json")
                .body(body);
        }
        AccountCalls::add_one();
        request
            .send()
            .await
            .map_err(|error| Failure::from_transport(&error))
    }

    async fn plain<B: Serialize, T: DeserializeOwned>(
        &self,
        step: Step,
        method: Method,
        path: &str,
        session: Option<&str>,
        body: Option<&B>,
    ) -> Result<T, Failure> {
        let body = body.map(serde_json::to_vec).transpose().map_err(|_| {
            Failure::Final(Error::Protocol("a request could not be written".into()))
        })?;
        let answer = self.send(method, path, session, None, body).await?;
        let status = answer.status();
        let pause = super::connection::retry_after(&answer);
        let text = answer
            .bytes()
            .await
            .map_err(|error| Failure::from_transport(&error))?;
        if status.is_success() {
            return serde_json::from_slice(&text).map_err(|_| {
                Failure::Final(Error::Protocol(format!("unexpected answer to {path}")))
            });
        }
        let body: ErrorBody = serde_json::from_slice(&text).unwrap_or_default();
        Err(match (status, body.reason.as_deref(), step) {
            (StatusCode::FORBIDDEN, Some("deprecated"), _) => Failure::Final(Error::NotPermitted(
                "the account does not accept this version of the bridge".to_owned(),
            )),
            (StatusCode::FORBIDDEN, Some("suspended"), _) => {
                Failure::Final(Error::WrongState(MemberState::Suspended))
            }
            (StatusCode::FORBIDDEN, Some("not_confirmed"), _) => {
                Failure::Final(Error::WrongState(MemberState::TransferAccepted))
            }
            (StatusCode::BAD_REQUEST, _, Step::Start) => {
                refusal("it does not know the Provision Manager")
            }
            // With a number it is the half-made session that is gone.
            (StatusCode::UNAUTHORIZED, _, Step::Proof) if body.error_code.is_none() => {
                refusal("e-mail, password or Secret Key is wrong")
            }
            (StatusCode::UNAUTHORIZED, ..) => Failure::broken_off("it broke the sign-in off"),
            _ => Failure::from_answer(status, pause, ErrorBody::default()),
        })
    }
}

/// Where in the sign-in a request belongs: a refusal means something else at each. Whatever is
/// not known to speak of the credentials does not, or a gateway in trouble would have them
/// replaced.
#[derive(Clone, Copy)]
enum Step {
    Start,
    Device,
    Exchange,
    Proof,
}

fn refusal(why: &str) -> Failure {
    Failure::Final(Error::CredentialsRefused(why.to_owned()))
}

fn wrong(error: onepassword::Error) -> Failure {
    Failure::Final(from_protocol(error))
}

/// Signs in and returns the session.
pub(super) async fn sign_in(
    service: &Service,
    credentials: &Arc<SignInCredentials>,
) -> Result<Session, Failure> {
    let secret_key = SecretKey::parse(&credentials.secret_key).map_err(wrong)?;
    let (client, started) = tokio::join!(
        compute(ClientEphemeral::generate),
        start(
            service,
            &credentials.email,
            &secret_key,
            &credentials.device_uuid
        ),
    );
    let (client, started) = (client.map_err(Failure::Final)?, started?);
    check_parameters(credentials, &secret_key, &started)?;
    let id = started.session_id;

    let exchange = ClientValue {
        session_id: None,
        a: client.public().to_hex(),
    };
    let raise = Arc::clone(credentials);
    let (verifier, server) = tokio::join!(
        compute(move || Ok(raise.verifier())),
        service.plain::<_, ServerValue>(
            Step::Exchange,
            Method::POST,
            "/api/v2/auth",
            Some(&id),
            Some(&exchange),
        ),
    );
    let (verifier, server) = (verifier.map_err(Failure::Final)?, server?);
    let server = PublicValue::parse(&server.b).map_err(wrong)?;

    let (agree, session_id, b) = (Arc::clone(credentials), id.clone(), server.clone());
    let (client, key) = compute(move || {
        let x = &agree.srp_x;
        let key = client.session_key(Generation::Two, &session_id, x, &verifier, &b)?;
        Ok((client, key))
    })
    .await
    .map_err(Failure::Final)?;

    let salt = credentials.user_auth.salt().map_err(wrong)?;
    let transcript = Transcript {
        secret_key_id: secret_key.id(),
        email: &credentials.email,
        salt: &salt,
        client: client.public(),
        server: &server,
    };
    let proof = ConfirmKeyRequest {
        client_verify_hash: base64url::encode(&transcript.client_proof(&key)),
    };
    let answer: ConfirmKeyAnswer = service
        .plain(
            Step::Proof,
            Method::POST,
            "/api/v2/auth/confirm-key",
            Some(&id),
            Some(&proof),
        )
        .await?;
    transcript
        .check_server(&key, &answer.server_verify_hash)
        .map_err(wrong)?;

    let session = Session::new(id, &key);
    let complete = CompleteRequest {
        session_id: None,
        client_verify_hash: None,
        client: CLIENT.to_owned(),
        device: device(&credentials.device_uuid),
    };
    let answer: CompleteAnswer = super::connection::sealed(
        service,
        &session,
        Method::POST,
        "/api/v2/auth/complete",
        Some(&complete),
    )
    .await
    .map_err(|failure| match failure {
        // Both sides have proven the key by now: it is not the credentials.
        Failure::SessionEnded => Failure::broken_off("it ended the new session at once"),
        other => other,
    })?;
    check_factor(&answer)?;
    Ok(session)
}

fn check_factor(answer: &CompleteAnswer) -> Result<(), Failure> {
    match &answer.mfa {
        Some(factor) if !factor.is_null() => Err(Failure::SecondFactor),
        _ => Ok(()),
    }
}

/// How x is derived for somebody who signs in with a password.
#[cfg(feature = "local")]
pub(super) async fn parameters(
    service: &Service,
    email: &str,
    secret_key: &SecretKey,
    device_uuid: &str,
) -> Result<UserAuth, Failure> {
    let started = start(service, email, secret_key, device_uuid).await?;
    parameters_of(&started).cloned()
}

/// Begins a session, registering the device if the account does not know it.
async fn start(
    service: &Service,
    email: &str,
    secret_key: &SecretKey,
    device_uuid: &str,
) -> Result<StartAnswer, Failure> {
    let request = StartRequest {
        email: email.to_owned(),
        secret_key_format: secret_key.format().to_owned(),
        secret_key_id: secret_key.id().to_owned(),
        device_uuid: device_uuid.to_owned(),
    };
    // Once to learn the state of the device, once more after it has been put right.
    for _ in 0..2 {
        let answer: StartAnswer = service
            .plain(
                Step::Start,
                Method::POST,
                "/api/v3/auth/start",
                None,
                Some(&request),
            )
            .await?;
        let id = answer.session_id.as_str();
        match answer.status.as_str() {
            "ok" => return Ok(answer),
            "device-not-registered" => {
                let device = device(device_uuid);
                service
                    .plain::<_, serde_json::Value>(
                        Step::Device,
                        Method::POST,
                        "/api/v1/device",
                        Some(id),
                        Some(&device),
                    )
                    .await?;
            }
            "device-deleted" => {
                let path = format!("/api/v1/device/{device_uuid}/reauthorize");
                service
                    .plain::<(), serde_json::Value>(
                        Step::Device,
                        Method::PUT,
                        &path,
                        Some(id),
                        None,
                    )
                    .await?;
            }
            other => {
                return Err(Failure::Final(Error::Protocol(format!(
                    "sign-in status {other:?}"
                ))));
            }
        }
    }
    Err(Failure::Final(Error::Protocol(
        "the account does not take the device".to_owned(),
    )))
}

/// The stored x is good for one salt and one number of rounds only.
fn check_parameters(
    credentials: &SignInCredentials,
    secret_key: &SecretKey,
    answer: &StartAnswer,
) -> Result<(), Failure> {
    let asked = parameters_of(answer)?;
    let same_key = answer
        .secret_key_id
        .as_deref()
        .is_none_or(|id| id == secret_key.id());
    if asked != &credentials.user_auth || !same_key {
        return Err(refusal(
            "password, Secret Key or e-mail of the Provision Manager changed: run setup again",
        ));
    }
    Ok(())
}

/// How x is to be derived, unless that would be weak.
fn parameters_of(answer: &StartAnswer) -> Result<&UserAuth, Failure> {
    let asked = answer
        .user_auth
        .as_ref()
        .ok_or_else(|| Failure::Final(Error::Protocol("sign-in without parameters".to_owned())))?;
    if asked.iterations < MINIMUM_ITERATIONS {
        return Err(Failure::Final(Error::Protocol(format!(
            "only {} rounds of key derivation",
            asked.iterations
        ))));
    }
    Ok(asked)
}

fn device(uuid: &str) -> Device {
    Device {
        uuid: uuid.to_owned(),
        client_name: env!("CARGO_PKG_NAME").to_owned(),
        client_version: env!("CARGO_PKG_VERSION").to_owned(),
        name: "SCIM bridge".to_owned(),
        model: String::new(),
        os_name: std::env::consts::OS.to_owned(),
        os_version: String::new(),
        user_agent: CLIENT.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_second_factor_is_told_from_a_refusal() {
        let check = |text| check_factor(&serde_json::from_str(text).unwrap());
        assert!(check(r#"{"mfa": null}"#).is_ok());
        assert!(check("{}").is_ok());
        assert!(matches!(
            check(r#"{"mfa": {"totp": {"enabled": true}}}"#),
            Err(Failure::SecondFactor)
        ));
    }
}
