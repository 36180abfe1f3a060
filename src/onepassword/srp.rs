//! SRP with the 4096-bit group of RFC 5054 (RFC 3526 group 16) and generator 5.
//!
//! Two generations differ in how `k` and `u` are made and how the sides prove themselves:
//!
//! | | generation 1 | generation 2 |
//! |---|---|---|
//! | k | the session id's ASCII bytes | SHA-256(N, g padded) |
//! | u | SHA-256 of the hex texts of A and B | SHA-256 of A and B padded |
//! | proof | none of the key itself | M1 and M2 |
//!
//! In both, K = SHA-256 of the lower-case hex text of S without leading zeros. Exponentiation is
//! constant in time; exponents are bounded to the bits that they have.

use crypto_bigint::{
    U256, U512, U4096,
    modular::{ConstMontyForm, ConstMontyParams},
};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Error, Result, base64url, random, session::SessionKey};

crypto_bigint::const_monty_params!(
    Group,
    U4096,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b13\
     9b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576\
     625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe64928\
     6651ece45b3dc2007cb8a163bf0598da48361c55d39a69163fa8fd24cf5f83655d23dca3ad96\
     1c62f356208552bb9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36\
     ce3be39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf6955817183995497c\
     ea956ae515d2261898fa051015728e5a8aaac42dad33170d04507a33a85521abdf1cba64ecfb\
     850458dbef0a8aea71575d060c7db3970f85a6e1e4c7abf5ae8cdb0933d71e8c94e04a25619d\
     cee3d2261ad2ee6bf12ffa06d98a0864d87602733ec86a64521f2b18177b200cbbe117577a61\
     5d6c770988c0bad946e208e24fa074e5ab3143db5bfce0fd108e4b82d120a92108011a723c12\
     a787e6d788719a10bdba5b2699c327186af4e23c1a946834b6150bda2583e9ca2ad44ce8dbbb\
     c2db04de8ef92e8efc141fbecaa6287c59474e6bc05d99b2964fa090c3a2233ba186515be7ed\
     1f612970cee2d7afb81bdd762170481cd0069127d5b05aa993b4ea988d8fddc186ffb7dc90a6\
     c08f4df435c934063199ffffffffffffffff",
    "The prime N."
);

type Residue = ConstMontyForm<Group, { U4096::LIMBS }>;

/// Length of a padded value in bytes.
const WIDTH: usize = 512;

/// The prime N in lower-case hex.
pub fn prime_hex() -> String {
    HEXLOWER.encode(Group::PARAMS.modulus().as_ref().to_be_bytes().as_ref())
}

/// Which generation of the exchange is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// `GET /api/v2/auth/…`, `POST /api/v1/auth`.
    One,
    /// `POST /api/v3/auth/start`, `POST /api/v2/auth`.
    Two,
}

/// A value that travels in the open: A or B.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicValue(U4096);

impl PublicValue {
    /// Reads lower-case hex with or without leading zeros.
    ///
    /// Values that are 0 or 1 modulo N are refused: they would make the key known to anybody.
    pub fn parse(hex: &str) -> Result<Self> {
        let value = parse_hex(hex)?;
        let residue = Residue::new(&value).retrieve();
        if bool::from(residue.is_zero()) || residue == U4096::ONE {
            return Err(Error::IllegalPublicValue);
        }
        Ok(Self(value))
    }

    /// Lower-case hex without leading zeros.
    pub fn to_hex(&self) -> String {
        stripped_hex(&self.0).to_string()
    }

    fn residue(&self) -> Residue {
        Residue::new(&self.0)
    }

    fn padded(&self) -> Vec<u8> {
        self.residue().retrieve().to_be_bytes().as_ref().to_vec()
    }

    fn minimal(&self) -> Vec<u8> {
        let bytes = self.0.to_be_bytes();
        let bytes: &[u8] = bytes.as_ref();
        bytes
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect()
    }
}

/// `g^x`: what a server keeps in place of the password.
///
/// Not public: whoever has it can try passwords, and can play the server. In JSON it is its hex text.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Verifier(U4096);

impl Verifier {
    /// Computes `g^x mod N`.
    pub fn from_x(x: &[u8; 32]) -> Self {
        let exponent = Zeroizing::new(U256::from_be_slice(x));
        Self(generator().pow_bounded_exp(&*exponent, 256).retrieve())
    }

    /// Reads the hex text.
    pub fn parse(hex: &str) -> Result<Self> {
        parse_hex(hex).map(Self)
    }

    /// The hex text, lower-case, without leading zeros.
    pub fn to_hex(&self) -> Zeroizing<String> {
        stripped_hex(&self.0)
    }
}

impl Serialize for Verifier {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        to.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for Verifier {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(from)?);
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// The client's secret a and its public A = g^a.
pub struct ClientEphemeral {
    secret: Zeroizing<U256>,
    public: PublicValue,
}

impl ClientEphemeral {
    /// A fresh pair. Costs one exponentiation.
    pub fn generate() -> Result<Self> {
        let secret = Zeroizing::new(random::<32>()?);
        Ok(Self::from_secret(&secret))
    }

    pub(crate) fn from_secret(secret: &[u8; 32]) -> Self {
        let secret = Zeroizing::new(U256::from_be_slice(secret));
        let public = PublicValue(generator().pow_bounded_exp(&*secret, 256).retrieve());
        Self { secret, public }
    }

    /// A.
    pub fn public(&self) -> &PublicValue {
        &self.public
    }

    /// The session key: K from `S = (B - k g^x)^(a + u x)`. Costs one exponentiation, of twice
    /// the length; `verifier` is `g^x`, which can be had long before.
    pub fn session_key(
        &self,
        generation: Generation,
        session_id: &str,
        x: &[u8; 32],
        verifier: &Verifier,
        server: &PublicValue,
    ) -> Result<SessionKey> {
        let k = multiplier(generation, session_id)?;
        let u = scrambler(generation, &self.public, server);
        self.agree(&k, &u, x, verifier, server)
    }

    pub(crate) fn agree(
        &self,
        k: &U4096,
        u: &U256,
        x: &[u8; 32],
        verifier: &Verifier,
        server: &PublicValue,
    ) -> Result<SessionKey> {
        let x = Zeroizing::new(U256::from_be_slice(x));
        let base = server.residue() - Residue::new(k) * Residue::new(&verifier.0);
        // a + u x < 2^256 + (2^256 - 1)^2 < 2^512.
        let product: Zeroizing<U512> = Zeroizing::new(u.concatenating_mul(&*x));
        let exponent =
            Zeroizing::new(product.wrapping_add(&self.secret.resize::<{ U512::LIMBS }>()));
        let shared = Zeroizing::new(base.pow_bounded_exp(&*exponent, 512).retrieve());
        Ok(key_of(&shared))
    }
}

/// The server's secret b and its public B = k v + g^b.
pub struct ServerEphemeral {
    secret: Zeroizing<U256>,
    public: PublicValue,
}

impl ServerEphemeral {
    /// A fresh pair for a person with this verifier. Costs one exponentiation.
    pub fn generate(generation: Generation, session_id: &str, verifier: &Verifier) -> Result<Self> {
        let secret = Zeroizing::new(random::<32>()?);
        Self::from_secret(&secret, generation, session_id, verifier)
    }

    pub(crate) fn from_secret(
        secret: &[u8; 32],
        generation: Generation,
        session_id: &str,
        verifier: &Verifier,
    ) -> Result<Self> {
        let secret = Zeroizing::new(U256::from_be_slice(secret));
        let k = multiplier(generation, session_id)?;
        let public = Residue::new(&k) * Residue::new(&verifier.0)
            + generator().pow_bounded_exp(&*secret, 256);
        Ok(Self {
            secret,
            public: PublicValue(public.retrieve()),
        })
    }

    /// B.
    pub fn public(&self) -> &PublicValue {
        &self.public
    }

    /// The session key: K from `S = (A v^u)^b`. Costs two exponentiations.
    pub fn session_key(
        &self,
        generation: Generation,
        verifier: &Verifier,
        client: &PublicValue,
    ) -> SessionKey {
        let u = scrambler(generation, client, &self.public);
        let base = client.residue() * Residue::new(&verifier.0).pow_bounded_exp(&u, 256);
        let shared = Zeroizing::new(base.pow_bounded_exp(&*self.secret, 256).retrieve());
        key_of(&shared)
    }
}

/// What both sides of generation 2 know when they prove themselves.
pub struct Transcript<'a> {
    /// The Secret Key's id.
    pub secret_key_id: &'a str,
    /// The e-mail address, in any spelling.
    pub email: &'a str,
    /// The salt of the SRP x.
    pub salt: &'a [u8],
    /// A.
    pub client: &'a PublicValue,
    /// B.
    pub server: &'a PublicValue,
}

impl Transcript<'_> {
    /// The identity that goes into M1.
    pub fn identity(&self) -> String {
        let email: String = self.email.trim().nfkd().collect::<String>().to_lowercase();
        base64url::encode(&hash_of_hashes(&[
            self.secret_key_id.as_bytes(),
            email.as_bytes(),
        ]))
    }

    /// M1, with which the client proves that it has the key.
    pub fn client_proof(&self, key: &SessionKey) -> [u8; 32] {
        let mut group: [u8; 32] =
            Sha256::digest(Group::PARAMS.modulus().as_ref().to_be_bytes()).into();
        super::derivation::xor(&mut group, &Sha256::digest([5]).into());
        Sha256::new()
            .chain_update(group)
            .chain_update(Sha256::digest(self.identity()))
            .chain_update(self.salt)
            .chain_update(self.client.minimal())
            .chain_update(self.server.minimal())
            .chain_update(key.bytes())
            .finalize()
            .into()
    }

    /// M2, with which the server answers.
    pub fn server_proof(&self, key: &SessionKey) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.client.minimal())
            .chain_update(self.client_proof(key))
            .chain_update(key.bytes())
            .finalize()
            .into()
    }

    /// Checks the client's proof (base64url), in constant time.
    pub fn check_client(&self, key: &SessionKey, proof: &str) -> Result<()> {
        check(&self.client_proof(key), proof)
    }

    /// Checks the server's proof (base64url): the only thing that tells it from an impostor.
    pub fn check_server(&self, key: &SessionKey, proof: &str) -> Result<()> {
        check(&self.server_proof(key), proof)
    }
}

/// `clientVerifyHash` of generation 1.
pub fn first_client_hash(secret_key_id: &str, session_id: &str) -> String {
    base64url::encode(&hash_of_hashes(&[
        secret_key_id.as_bytes(),
        session_id.as_bytes(),
    ]))
}

/// `serverVerifyHash` of generation 1.
pub fn first_server_hash(session_id: &str, client_hash: &str) -> String {
    base64url::encode(&hash_of_hashes(&[
        session_id.as_bytes(),
        client_hash.as_bytes(),
    ]))
}

fn check(expected: &[u8; 32], proof: &str) -> Result<()> {
    let given = base64url::decode(proof, "proof")?;
    if bool::from(expected.as_slice().ct_eq(&given)) {
        Ok(())
    } else {
        Err(Error::Unproven)
    }
}

fn hash_of_hashes(parts: &[&[u8]]) -> [u8; 32] {
    parts
        .iter()
        .fold(Sha256::new(), |hash, part| {
            hash.chain_update(Sha256::digest(part))
        })
        .finalize()
        .into()
}

fn generator() -> Residue {
    Residue::new(&U4096::from_u8(5))
}

pub(crate) fn multiplier(generation: Generation, session_id: &str) -> Result<U4096> {
    let bytes = match generation {
        Generation::One => session_id.as_bytes().to_vec(),
        Generation::Two => Sha256::new()
            .chain_update(Group::PARAMS.modulus().as_ref().to_be_bytes())
            .chain_update(U4096::from_u8(5).to_be_bytes())
            .finalize()
            .to_vec(),
    };
    from_bytes(&bytes)
}

pub(crate) fn scrambler(
    generation: Generation,
    client: &PublicValue,
    server: &PublicValue,
) -> U256 {
    let hash = match generation {
        Generation::One => Sha256::new()
            .chain_update(client.to_hex())
            .chain_update(server.to_hex()),
        Generation::Two => Sha256::new()
            .chain_update(client.padded())
            .chain_update(server.padded()),
    };
    U256::from_be_slice(&hash.finalize())
}

fn key_of(shared: &U4096) -> SessionKey {
    SessionKey::new(Sha256::digest(stripped_hex(shared).as_bytes()).into())
}

fn stripped_hex(value: &U4096) -> Zeroizing<String> {
    let full = Zeroizing::new(HEXLOWER.encode(value.to_be_bytes().as_ref()));
    let stripped = full.trim_start_matches('0');
    Zeroizing::new(if stripped.is_empty() { "0" } else { stripped }.to_owned())
}

fn parse_hex(hex: &str) -> Result<U4096> {
    let malformed = Error::Malformed("SRP value");
    if hex.is_empty() || hex.len() > 2 * WIDTH {
        return Err(malformed);
    }
    let even = Zeroizing::new(format!(
        "{}{hex}",
        if hex.len() % 2 == 1 { "0" } else { "" }
    ));
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(even.as_bytes())
        .map_err(|_| malformed)?;
    from_bytes(&Zeroizing::new(bytes))
}

fn from_bytes(bytes: &[u8]) -> Result<U4096> {
    let start = WIDTH
        .checked_sub(bytes.len())
        .ok_or(Error::Malformed("SRP value"))?;
    let mut padded = Zeroizing::new([0; WIDTH]);
    padded[start..].copy_from_slice(bytes);
    Ok(U4096::from_be_slice(padded.as_slice()))
}
