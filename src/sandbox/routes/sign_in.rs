//! Sign-in of both generations, and devices.

use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use rusqlite::{OptionalExtension, params};

use super::Body;
use crate::{
    onepassword::{
        base64url, identifier,
        messages::sign_in::{
            AuthMethod, ClientValue, CompleteAnswer, CompleteRequest, ConfirmKeyAnswer,
            ConfirmKeyRequest, Device, MethodsAnswer, MethodsRequest, ServerValue, StartAnswer,
            StartRequest, Success,
        },
        session,
        srp::{self, Generation, PublicValue, ServerEphemeral, Transcript},
    },
    sandbox::{
        Sandbox,
        caller::Caller,
        members::{self, SignIn},
        refusal::{Refusal, json},
        sessions::Exchange,
        store::blocking,
    },
};

type Answer = Result<Response, Refusal>;

fn ok<T: serde::Serialize>(value: &T) -> Answer {
    Ok(json(StatusCode::OK, value))
}

/// The session that a header names.
fn session_id(headers: &HeaderMap) -> Result<String, Refusal> {
    headers
        .get(session::HEADER)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned)
        .ok_or_else(|| Refusal::bare(StatusCode::UNAUTHORIZED))
}

/// The same for every address, known or not.
pub(super) async fn methods(headers: HeaderMap, Body(request): Body<MethodsRequest>) -> Answer {
    if !request.email.contains('@') {
        return Err(Refusal::bare(StatusCode::BAD_REQUEST));
    }
    let host = headers.get("host").and_then(|host| host.to_str().ok());
    ok(&MethodsAnswer {
        sign_in_address: format!("http://{}", host.unwrap_or("localhost")),
        auth_methods: vec![AuthMethod {
            kind: "PASSWORD+SK".to_owned(),
        }],
    })
}

pub(super) async fn start(
    State(sandbox): State<Sandbox>,
    Body(request): Body<StartRequest>,
) -> Answer {
    begin(&sandbox, request).await
}

pub(super) async fn start_first(
    State(sandbox): State<Sandbox>,
    Path((email, format, id, device)): Path<(String, String, String, String)>,
) -> Answer {
    begin(
        &sandbox,
        StartRequest {
            email,
            secret_key_format: format,
            secret_key_id: id,
            device_uuid: device,
        },
    )
    .await
}

pub(super) async fn start_first_of(
    state: State<Sandbox>,
    Path((email, format, id, device, _)): Path<(String, String, String, String, String)>,
) -> Answer {
    start_first(state, Path((email, format, id, device))).await
}

async fn begin(sandbox: &Sandbox, request: StartRequest) -> Answer {
    if !matches!(request.secret_key_format.as_str(), "A2" | "A3") {
        return Err(Refusal::bare_reason(
            StatusCode::BAD_REQUEST,
            "invalid_sk_prefix_format",
        ));
    }
    let stranger = || Refusal::bare(StatusCode::BAD_REQUEST);
    let email = request.email.clone();
    let (known, device) = sandbox
        .0
        .store
        .read(move |db| {
            let Some(known) = members::sign_in(db, &request.email)? else {
                return Err(stranger());
            };
            let deleted: Option<bool> = db
                .prepare_cached("SELECT deleted FROM devices WHERE member = ? AND uuid = ?")?
                .query_row(params![known.member.seq, request.device_uuid], |row| {
                    row.get(0)
                })
                .optional()?;
            if known.secret_key_id != request.secret_key_id
                || known.secret_key_format != request.secret_key_format
            {
                return Err(stranger());
            }
            Ok((known, deleted))
        })
        .await?;
    let id = identifier::upper()?;
    sandbox.0.sessions.start(
        Caller {
            seq: known.member.seq,
            uuid: known.member.uuid,
            session: id.clone(),
        },
        &email,
    );
    let status = match device {
        Some(false) => "ok",
        Some(true) => "device-deleted",
        None => "device-not-registered",
    };
    ok(&StartAnswer {
        status: status.to_owned(),
        session_id: id,
        secret_key_format: Some(known.secret_key_format),
        secret_key_id: Some(known.secret_key_id),
        user_auth: Some(known.user_auth),
    })
}

pub(super) async fn register(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Body(device): Body<Device>,
) -> Answer {
    allow(&sandbox, &headers, device.uuid).await
}

pub(super) async fn reauthorize(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Path(device): Path<String>,
) -> Answer {
    allow(&sandbox, &headers, device).await
}

async fn allow(sandbox: &Sandbox, headers: &HeaderMap, device: String) -> Answer {
    let (caller, _) = sandbox
        .0
        .sessions
        .pending(&session_id(headers)?)
        .ok_or_else(Refusal::unauthenticated)?;
    if !identifier::is_valid(&device) {
        return Err(Refusal::invalid("no id of a device"));
    }
    sandbox
        .0
        .store
        .write(move |db| {
            db.prepare_cached(
                "INSERT INTO devices (member, uuid) VALUES (?, ?) \
                 ON CONFLICT DO UPDATE SET deleted = 0",
            )?
            .execute(params![caller.seq, device])?;
            Ok(())
        })
        .await?;
    ok(&Success { success: 1 })
}

/// Generation 1 names the session in the body.
pub(super) async fn exchange_first(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Body(request): Body<ClientValue>,
) -> Answer {
    let id = match request.session_id {
        Some(id) => id,
        None => session_id(&headers)?,
    };
    let b = meet(&sandbox, &id, Generation::One, &request.a).await?;
    ok(&ServerValue {
        session_id: Some(id),
        b,
    })
}

pub(super) async fn exchange(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Body(request): Body<ClientValue>,
) -> Answer {
    let b = meet(
        &sandbox,
        &session_id(&headers)?,
        Generation::Two,
        &request.a,
    )
    .await?;
    ok(&ServerValue {
        session_id: None,
        b,
    })
}

/// A comes, B goes; the key is known to both from here on, if the client is genuine.
async fn meet(
    sandbox: &Sandbox,
    id: &str,
    generation: Generation,
    a: &str,
) -> Result<String, Refusal> {
    let client = PublicValue::parse(a).map_err(|_| Refusal::bare(StatusCode::BAD_REQUEST))?;
    let known = known(sandbox, id).await?;
    let session = id.to_owned();
    let exchange = blocking(move || {
        let server = ServerEphemeral::generate(generation, &session, &known.verifier)?;
        Ok(Exchange {
            generation,
            key: server.session_key(generation, &known.verifier, &client),
            client,
            server: server.public().clone(),
        })
    })
    .await?;
    let b = exchange.server.to_hex();
    if !sandbox.0.sessions.exchange(id, exchange) {
        return Err(Refusal::unauthenticated());
    }
    Ok(b)
}

/// The person that a begun session is about; nobody else who has come by the address since.
async fn known(sandbox: &Sandbox, id: &str) -> Result<SignIn, Refusal> {
    let (caller, email) = sandbox
        .0
        .sessions
        .pending(id)
        .ok_or_else(Refusal::unauthenticated)?;
    sandbox
        .0
        .store
        .read(move |db| members::sign_in(db, &email))
        .await?
        .filter(|known| known.member.seq == caller.seq)
        .ok_or_else(Refusal::unauthenticated)
}

/// Generation 2: M1 comes, M2 goes.
pub(super) async fn confirm_key(
    State(sandbox): State<Sandbox>,
    headers: HeaderMap,
    Body(request): Body<ConfirmKeyRequest>,
) -> Answer {
    let id = session_id(&headers)?;
    let sessions = &sandbox.0.sessions;
    let refused = || Refusal::bare(StatusCode::UNAUTHORIZED);
    let exchange = sessions
        .exchanged(&id)
        .filter(|exchange| exchange.generation == Generation::Two)
        .ok_or_else(refused)?;
    let known = known(&sandbox, &id).await?;
    let transcript = Transcript {
        secret_key_id: &known.secret_key_id,
        email: &known.member.email,
        salt: &known.user_auth.salt()?,
        client: &exchange.client,
        server: &exchange.server,
    };
    if transcript
        .check_client(&exchange.key, &request.client_verify_hash)
        .is_err()
    {
        // One guess for each exchange.
        sessions.end(&id);
        return Err(refused());
    }
    admit(&sandbox, &id, &known.member.state)?;
    ok(&ConfirmKeyAnswer {
        server_verify_hash: base64url::encode(&transcript.server_proof(&exchange.key)),
    })
}

/// Whether somebody who has proven who they are may enter. Only now are they told why not.
fn admit(sandbox: &Sandbox, id: &str, state: &str) -> Result<(), Refusal> {
    let reason = match state {
        "ACTIVE" => {
            sandbox.0.sessions.prove(id);
            return Ok(());
        }
        "SUSPENDED" | "TRANSFER_SUSPENDED" => "suspended",
        _ => "not_confirmed",
    };
    sandbox.0.sessions.end(id);
    Err(Refusal::bare_reason(StatusCode::FORBIDDEN, reason))
}

async fn complete_answer(sandbox: &Sandbox, caller: Caller, proof: Option<String>) -> Answer {
    let account = sandbox
        .0
        .store
        .read(|db| Ok(db.query_row("SELECT uuid FROM account", [], |row| row.get(0))?))
        .await?;
    ok(&CompleteAnswer {
        notifier: String::new(),
        account_uuid: account,
        user_uuid: caller.uuid,
        mfa: None,
        server_verify_hash: proof,
    })
}

pub(super) async fn complete(
    State(sandbox): State<Sandbox>,
    Extension(caller): Extension<Caller>,
    Body(_): Body<CompleteRequest>,
) -> Answer {
    complete_answer(&sandbox, caller, None).await
}

/// Generation 1: that the body opened is the proof.
pub(super) async fn verify(
    State(sandbox): State<Sandbox>,
    Extension(caller): Extension<Caller>,
    Body(request): Body<CompleteRequest>,
) -> Answer {
    let known = known(&sandbox, &caller.session).await?;
    let hash = srp::first_client_hash(&known.secret_key_id, &caller.session);
    if request.client_verify_hash.as_deref() != Some(hash.as_str()) {
        sandbox.0.sessions.end(&caller.session);
        return Err(Refusal::unauthenticated());
    }
    admit(&sandbox, &caller.session, &known.member.state)?;
    let proof = srp::first_server_hash(&caller.session, &hash);
    complete_answer(&sandbox, caller, Some(proof)).await
}

pub(super) async fn touch() -> Answer {
    ok(&Success { success: 1 })
}

pub(super) async fn sign_out(
    State(sandbox): State<Sandbox>,
    Extension(caller): Extension<Caller>,
) -> Answer {
    sandbox.0.sessions.end(&caller.session);
    ok(&Success { success: 1 })
}
