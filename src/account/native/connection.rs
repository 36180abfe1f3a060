//! One session for all callers, and the patience of a good client.
//!
//! Nothing is asked of those with whom the session is shared before a caller needs one, nor while
//! there is one.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use reqwest::{Method, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    refusals::{Failure, from_protocol},
    shared::{self, SessionShare},
    sign_in::{self, Service},
};
use crate::{
    account::{Error, Result},
    metrics::AccountCalls,
    onepassword::{
        messages::errors::{AUTHENTICATION_REQUIRED, ErrorBody, NOT_FOUND},
        session::Session,
        sign_in_credentials::SignInCredentials,
    },
};

/// How long one attempt may take.
pub(super) const ATTEMPT: Duration = Duration::from_secs(8);
/// How often a request is sent at most.
const ATTEMPTS: u32 = 5;
/// How often a session that has ended is replaced for one call: the one that others share may be
/// over too.
const RENEWALS: u32 = 2;
/// The first pause between attempts; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A longer pause is not ours to wait: the caller is told.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How long a refusal of the credentials is believed without asking again.
const REFUSAL_HOLDS: Duration = Duration::from_secs(30);
/// How long the account may hold sign-ins back at most, whatever it says: a gateway that is
/// mistaken by hours must not silence the bridge for hours.
const LONGEST_HOLD: Duration = Duration::from_secs(300);

/// The way to the account.
///
/// Every request may be repeated: reads, writes that say what shall hold, and writes that carry a
/// request id by which the server knows a repetition.
pub(super) struct Connection {
    service: Option<Arc<Service>>,
    credentials: Arc<SignInCredentials>,
    shared: Arc<SharedState>,
    /// With whom else the session is shared.
    share: Option<Arc<dyn SessionShare>>,
}

/// What outlives the caller that began a sign-in.
#[derive(Default)]
struct SharedState {
    state: Mutex<State>,
    sign_ins: AtomicU64,
}

impl SharedState {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Outcome = std::result::Result<Arc<Session>, Failure>;

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    /// The id of the last session, which others may have too, if the account has ended it.
    over: Option<String>,
    under_way: Option<Shared<BoxFuture<'static, Outcome>>>,
    /// Why no sign-in is tried, and until when.
    held: Option<(Instant, Failure)>,
}

impl State {
    /// The failure that holds sign-ins back, with what is left of its pause.
    fn held_back(&self) -> Option<Failure> {
        let (until, failure) = self.held.as_ref()?;
        let left = until.checked_duration_since(Instant::now())?;
        Some(match failure.clone() {
            Failure::Passing { error, .. } => Failure::Passing {
                error: match error {
                    Error::Busy { .. } => Error::Busy { retry_after: left },
                    other => other,
                },
                after: Some(left),
            },
            other => other,
        })
    }
}

impl Connection {
    pub(super) fn new(credentials: SignInCredentials, http: reqwest::Client) -> Self {
        Self {
            service: Service::new(http, &credentials.origin()).map(Arc::new),
            credentials: Arc::new(credentials),
            shared: Arc::default(),
            share: None,
        }
    }

    /// The same, whose session others may use too.
    pub(super) fn sharing(self, share: Arc<dyn SessionShare>) -> Self {
        Self {
            share: Some(share),
            ..self
        }
    }

    /// Goes on with a session that was begun elsewhere.
    #[cfg(feature = "local")]
    pub(super) fn resume(
        service: Service,
        session: Session,
        credentials: SignInCredentials,
    ) -> Self {
        let state = State {
            session: Some(Arc::new(session)),
            ..State::default()
        };
        Self {
            service: Some(Arc::new(service)),
            credentials: Arc::new(credentials),
            shared: Arc::new(SharedState {
                state: Mutex::new(state),
                sign_ins: AtomicU64::new(0),
            }),
            share: None,
        }
    }

    pub(super) fn credentials(&self) -> &SignInCredentials {
        &self.credentials
    }

    pub(super) fn sign_ins(&self) -> u64 {
        self.shared.sign_ins.load(Ordering::Relaxed)
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.call::<(), T>(Method::GET, path, None)
            .await
            .map_err(Failure::into_error)
    }

    pub(super) async fn post<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T> {
        self.call(Method::POST, path, Some(body))
            .await
            .map_err(Failure::into_error)
    }

    pub(super) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.call::<(), T>(Method::DELETE, path, None)
            .await
            .map_err(Failure::into_error)
    }

    /// Sends a request within the session, again where that may help.
    pub(super) async fn call<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> std::result::Result<T, Failure> {
        let mut attempt = 0;
        let mut renewals = 0;
        loop {
            attempt += 1;
            let failure = match self.attempt(&method, path, body).await {
                Ok(answer) => return Ok(answer),
                Err((Failure::SessionEnded, Some(session))) => {
                    self.forget(&session);
                    if renewals < RENEWALS {
                        renewals += 1;
                        continue;
                    }
                    Failure::SessionEnded
                }
                Err((failure, _)) => failure,
            };
            let Failure::Passing { error, after } = failure else {
                return Err(failure);
            };
            let pause = after.unwrap_or_else(|| jittered(FIRST_PAUSE * 2_u32.pow(attempt - 1)));
            if attempt >= ATTEMPTS || pause > LONGEST_PAUSE {
                return Err(Failure::Passing { error, after });
            }
            tracing::debug!(path, attempt, ?pause, "the account service is asked again");
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt; a failure names the session it happened in.
    async fn attempt<B: Serialize + Sync, T: DeserializeOwned>(
        &self,
        method: &Method,
        path: &str,
        body: Option<&B>,
    ) -> std::result::Result<T, (Failure, Option<Arc<Session>>)> {
        let (service, session) = self.session().await.map_err(|failure| (failure, None))?;
        sealed(service, &session, method.clone(), path, body)
            .await
            .map_err(|failure| (failure, Some(session)))
    }

    /// The session; the one that others share or a sign-in's if there is none. Callers that come
    /// while that is under way wait for it and share its outcome, good or bad.
    async fn session(&self) -> std::result::Result<(&Service, Arc<Session>), Failure> {
        let service = self.service.as_ref().ok_or_else(|| {
            Failure::Final(Error::CredentialsRefused(
                "the sign-in address in them is no URL: run setup again".to_owned(),
            ))
        })?;
        let under_way = {
            let mut state = self.shared.lock();
            let session = state.session.as_ref();
            if let Some(session) = session.filter(|session| !session.is_used_up()) {
                return Ok((service, Arc::clone(session)));
            }
            if let Some(failure) = state.held_back() {
                return Err(failure);
            }
            match &state.under_way {
                // One with an outcome is here only if its task was lost.
                Some(under_way) if under_way.peek().is_none() => under_way.clone(),
                _ => {
                    let over = state.over.take();
                    let begun = self.begin(Arc::clone(service), over);
                    state.under_way.insert(begun).clone()
                }
            }
        };
        Ok((service, under_way.await?))
    }

    /// Looks for a session that others share, or begins a sign-in. It is a task of its own, so that
    /// a caller who gives up leaves its outcome to the next one.
    fn begin(
        &self,
        service: Arc<Service>,
        over: Option<String>,
    ) -> Shared<BoxFuture<'static, Outcome>> {
        let (credentials, shared) = (Arc::clone(&self.credentials), Arc::clone(&self.shared));
        let share = self.share.clone();
        let calls = AccountCalls::current();
        let task = tokio::spawn(async move {
            let sign_in = async {
                let signed_in = sign_in::sign_in(&service, &credentials).await;
                signed_in.inspect(|_| {
                    shared.sign_ins.fetch_add(1, Ordering::Relaxed);
                })
            };
            let outcome = calls.count(async {
                match share {
                    None => sign_in.await,
                    Some(share) => {
                        shared::session(&*share, &credentials, over.as_deref(), sign_in).await
                    }
                }
            });
            let outcome = outcome.await.map(Arc::new).map_err(shut_out);
            let mut state = shared.lock();
            *state = match &outcome {
                Ok(session) => State {
                    session: Some(Arc::clone(session)),
                    ..State::default()
                },
                Err(failure) => {
                    tracing::warn!(error = %failure.clone().into_error(), "sign-in to the account failed");
                    State {
                        held: hold(failure).map(|pause| (Instant::now() + pause, failure.clone())),
                        ..State::default()
                    }
                }
            };
            outcome
        });
        task.map(|done| done.unwrap_or_else(|_| Err(Failure::broken_off("a sign-in was lost"))))
            .boxed()
            .shared()
    }

    /// Drops a session that has ended, unless somebody has replaced it already.
    fn forget(&self, ended: &Arc<Session>) {
        let mut state = self.shared.lock();
        if state
            .session
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, ended))
        {
            state.session = None;
            // Without request ids it ended for us alone.
            let for_all = ended.is_shared() && !ended.is_used_up();
            state.over = for_all.then(|| ended.id().to_owned());
        }
    }

    /// Ends the session, unless others use it too.
    pub(super) async fn sign_out(&self) -> Result<()> {
        let session = self.shared.lock().session.take();
        if let (Some(service), Some(session)) = (&self.service, session) {
            if let Some(share) = self.share.as_ref().filter(|_| session.is_shared())
                && !shared::leave(&**share, &self.credentials, &session).await
            {
                return Ok(());
            }
            sealed::<(), serde_json::Value>(
                service,
                &session,
                Method::PUT,
                "/api/v1/session/signout",
                None,
            )
            .await
            .map_err(Failure::into_error)?;
        }
        Ok(())
    }
}

/// Sends one signed and sealed request and opens the answer.
pub(super) async fn sealed<B: Serialize, T: DeserializeOwned>(
    service: &Service,
    session: &Session,
    method: Method,
    path: &str,
    body: Option<&B>,
) -> std::result::Result<T, Failure> {
    let wrong = |error| Failure::Final(from_protocol(error));
    let body = body
        .map(|body| session.seal(body))
        .transpose()
        .map_err(wrong)?;
    let answer = service
        .send(method, path, None, Some(session), body)
        .await?;
    let status = answer.status();
    let pause = retry_after(&answer);
    let text = answer
        .bytes()
        .await
        .map_err(|error| Failure::from_transport(&error))?;
    let opened = session.open_bytes(&text);
    if !status.is_success() {
        // What did not come sealed is a gateway's word, or a page of maintenance: no more than its
        // status is believed. That a session is over is plain by nature.
        let said = opened.ok();
        let body = said.and_then(|plain| serde_json::from_slice(&plain).ok());
        return Err(Failure::from_answer(
            status,
            pause,
            body.unwrap_or_default(),
        ));
    }
    let opened = opened.map_err(wrong)?;
    // The service also reports errors inside an envelope with status 200.
    if let Ok(error) = serde_json::from_slice::<ErrorBody>(&opened)
        && let Some(code) = error.error_code
    {
        return Err(match code {
            AUTHENTICATION_REQUIRED => Failure::SessionEnded,
            NOT_FOUND => Failure::from_answer(StatusCode::NOT_FOUND, None, error),
            _ => Failure::Final(Error::Protocol(format!("the account reports error {code}"))),
        });
    }
    serde_json::from_slice(&opened)
        .map_err(|_| Failure::Final(Error::Protocol(format!("unexpected answer to {path}"))))
}

/// How long no other sign-in is tried after this failure.
fn hold(failure: &Failure) -> Option<Duration> {
    match failure {
        Failure::Final(Error::CredentialsRefused(_)) => Some(REFUSAL_HOLDS),
        Failure::Passing { after, .. } => after.map(|pause| pause.min(LONGEST_HOLD)),
        _ => None,
    }
}

/// A bridge that is not let in has credentials that are no good, whatever the state is called.
fn shut_out(failure: Failure) -> Failure {
    match failure {
        Failure::Final(Error::WrongState(state)) => Failure::Final(Error::CredentialsRefused(
            format!("the Provision Manager's state is {}", state.name()),
        )),
        Failure::SecondFactor => Failure::Final(failure.into_error()),
        other => other,
    }
}

/// `Retry-After` in seconds; dates are not used by the service.
pub(super) fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let text = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// Between half of the pause and the whole, so that instances do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    let mut byte = [128];
    // Without randomness the pause is three quarters: good enough.
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause / 2 * u32::from(byte[0]) / 255
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicU16;

    use async_trait::async_trait;
    use axum::{Router, routing::get};

    use super::{
        shared::{End, NotShared, Sealed, Turn},
        *,
    };
    use crate::onepassword::{envelope::SymmetricKey, session::SessionKey};

    /// A place with a session for whoever comes, in the lane after theirs.
    struct Place(String, AtomicU16);

    #[async_trait]
    impl SessionShare for Place {
        async fn join(&self, _: &str, _: &str, _: Duration) -> Joined {
            let shared = Sealed {
                id: ID.to_owned(),
                sealed: self.0.clone(),
            };
            Ok(Turn::Join(shared, self.1.fetch_add(1, Ordering::Relaxed)))
        }

        async fn share(&self, _: &str, _: &str, _: &Sealed, _: Duration) -> Done {
            Err(NotShared("nobody is to sign in".to_owned()))
        }

        async fn end(&self, _: &str, _: End<'_>) -> Done {
            Err(NotShared("the session is not over".to_owned()))
        }
    }

    type Joined = std::result::Result<Turn, NotShared>;
    type Done = std::result::Result<bool, NotShared>;

    const ID: &str = "OO6SPXFPJBA7TODFAZTGG6RGTM";

    #[tokio::test]
    async fn a_lane_that_is_used_up_is_followed_by_another() {
        let credentials = serde_json::json!({
            "signInAddress": "http://127.0.0.1:9",
            "userAuth": {
                "method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 1, "salt": "AAAA"
            },
            "email": "bridge@example.com",
            "srpX": "01".repeat(32),
            "muk": SymmetricKey::new("mp", [2; 32]),
            "secretKey": "A3-ABCDEF",
            "deviceUuid": "aaaaaaaaaaaaaaaaaaaaaaaaaa",
        });
        let credentials: SignInCredentials = serde_json::from_value(credentials).unwrap();
        let sealed = shared::seal(&Session::new(ID, &SessionKey::new([7; 32])), &credentials);
        let place = Place(sealed.unwrap(), AtomicU16::new(5));
        let http = crate::outbound::client(None).unwrap();
        let connection = Connection::new(credentials, http).sharing(Arc::new(place));
        let lane = async || {
            let (_, session) = connection.session().await.unwrap();
            let header = session.sign("GET", "a.example", "/");
            let id = session.verify(&header, "GET", "a.example", "/").unwrap();
            (id >> 16, session)
        };
        for expected in [5, 6] {
            let (number, session) = lane().await;
            assert_eq!((number, lane().await.0), (expected, expected));
            while !session.is_used_up() {
                session.sign("GET", "a.example", "/");
            }
            // What is refused then was refused for that.
            if expected == 5 {
                connection.forget(&session);
            }
        }
        assert_eq!(lane().await.0, 7);
        assert_eq!(connection.sign_ins(), 0);
    }

    #[tokio::test]
    async fn an_error_in_an_envelope_with_status_200_is_one() {
        let session = Session::new(ID, &SessionKey::new([7; 32]));
        let mut router = Router::new();
        for (path, text) in [
            ("/over", r#"{"errorCode": 102}"#),
            ("/gone", r#"{"errorCode": 117, "reason": "no_such_member"}"#),
            ("/other", r#"{"errorCode": 999}"#),
            ("/fine", r#"{"success": 1}"#),
        ] {
            let sealed = session.seal_bytes(text.as_bytes()).unwrap();
            router = router.route(path, get(move || async { sealed }));
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let service = Service::new(crate::outbound::client(None).unwrap(), &origin).unwrap();
        let ask = async |path| {
            sealed::<(), serde_json::Value>(&service, &session, Method::GET, path, None).await
        };
        assert!(matches!(ask("/over").await, Err(Failure::SessionEnded)));
        let gone = ask("/gone").await.unwrap_err().into_error();
        assert_eq!(gone, Error::NotFound("member"));
        let other = ask("/other").await;
        assert!(matches!(other, Err(Failure::Final(Error::Protocol(_)))));
        assert!(ask("/fine").await.is_ok());
    }
}
