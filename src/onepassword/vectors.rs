//! Every published and made vector in `tests/data/vectors`. A kind without a check fails the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{collections::HashMap, fs, num::NonZeroU32, path::Path};

use crypto_bigint::{U256, U4096};
use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::Sha256;

use super::{
    base64url,
    derivation::{self, Parameters},
    envelope::{Envelope, SymmetricKey},
    keyset::{Keyset, OpenKeyset, open_tree, primary},
    request_mac::{self, MacKey},
    rsa::PrivateKey,
    secret_key::SecretKey,
    session::{Session, SessionKey},
    sign_in_credentials::{SignInCredentials, UserAuth},
    srp::{self, ClientEphemeral, Generation, PublicValue, ServerEphemeral, Transcript, Verifier},
};

struct Vector {
    name: String,
    input: Value,
    output: Value,
}

fn vectors() -> Vec<(String, Vector)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors");
    let mut all = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let json: Value = serde_json::from_slice(&fs::read(file.unwrap().path()).unwrap()).unwrap();
        for vector in json["vectors"].as_array().unwrap() {
            all.push((
                text(&vector["kind"]).to_owned(),
                Vector {
                    name: text(&vector["name"]).to_owned(),
                    input: vector["input"].clone(),
                    output: vector["output"].clone(),
                },
            ));
        }
    }
    all
}

#[test]
fn every_vector_holds() {
    let all = vectors();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (kind, vector) in &all {
        let check = check_of(kind);
        check(vector);
        *counts.entry(kind).or_default() += 1;
    }
    assert_eq!(all.len(), 87, "vectors were lost, or added: {counts:?}");
}

fn check_of(kind: &str) -> fn(&Vector) {
    match kind {
        "secret_key_parse" => secret_key_parse,
        "secret_key_parse_error" => secret_key_parse_error,
        "hkdf" => hkdf,
        "xor" => xor,
        "pbkdf2" => pbkdf2,
        "2skd" => two_secret_key_derivation,
        "constants" => constants,
        "srp_verifier" => srp_verifier,
        "srp_gen1_client" => srp_gen1_client,
        "srp_gen1_u" => srp_gen1_u,
        "srp_A" => srp_a,
        "gen1_client_hash" => gen1_client_hash,
        "request_mac" => request_mac,
        "envelope" => envelope,
        "dshmac" => dshmac,
        "envelope_key" => envelope_key,
        "rsa_oaep" => rsa_oaep,
        "keyset_tree" => keyset_tree,
        "vault_keys" => vault_keys,
        "ops_token" => ops_token,
        "srp_gen1_full" => srp_gen1_full,
        "srp_gen2_full" => srp_gen2_full,
        "synthetic_account" => synthetic_account,
        "transcript_gen1" | "transcript_gen2" => transcript,
        other => panic!("no check for vectors of the kind {other}"),
    }
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let text = text(value);
    let even = if text.len() % 2 == 1 {
        format!("0{text}")
    } else {
        text.to_owned()
    };
    HEXLOWER.decode(even.as_bytes()).unwrap()
}

fn hex32(value: &Value) -> [u8; 32] {
    let bytes = hex(value);
    let mut padded = [0; 32];
    padded[32 - bytes.len()..].copy_from_slice(&bytes);
    padded
}

fn b64(value: &Value) -> Vec<u8> {
    base64url::decode(text(value), "vector").unwrap()
}

fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn secret_key_parse(vector: &Vector) {
    let key = SecretKey::parse(text(&vector.input["text"])).unwrap();
    assert_eq!(key.format(), text(&vector.output["format"]));
    assert_eq!(key.id(), text(&vector.output["uuid"]));
    let joined = key.text().replace('-', "");
    assert!(
        joined.ends_with(text(&vector.output["secret"])),
        "{}",
        vector.name
    );
    assert_eq!(*SecretKey::parse(&key.text()).unwrap().text(), *key.text());
}

fn secret_key_parse_error(vector: &Vector) {
    assert!(
        SecretKey::parse(text(&vector.input["text"])).is_err(),
        "{}",
        vector.input
    );
}

fn hkdf(vector: &Vector) {
    let (input, output) = (&vector.input, &vector.output);
    let key = derivation::hkdf(
        text(&input["ikm_ascii"]).as_bytes(),
        text(&input["salt_ascii"]).as_bytes(),
        text(&input["info_ascii"]),
    )
    .unwrap();
    assert_eq!(HEXLOWER.encode(&*key), text(&output["hex"]));
}

fn xor(vector: &Vector) {
    let key = SecretKey::parse(text(&vector.input["secret_key"])).unwrap();
    let mut bytes: [u8; 32] = text(&vector.input["bytes_ascii"])
        .as_bytes()
        .try_into()
        .unwrap();
    derivation::xor(&mut bytes, &key.hash().unwrap());
    assert_eq!(HEXLOWER.encode(&bytes), text(&vector.output["hex"]));
}

fn pbkdf2(vector: &Vector) {
    let input = &vector.input;
    let (password, salt) = (text(&input["password_ascii"]), text(&input["salt_ascii"]));
    let hash = match text(&input["hash"]) {
        "sha256" => aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
        "sha512" => aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA512,
        other => panic!("no check for {other}"),
    };
    let rounds = NonZeroU32::new(number(&input["iterations"])).unwrap();
    let mut key = [0; 32];
    aws_lc_rs::pbkdf2::derive(hash, rounds, salt.as_bytes(), password.as_bytes(), &mut key);
    assert_eq!(HEXLOWER.encode(&key), text(&vector.output["hex"]));
}

fn two_secret_key_derivation(vector: &Vector) {
    let input = &vector.input;
    let info = text(&input["info"]);
    let key = derivation::derive(
        &Parameters {
            method: info,
            algorithm: if info == derivation::SRP_METHOD {
                derivation::UNLOCK_ALGORITHM
            } else {
                info
            },
            iterations: number(&input["iterations"]),
            salt: &b64(&input["salt_b64url"]),
        },
        text(&input["email"]),
        text(&input["password"]),
        &SecretKey::parse(text(&input["secret_key"])).unwrap(),
    )
    .unwrap();
    assert_eq!(
        HEXLOWER.encode(&*key),
        text(&vector.output["hex"]),
        "{}",
        vector.name
    );
}

fn constants(vector: &Vector) {
    let verifier = Verifier::parse(text(&vector.output["N_hex"])).unwrap();
    assert_eq!(*verifier.to_hex(), text(&vector.output["N_hex"]));
    // N itself is 0 modulo N, and N + 1 is 1.
    let n = text(&vector.output["N_hex"]);
    assert!(PublicValue::parse(n).is_err());
    let next = U4096::from_be_hex(n).wrapping_add(&U4096::ONE);
    assert!(PublicValue::parse(&format!("{next:x}")).is_err());
    let k = srp::multiplier(Generation::Two, "").unwrap();
    assert_eq!(
        format!("{k:x}").trim_start_matches('0'),
        text(&vector.output["k_generation2_hex"])
    );
}

fn srp_verifier(vector: &Vector) {
    let verifier = Verifier::from_x(&hex32(&vector.input["x_hex"]));
    assert_eq!(*verifier.to_hex(), text(&vector.output["v_hex"]));
}

fn srp_gen1_client(vector: &Vector) {
    let input = &vector.input;
    let x = hex32(&input["x_hex"]);
    let client = ClientEphemeral::from_secret(&hex32(&input["a_hex"]));
    let server = PublicValue::parse(text(&input["B_hex"])).unwrap();
    let k = srp::multiplier(Generation::One, text(&input["session_id"])).unwrap();
    let u = if input["u_hex"].is_string() {
        U256::from_be_slice(&hex32(&input["u_hex"]))
    } else {
        let a = PublicValue::parse(text(&input["A_hex"])).unwrap();
        srp::scrambler(Generation::One, &a, &server)
    };
    let key = client
        .agree(&k, &u, &x, &Verifier::from_x(&x), &server)
        .unwrap();
    assert_eq!(HEXLOWER.encode(key.bytes()), text(&vector.output["K_hex"]));
}

fn srp_gen1_u(vector: &Vector) {
    let value = |name: &str| PublicValue::parse(text(&vector.input[name])).unwrap();
    let u = srp::scrambler(Generation::One, &value("A_hex"), &value("B_hex"));
    assert_eq!(
        format!("{u:x}").trim_start_matches('0'),
        text(&vector.output["u_hex"]).trim_start_matches('0')
    );
}

fn srp_a(vector: &Vector) {
    let mut secret = [0; 32];
    secret[28..].copy_from_slice(&number(&vector.input["a"]).to_be_bytes());
    let client = ClientEphemeral::from_secret(&secret);
    assert_eq!(client.public().to_hex(), text(&vector.output["A_hex"]));
}

fn gen1_client_hash(vector: &Vector) {
    let session = text(&vector.input["session_id"]);
    let hash = srp::first_client_hash(text(&vector.input["skid"]), session);
    assert_eq!(hash, text(&vector.output["clientVerifyHash"]));
    assert_eq!(
        srp::first_server_hash(session, &hash),
        text(&vector.output["serverVerifyHash_expected"])
    );
}

fn session_key(value: &Value) -> SessionKey {
    SessionKey::new(b64(value).try_into().unwrap())
}

fn request_mac(vector: &Vector) {
    let (input, output) = (&vector.input, &vector.output);
    let mac = MacKey::derive(&session_key(&input["session_key_b64url"]));
    if output["mac_key_hex"].is_string() {
        assert_eq!(HEXLOWER.encode(mac.bytes()), text(&output["mac_key_hex"]));
    }
    let url = text(&input["url"]).strip_prefix("https://").unwrap();
    let (host, target) = url.split_at(url.find('/').unwrap());
    let host = host.split(':').next().unwrap();
    let (session, method) = (text(&input["session_id"]), text(&input["method"]));
    let id = number(&input["request_id"]);
    assert_eq!(
        request_mac::message(session, method, host, target, id),
        text(&output["message"])
    );
    let header = text(&output["header"]);
    assert_eq!(mac.header(session, method, host, target, id), header);
    assert_eq!(mac.verify(header, session, method, host, target), Ok(id));
    assert!(mac.verify(header, session, "PATCH", host, target).is_err());
    assert!(mac.verify(header, session, method, host, "/other").is_err());
}

fn envelope(vector: &Vector) {
    let (input, output) = (&vector.input, &vector.output);
    let sealed: Envelope = parse(&output["envelope"]);
    let key = session_key(&input["session_key_b64url"]);
    let key = SymmetricKey::new(sealed.kid.clone(), *key.bytes());
    assert_eq!(
        key.open(&sealed).unwrap().as_slice(),
        text(&input["plaintext"]).as_bytes()
    );
    let again = key.seal(text(&input["plaintext"]).as_bytes()).unwrap();
    assert_eq!(*key.open(&again).unwrap(), *key.open(&sealed).unwrap());
    let mut broken = sealed.clone();
    broken.data.replace_range(
        0..1,
        if sealed.data.starts_with('A') {
            "B"
        } else {
            "A"
        },
    );
    assert!(key.open(&broken).is_err());
}

/// A second factor is nothing that this project speaks; the formula is kept true all the same.
fn dshmac(vector: &Vector) {
    use hmac::{Hmac, KeyInit, Mac};
    let session = data_encoding::BASE32_NOPAD
        .decode(text(&vector.input["session_id"]).as_bytes())
        .unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&b64(&vector.input["dsecret_b64url"]))
        .unwrap()
        .chain_update(session)
        .finalize()
        .into_bytes();
    assert_eq!(
        base64url::encode(&mac)[..8],
        *text(&vector.output["dshmac"])
    );
}

fn envelope_key(vector: &Vector) {
    let sealed: Envelope = parse(&vector.input["envelope"]);
    let key = SymmetricKey::new(sealed.kid.clone(), hex32(&vector.input["key_hex"]));
    let plaintext: Value = serde_json::from_slice(&key.open(&sealed).unwrap()).unwrap();
    let output = &vector.output;
    if output["plaintext"].is_object() {
        assert_eq!(plaintext, output["plaintext"]);
        let opened = SymmetricKey::from_jwk(&key.open(&sealed).unwrap()).unwrap();
        let written: Value = serde_json::from_slice(&opened.to_jwk().unwrap()).unwrap();
        assert_eq!(written, output["plaintext"]);
    } else {
        for member in ["alg", "kid", "n", "e", "key_ops"] {
            assert_eq!(plaintext[member], output[member], "{member}");
        }
        let private = PrivateKey::from_jwk(&key.open(&sealed).unwrap()).unwrap();
        let written: Value = serde_json::from_slice(&private.to_jwk().unwrap()).unwrap();
        assert_eq!(written, plaintext);
    }
}

fn rsa_oaep(vector: &Vector) {
    let input = &vector.input;
    let key = PrivateKey::from_jwk(input["jwk"].to_string().as_bytes()).unwrap();
    let algorithm = text(&input["enc"]);
    let data = b64(&input["ciphertext_b64url"]);
    let plaintext = key.decrypt(algorithm, &data).unwrap();
    assert_eq!(
        plaintext.as_slice(),
        text(&vector.output["plaintext"]).as_bytes()
    );
    let symmetric = SymmetricKey::generate("szerdhg2ww2ahjo4ilz57x7cce").unwrap();
    let wrapped = key.public().wrap(&symmetric).unwrap();
    assert_eq!(wrapped.enc, text(&input["jwk"]["alg"]));
    assert_eq!(key.unwrap_key(&wrapped).unwrap().bytes(), symmetric.bytes());
}

/// The keysets themselves are not carried here (they are somebody else's file); that the first of
/// them opens is proven by the vector of the kind `envelope_key`, of which these are the results.
fn keyset_tree(vector: &Vector) {
    let opened = vector.output["opened"].as_array().unwrap();
    let (_, first) = vectors()
        .into_iter()
        .find(|(kind, other)| {
            kind == "envelope_key" && other.input["key_hex"] == vector.input["auk_hex"]
        })
        .unwrap();
    assert_eq!(
        b64(&first.output["plaintext"]["k"]),
        hex(&opened[0]["sym_key_hex"])
    );
    assert_eq!(first.output["plaintext"]["kid"], opened[0]["uuid"]);
    let reachable: Vec<&str> = opened.iter().map(|keyset| text(&keyset["uuid"])).collect();
    for keyset in opened {
        let wrapper = text(&keyset["wrapped_to"]);
        assert!(wrapper == "mp" || reachable.contains(&wrapper));
    }
}

/// As above: vaults are no business of a bridge, and their file is not carried here.
fn vault_keys(vector: &Vector) {
    for vault in vector.output["opened"].as_array().unwrap() {
        assert_eq!(hex(&vault["vault_key_hex"]).len(), 32);
    }
}

fn ops_token(vector: &Vector) {
    let credentials = SignInCredentials::from_token(text(&vector.input["token"])).unwrap();
    let json = &vector.output["json"];
    let mut expected = json.clone();
    expected.as_object_mut().unwrap().remove("throttleSecret");
    assert_eq!(serde_json::to_value(&credentials).unwrap(), expected);
    assert!(credentials.origin().starts_with("https://"));
    SecretKey::parse(&credentials.secret_key).unwrap();
}

struct Exchange {
    key: SessionKey,
    client: ClientEphemeral,
    server: ServerEphemeral,
}

fn full(vector: &Vector, generation: Generation) -> Exchange {
    let (input, output) = (&vector.input, &vector.output);
    let auth = UserAuth {
        method: text(&input["method"]).to_owned(),
        alg: text(&input["alg"]).to_owned(),
        iterations: number(&input["iterations"]),
        salt: text(&input["salt_b64url"]).to_owned(),
    };
    let secret_key = SecretKey::parse(text(&input["secret_key"])).unwrap();
    let x = auth
        .srp_x(text(&input["email"]), text(&input["password"]), &secret_key)
        .unwrap();
    assert_eq!(HEXLOWER.encode(&*x), text(&output["x_hex"]));
    let verifier = Verifier::from_x(&x);
    assert_eq!(*verifier.to_hex(), text(&output["v_hex"]));
    let session = text(&input["session_id"]);
    let client = ClientEphemeral::from_secret(&hex32(&input["a_hex"]));
    let server =
        ServerEphemeral::from_secret(&hex32(&input["b_hex"]), generation, session, &verifier)
            .unwrap();
    assert_eq!(client.public().to_hex(), text(&output["A_hex"]));
    assert_eq!(server.public().to_hex(), text(&output["B_hex"]));
    let key = client
        .session_key(generation, session, &x, &verifier, server.public())
        .unwrap();
    assert_eq!(HEXLOWER.encode(key.bytes()), text(&output["K_hex"]));
    let servers = server.session_key(generation, &verifier, client.public());
    assert_eq!(servers.bytes(), key.bytes());
    Exchange {
        key,
        client,
        server,
    }
}

fn srp_gen1_full(vector: &Vector) {
    full(vector, Generation::One);
    let secret_key = SecretKey::parse(text(&vector.input["secret_key"])).unwrap();
    let session = text(&vector.input["session_id"]);
    let hash = srp::first_client_hash(secret_key.id(), session);
    assert_eq!(hash, text(&vector.output["clientVerifyHash"]));
    assert_eq!(
        srp::first_server_hash(session, &hash),
        text(&vector.output["serverVerifyHash"])
    );
}

fn srp_gen2_full(vector: &Vector) {
    let exchange = full(vector, Generation::Two);
    let secret_key = SecretKey::parse(text(&vector.input["secret_key"])).unwrap();
    let transcript = Transcript {
        secret_key_id: secret_key.id(),
        email: text(&vector.input["email"]),
        salt: &b64(&vector.input["salt_b64url"]),
        client: exchange.client.public(),
        server: exchange.server.public(),
    };
    let output = &vector.output;
    assert_eq!(transcript.identity(), text(&output["identity"]));
    let (m1, m2) = (text(&output["M1_b64url"]), text(&output["M2_b64url"]));
    assert_eq!(
        base64url::encode(&transcript.client_proof(&exchange.key)),
        m1
    );
    assert_eq!(transcript.check_client(&exchange.key, m1), Ok(()));
    assert_eq!(transcript.check_server(&exchange.key, m2), Ok(()));
    assert!(transcript.check_server(&exchange.key, m1).is_err());
}

fn synthetic_account(vector: &Vector) {
    let unlock = |who: &Value| {
        let keyset: Keyset = parse(&who["keyset"]);
        keyset
            .unlock_parameters()
            .unwrap()
            .unlock_key(
                text(&who["email"]),
                text(&who["password"]),
                &SecretKey::parse(text(&who["secret_key"])).unwrap(),
            )
            .unwrap()
    };
    let (input, output) = (&vector.input, &vector.output);
    let manager_key = unlock(&input["manager"]);
    let newcomer_key = unlock(&input["new_user"]);
    assert_eq!(
        HEXLOWER.encode(manager_key.bytes()),
        text(&output["manager_auk_hex"])
    );
    assert_eq!(
        HEXLOWER.encode(newcomer_key.bytes()),
        text(&output["new_user_auk_hex"])
    );

    let group: Keyset = parse(&input["manager"]["group_keyset_as_held"]);
    let mut keysets = vec![parse::<Keyset>(&input["manager"]["keyset"]), group.clone()];
    // A loop and a repetition, as real accounts have them.
    let mut looped = group.clone();
    looped.enc_sym_key.kid.clone_from(&group.uuid);
    keysets.extend([looped, group.clone()]);
    let open = open_tree(&keysets, &manager_key).unwrap();
    assert_eq!(open.len(), 2);
    let group_key = open[&group.uuid].symmetric_key();
    let jwk: Value = serde_json::from_slice(&group_key.to_jwk().unwrap()).unwrap();
    assert_eq!(jwk, output["group_sym_jwk"]);

    // What another implementation wrapped for the newcomer opens…
    let own: Keyset = parse(&input["new_user"]["keyset"]);
    let given: Keyset = parse(&output["group_keyset_for_new_user"]);
    let newcomer = OpenKeyset::open_primary(primary(&[own]).unwrap(), &newcomer_key).unwrap();
    assert_eq!(
        newcomer.open(&given).unwrap().symmetric_key().bytes(),
        group_key.bytes()
    );
    // …and so does what we wrap.
    let wrapped = open[&group.uuid]
        .wrapped_for(&newcomer.public_key())
        .unwrap();
    let reopened = newcomer.open(&wrapped).unwrap();
    assert_eq!(reopened.symmetric_key().bytes(), group_key.bytes());
    let vault: Envelope = parse(&output["vault_access"]["encVaultKey"]);
    let vault_key = reopened.private_key().unwrap_key(&vault).unwrap();
    let jwk: Value = serde_json::from_slice(&vault_key.to_jwk().unwrap()).unwrap();
    assert_eq!(jwk, output["vault_key_jwk"]);
    vault_key.open(&parse(&output["vault_enc_attrs"])).unwrap();
    assert_eq!(reopened.public_key(), group.pub_key);
}

fn transcript(vector: &Vector) {
    let (input, output) = (&vector.input, &vector.output);
    let key = SessionKey::new(hex32(&output["session_key_hex"]));
    let exchange = output["exchange"].as_array().unwrap();
    let id = exchange
        .iter()
        .find_map(|step| step["response_body"]["sessionID"].as_str())
        .unwrap();
    let session = Session::new(id, &key);
    for step in exchange {
        let (method, target) = (text(&step["method"]), text(&step["path"]));
        if let Some(header) = step["headers"]["X-AgileBits-MAC"].as_str() {
            // The counter begins at 1 and the steps are in order.
            assert_eq!(session.sign(method, text(&input["host"]), target), header);
        }
        for side in ["request", "response"] {
            let plaintext = &step[format!("{side}_plaintext")];
            if plaintext.is_object() {
                let body = step[format!("{side}_body")].to_string();
                assert_eq!(session.open::<Value>(body.as_bytes()).unwrap(), *plaintext);
            }
        }
    }
}

#[test]
fn a_new_keyset_opens_for_its_owner_and_nobody_else() {
    let secret_key = SecretKey::generate().unwrap();
    assert_eq!(
        secret_key.text().len(),
        "A3-XXXXXX-XXXXXX-XXXXX-XXXXX-XXXXX-XXXXX".len()
    );
    let parameters = super::sign_in_credentials::UnlockParameters::generate(10).unwrap();
    let key = parameters
        .unlock_key("Ann@Example.com", "secret", &secret_key)
        .unwrap();
    let made = OpenKeyset::generate().unwrap();
    let keyset = made.sealed_for_owner(&key, &parameters).unwrap();
    assert_eq!(keyset.unlock_parameters().unwrap(), parameters);
    let opened = OpenKeyset::open_primary(&keyset, &key).unwrap();
    assert_eq!(opened.public_key(), made.public_key());
    let other = parameters
        .unlock_key("ann@example.com", "Secret", &secret_key)
        .unwrap();
    assert!(OpenKeyset::open_primary(&keyset, &other).is_err());
    let print = made.public_key().fingerprint();
    assert!(
        print.starts_with("SHA256:") && print.len() == 7 + 43,
        "{print}"
    );
}
