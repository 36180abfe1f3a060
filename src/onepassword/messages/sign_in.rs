//! Sign-in, devices and keysets, as the account service speaks them.

use serde::{Deserialize, Serialize};

use crate::onepassword::{keyset::Keyset, sign_in_credentials::UserAuth};

/// `POST /api/v2/auth/methods`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MethodsRequest {
    /// The address somebody wants to sign in with.
    pub email: String,
}

/// How that address may sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodsAnswer {
    /// Where.
    pub sign_in_address: String,
    /// With what.
    pub auth_methods: Vec<AuthMethod>,
}

/// One way to sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuthMethod {
    /// `PASSWORD+SK`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// `POST /api/v3/auth/start`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartRequest {
    /// The address.
    pub email: String,
    /// `A3`. Clients differ in the spelling of this member.
    #[serde(rename = "skformat", alias = "skFormat")]
    pub secret_key_format: String,
    /// The Secret Key's id.
    #[serde(rename = "skid")]
    pub secret_key_id: String,
    /// The device.
    pub device_uuid: String,
}

/// The answer to a start: `ok`, `device-not-registered` or `device-deleted`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartAnswer {
    /// See above.
    pub status: String,
    /// The session that begins.
    #[serde(rename = "sessionID")]
    pub session_id: String,
    /// `A3`.
    #[serde(rename = "accountKeyFormat", default)]
    pub secret_key_format: Option<String>,
    /// The Secret Key's id.
    #[serde(rename = "accountKeyUuid", default)]
    pub secret_key_id: Option<String>,
    /// How x is derived.
    #[serde(rename = "userAuth", default)]
    pub user_auth: Option<UserAuth>,
}

/// The client's A.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientValue {
    /// Generation 1 names the session here, generation 2 in a header.
    #[serde(rename = "sessionID", default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// A in hex.
    #[serde(rename = "userA")]
    pub a: String,
}

/// The server's B.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServerValue {
    /// Only in generation 1.
    #[serde(rename = "sessionID", default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// B in hex.
    #[serde(rename = "userB")]
    pub b: String,
}

/// `POST /api/v2/auth/confirm-key`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmKeyRequest {
    /// M1.
    pub client_verify_hash: String,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmKeyAnswer {
    /// M2.
    pub server_verify_hash: String,
}

/// A device, as registered and as shown at each sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Device {
    /// 26 lower-case base32 characters.
    pub uuid: String,
    /// Name of the program.
    pub client_name: String,
    /// Its version.
    pub client_version: String,
    /// A name for people.
    pub name: String,
    /// Model of the machine.
    pub model: String,
    /// Operating system.
    pub os_name: String,
    /// Its version.
    pub os_version: String,
    /// The same as the header.
    pub user_agent: String,
}

/// `POST /api/v2/auth/complete`, and `POST /api/v2/auth/verify` of generation 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompleteRequest {
    /// Only in generation 1.
    #[serde(rename = "sessionID", default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Only in generation 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_verify_hash: Option<String>,
    /// Program and version.
    #[serde(default)]
    pub client: String,
    /// The device.
    #[serde(default)]
    pub device: Device,
}

/// Its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompleteAnswer {
    /// Address of a web socket; empty here.
    #[serde(default)]
    pub notifier: String,
    /// The account.
    #[serde(default)]
    pub account_uuid: String,
    /// The person.
    #[serde(default)]
    pub user_uuid: String,
    /// A second factor that is asked for.
    #[serde(default)]
    pub mfa: Option<serde_json::Value>,
    /// Only in generation 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_verify_hash: Option<String>,
}

/// `{"success":1}`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Success {
    /// 1.
    pub success: u8,
}

/// `GET /api/v1/account/keysets`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keysets {
    /// Counts the changes.
    pub version: u64,
    /// The caller's own, and those wrapped to it.
    pub keysets: Vec<Keyset>,
}
