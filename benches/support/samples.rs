//! What the programs that call the library measure it with: the same in each.
#![allow(dead_code)]

use scim_bridge::{
    credentials::{
        BearerToken, Connector, Credentials, Holder, NewRecipient, ScimSession, SweepKey,
    },
    onepassword::{
        envelope::SymmetricKey,
        rsa::PublicKey,
        secret_key::SecretKey,
        session::{Session, SessionKey},
        sign_in_credentials::{SignInCredentials, UnlockParameters, UserAuth},
    },
    scim::{
        filter::Filter, json, list::list_response, meta::Meta, patch::PatchRequest, policy::Policy,
        projection::Projection, schema::SERVED_USER, user::User, version::Version,
    },
};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

pub const POLICY: Policy = Policy::compatible();
pub const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::weeks(2_900));
pub const ID: &str = "2RX6QF3EQ5HJTEJMCBXKJMDZTM";
pub const FILTER: &str = r#"userName eq "Ann.Archer@department.example.com""#;
/// What a provider asks less often.
pub const LONG_FILTER: &str = r#"emails[type eq "work" and value ew "@department.example.com"] and (active eq true or externalId sw "00u") and not (displayName co "Bert")"#;

/// A user as providers send one.
pub const USER: &str = r#"{
  "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
              "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
  "externalId": "00u1a2b3c4d5e6f7g8h9",
  "userName": "ann.archer@department.example.com",
  "displayName": "Ann Archer",
  "name": {"givenName": "Ann", "familyName": "Archer", "formatted": "Ann Archer"},
  "emails": [{"value": "ann.archer@department.example.com", "type": "work", "primary": true},
             {"value": "ann@home.example.com", "type": "home"}],
  "preferredLanguage": "en-GB",
  "locale": "en-GB",
  "title": "Engineer",
  "active": true,
  "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
    "department": "Finance", "employeeNumber": "4711", "costCenter": "42"}
}"#;

/// A change of three things, as providers send one.
pub const PATCH: &str = r#"{
  "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
  "Operations": [
    {"op": "Replace", "path": "displayName", "value": "Ann Baker"},
    {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "ann.baker@example.com"},
    {"op": "Replace", "value": {"active": "False", "name.familyName": "Baker"}}
  ]
}"#;

pub fn user() -> User {
    User::from_value(&json::parse(USER.as_bytes()).unwrap(), &POLICY).unwrap()
}

/// The user as a resource.
pub fn resource(user: &User) -> Value {
    let mut value = user.to_value();
    let meta = Meta {
        resource_type: "User",
        created: Some(NOW),
        last_modified: Some(NOW),
        location: format!("https://bridge.example.com/scim/v2/Users/{ID}"),
        version: Some(Version::new(&[3, 5])),
    };
    let members = value.as_object_mut().unwrap();
    members.insert("id".to_owned(), ID.into());
    members.insert("meta".to_owned(), meta.to_value());
    value
}

/// The list with this one user, as it is sent.
pub fn answer(user: &User) -> String {
    let mut value = resource(user);
    Projection::everything(&SERVED_USER).apply(&mut value);
    list_response(vec![value], 1, 1).to_string()
}

pub fn filter(text: &str) -> Filter {
    Filter::parse(text, &SERVED_USER, &POLICY).unwrap()
}

/// A request to change the user, from its body to the user that comes of it.
pub fn patched(before: &Value) -> User {
    let body = json::parse(PATCH.as_bytes()).unwrap();
    let request = PatchRequest::parse(&body, &SERVED_USER, &POLICY).unwrap();
    let mut after = before.clone();
    assert!(request.apply(&mut after).unwrap());
    User::from_value(&after, &POLICY).unwrap()
}

/// Credentials, and whom they are sealed for.
pub struct Opening {
    pub token: String,
    pub file: ScimSession,
    pub text: String,
}

impl Opening {
    pub fn new() -> Self {
        let secret_key = SecretKey::generate().unwrap();
        let credentials = SignInCredentials::derive(
            "https://example.1password.com",
            "bridge@example.com",
            "password",
            &secret_key,
            UserAuth::generate(10_000).unwrap(),
            &UnlockParameters::generate(10_000).unwrap(),
        );
        let (token, key) = (BearerToken::generate(), SweepKey::generate());
        let (token, key) = (token.unwrap(), key.unwrap());
        let recipients = [
            NewRecipient::lasting(Holder::Provider(&token), "provider"),
            NewRecipient::lasting(Holder::Sweep(&key), "sweep"),
        ];
        let credentials = Credentials::from(Connector::Native(credentials.unwrap()));
        let file = credentials.seal(&recipients, NOW).unwrap();
        Self {
            token: token.expose().to_string(),
            text: file.to_json().unwrap(),
            file,
        }
    }

    /// From what a provider sends to what signs in.
    pub fn open(&self) -> Credentials {
        let token: BearerToken = self.token.parse().unwrap();
        self.file.recipient(&token, NOW).unwrap();
        Credentials::open(&self.file, &token, NOW).unwrap()
    }
}

pub fn session() -> Session {
    Session::new("O6SFGYVBSAH45BYFIQ7FMBJRAY", &SessionKey::new([7; 32]))
}

/// A body of 1 KiB.
pub fn body() -> Vec<u8> {
    let filling = "x".repeat(1024 - r#"{"":""}"#.len());
    format!(r#"{{"":"{filling}"}}"#).into_bytes()
}

/// A request and its answer within a session: sealed, opened, signed.
pub fn exchange(session: &Session, body: &[u8]) -> (usize, String) {
    let sealed = session.seal_bytes(body).unwrap();
    let opened = session.open_bytes(&sealed).unwrap();
    let target = "/api/v2/users?email=ann.archer%40department.example.com";
    let mac = session.sign("GET", "example.1password.com", target);
    (opened.len(), mac)
}

/// A member's public key, of which nobody has the private one.
pub fn public_key() -> PublicKey {
    PublicKey {
        alg: "RSA-OAEP-256".to_owned(),
        e: "AQAB".to_owned(),
        ext: true,
        key_ops: vec!["encrypt".to_owned()],
        kty: "RSA".to_owned(),
        n: MODULUS.to_owned(),
        kid: "o6sfgyvbsah45byfiq7fmbjray".to_owned(),
    }
}

/// A group's key.
pub fn group_key() -> SymmetricKey {
    SymmetricKey::new("b3sfgyvbsah45byfiq7fmbjrac", [9; 32])
}

const MODULUS: &str = "no11SRPTypk8uyQYXNl_hdCJYF9CAroU-C8ickleJMbSr_wkh-lSFQRWO2SYhjaBscu2P_9N\
    lDqOOMhr0R4VBjItx8HhvA1gV_TbdvmLgU7OT-Q-7zY1_8jEuGY761fGdLSXX9hGA2dgubw3AjaXA_KwKGTpYlBtgvj9TA\
    RNiMtDHGhmm8bPwi1ExD_tkczkN_hPBeR0ZDIntTimVN7zVXbgKiGPM_JLVOw5pUbdgNJpt7AC7K5MJpb2_IbgNovJ-CIC\
    XjqhvT9bboFYBD2tH0-zY_QQ_2JTeh4LEcVzQJJaXm9R5hGhSAgz6VdofcBUbEU_WQ7Qf_1wNe0I6WFGPw";
