//! Signing in with what a person knows, as an administrator does once and the sandbox's people do.

use std::sync::Arc;

use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Keys, NativeAccount, compute,
    connection::{self, Connection},
    refusals::{Failure, from_protocol},
    setup::Error,
    sign_in::{self, Service},
};
use crate::{
    account,
    onepassword::{
        envelope::SymmetricKey,
        identifier,
        messages::administration::{Myself, PREFIX},
        secret_key::SecretKey,
        secret_text::SecretText,
        session::Session,
        sign_in_credentials::{SignInCredentials, UNLOCK_KEY_ID, origin},
        srp::Verifier,
    },
};

/// What a person types in to sign in.
#[derive(Clone)]
pub struct Login {
    /// The sign-in address, such as `https://example.1password.com`; `https` if it has no scheme.
    pub address: String,
    /// The e-mail address.
    pub email: String,
    /// The Secret Key.
    pub secret_key: SecretText,
    /// The account password.
    pub password: SecretText,
}

/// A session of a person, without repetitions.
pub(crate) struct Visit {
    service: Service,
    session: Session,
    /// What the person's secrets amount to.
    pub(crate) credentials: SignInCredentials,
    /// What the account says of them.
    pub(crate) myself: Myself,
}

impl Visit {
    /// Signs in, and derives the keys. Slow.
    pub(crate) async fn begin(http: reqwest::Client, login: &Login) -> Result<Self, Error> {
        let secret_key = SecretKey::parse(&login.secret_key).map_err(|_| Error::SecretKey)?;
        let origin = origin(&login.address);
        let service =
            Service::new(http, &origin).ok_or_else(|| Error::Address(login.address.clone()))?;
        let email = login.email.trim().to_owned();
        let device_uuid = identifier::lower().map_err(from_protocol)?;
        let user_auth = sign_in::parameters(&service, &email, &secret_key, &device_uuid)
            .await
            .map_err(refused)?;
        let (auth, typed) = (user_auth.clone(), login.clone());
        let (srp_x, srp_verifier, secret_key) = compute(move || {
            let x = auth.srp_x(&typed.email, &typed.password, &secret_key)?;
            let verifier = Verifier::from_x(&x);
            Ok((x, verifier, secret_key))
        })
        .await?;
        let mut credentials = SignInCredentials {
            sign_in_address: origin,
            user_auth,
            email,
            srp_x,
            srp_verifier: Some(srp_verifier),
            // Signing in does not need it, and only who has signed in learns how it is derived.
            unlock_key: SymmetricKey::new(UNLOCK_KEY_ID, [0; 32]),
            secret_key: SecretText::new(secret_key.text().to_string()),
            device_uuid,
        };
        let session = sign_in::sign_in(&service, &Arc::new(credentials.clone()))
            .await
            .map_err(refused)?;
        let path = format!("{PREFIX}/self");
        let myself: Myself =
            connection::sealed::<(), _>(&service, &session, Method::GET, &path, None)
                .await
                .map_err(refused)?;
        let (parameters, typed) = (myself.keyset.unlock_parameters(), login.clone());
        credentials.unlock_key =
            compute(move || parameters?.unlock_key(&typed.email, &typed.password, &secret_key))
                .await?;
        Ok(Self {
            service,
            session,
            credentials,
            myself,
        })
    }

    /// Sends a request within the session.
    pub(crate) async fn call<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> account::Result<T> {
        connection::sealed(&self.service, &self.session, method, path, body)
            .await
            .map_err(Failure::into_error)
    }

    /// Signs out. A session that is not ends by itself.
    pub(crate) async fn end(self) {
        let path = "/api/v1/session/signout";
        let _ = self
            .call::<(), serde_json::Value>(Method::PUT, path, None)
            .await;
    }

    /// The account as this person may administer it, within the same session.
    pub(crate) fn into_account(self) -> NativeAccount {
        NativeAccount {
            connection: Connection::resume(self.service, self.session, self.credentials),
            keys: Keys::default(),
            deadline: super::DEADLINE,
        }
    }
}

/// Why somebody was not let in.
fn refused(failure: Failure) -> Error {
    match failure {
        Failure::SecondFactor => Error::SecondFactor,
        other => match other.into_error() {
            account::Error::WrongState(state) => Error::Inactive(state),
            other => other.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::account::{Error as E, MemberState};

    #[test]
    fn each_way_to_be_kept_out_has_a_remedy_of_its_own() {
        let busy = E::Busy {
            retry_after: Duration::from_secs(9),
        };
        for (failure, error) in [
            (Failure::SecondFactor, Error::SecondFactor),
            (
                Failure::Final(E::CredentialsRefused("why".to_owned())),
                Error::Refused,
            ),
            (
                Failure::Final(E::WrongState(MemberState::Suspended)),
                Error::Inactive(MemberState::Suspended),
            ),
            (
                Failure::Passing {
                    error: busy.clone(),
                    after: None,
                },
                Error::OutOfReach(busy),
            ),
        ] {
            assert_eq!(refused(failure), error);
        }
    }
}
