//! RSA-OAEP keys as JSON Web Keys.
//!
//! `RSA-OAEP` is OAEP with SHA-1 for both hashes (older accounts), `RSA-OAEP-256` with SHA-256 for
//! both. The exponentiations are those of AWS-LC, blinded and constant in time.

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{
        KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm,
        OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
        PublicEncryptingKey, PublicKeyComponents,
    },
};
use pkcs1::{RsaPrivateKeyRef, UintRef, der::Encode};
use pkcs8::{PrivateKeyInfoRef, der::Decode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Error, Result, base64url,
    envelope::{CONTENT_TYPE, Envelope, SymmetricKey},
    secret_text::SecretText,
};

/// The algorithm of new keys.
pub(super) const RSA_OAEP_256: &str = "RSA-OAEP-256";
/// The algorithm of older keys.
pub(super) const RSA_OAEP: &str = "RSA-OAEP";

/// A public key on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// `RSA-OAEP` or `RSA-OAEP-256`.
    pub alg: String,
    /// Exponent, base64url.
    pub e: String,
    /// Always true.
    pub ext: bool,
    /// `["encrypt"]`.
    pub key_ops: Vec<String>,
    /// `RSA`.
    pub kty: String,
    /// Modulus, base64url.
    pub n: String,
    /// Id of the keyset.
    pub kid: String,
}

impl PublicKey {
    /// `SHA256:` and the base64url of the RFC 7638 thumbprint: the same for the same key whatever
    /// else its JSON says.
    pub fn fingerprint(&self) -> String {
        // RFC 7638 section 3.2: the required members, sorted, without blanks. Base64url needs no
        // escaping; what is not base64url is no key and gets no further than its fingerprint.
        let input = format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, self.e, self.n);
        format!("SHA256:{}", base64url::encode(&Sha256::digest(input)))
    }

    /// Checks that this is a key that something can be wrapped to, by wrapping something: an odd
    /// exponent or an even modulus shows only then.
    pub fn check(&self) -> Result<()> {
        self.wrap(&SymmetricKey::generate(self.kid.clone())?)
            .map(drop)
    }

    /// Wraps a symmetric key for the holder of the private key.
    pub fn wrap(&self, key: &SymmetricKey) -> Result<Envelope> {
        self.ready()?.wrap(key)
    }

    /// The same key, read once to wrap several.
    pub fn ready(&self) -> Result<Wrapper<'_>> {
        Ok(Wrapper {
            algorithm: oaep(&self.alg)?,
            key: self.encrypting_key()?,
            public: self,
        })
    }

    fn encrypting_key(&self) -> Result<OaepPublicEncryptingKey> {
        let malformed = || Error::Malformed("public key");
        if self.kty != "RSA" {
            return Err(Error::Algorithm(self.kty.clone()));
        }
        let components = PublicKeyComponents {
            n: base64url::decode(&self.n, "public key")?,
            e: base64url::decode(&self.e, "public key")?,
        };
        let key: PublicEncryptingKey = components.try_into().map_err(|_| malformed())?;
        OaepPublicEncryptingKey::new(key).map_err(|_| malformed())
    }
}

/// A public key, ready to wrap with.
pub struct Wrapper<'a> {
    algorithm: &'static OaepAlgorithm,
    key: OaepPublicEncryptingKey,
    public: &'a PublicKey,
}

impl Wrapper<'_> {
    /// Wraps a symmetric key for the holder of the private key.
    pub fn wrap(&self, key: &SymmetricKey) -> Result<Envelope> {
        let mut data = vec![0; self.key.ciphertext_size()];
        self.key
            .encrypt(self.algorithm, &key.to_jwk()?, &mut data, None)
            .map_err(|_| Error::Malformed("public key"))?;
        Ok(Envelope {
            kid: self.public.kid.clone(),
            enc: self.public.alg.clone(),
            cty: CONTENT_TYPE.to_owned(),
            iv: None,
            data: base64url::encode(&data),
            alg: None,
            p2c: None,
            p2s: None,
        })
    }
}

/// A private key as JSON; wiped when dropped.
#[derive(Clone, Serialize, Deserialize)]
struct PrivateJwk {
    alg: String,
    e: String,
    ext: bool,
    #[serde(default)]
    key_ops: Vec<String>,
    kty: String,
    n: String,
    d: SecretText,
    p: SecretText,
    q: SecretText,
    dp: SecretText,
    dq: SecretText,
    qi: SecretText,
    kid: String,
}

/// A private key.
pub struct PrivateKey {
    jwk: PrivateJwk,
    key: OaepPrivateDecryptingKey,
}

impl PrivateKey {
    /// A new 2048-bit key for the keyset with this id. Takes some tenths of a second.
    pub fn generate(id: &str) -> Result<Self> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| Error::Random)?;
        let malformed = || Error::Malformed("private key");
        let mut der = Zeroizing::new(Vec::new());
        der.extend_from_slice(
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'static>>::as_der(&key)
                .map_err(|_| malformed())?
                .as_ref(),
        );
        let info = PrivateKeyInfoRef::from_der(&der).map_err(|_| malformed())?;
        let parts =
            RsaPrivateKeyRef::from_der(info.private_key.as_bytes()).map_err(|_| malformed())?;
        let text = |number: &UintRef<'_>| base64url::encode(number.as_bytes());
        let secret = |number: &UintRef<'_>| SecretText::new(text(number));
        let jwk = PrivateJwk {
            alg: RSA_OAEP_256.to_owned(),
            e: text(&parts.public_exponent),
            ext: true,
            key_ops: vec!["decrypt".to_owned()],
            kty: "RSA".to_owned(),
            n: text(&parts.modulus),
            d: secret(&parts.private_exponent),
            p: secret(&parts.prime1),
            q: secret(&parts.prime2),
            dp: secret(&parts.exponent1),
            dq: secret(&parts.exponent2),
            qi: secret(&parts.coefficient),
            kid: id.to_owned(),
        };
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| malformed())?;
        Ok(Self { jwk, key })
    }

    /// Reads a JSON Web Key.
    pub(super) fn from_jwk(json: &[u8]) -> Result<Self> {
        let malformed = || Error::Malformed("private key");
        let jwk: PrivateJwk = serde_json::from_slice(json).map_err(|_| malformed())?;
        if jwk.kty != "RSA" {
            return Err(Error::Algorithm(jwk.kty));
        }
        oaep(&jwk.alg)?;
        let mut numbers = Vec::with_capacity(8);
        for text in [
            jwk.n.as_str(),
            &jwk.e,
            &jwk.d,
            &jwk.p,
            &jwk.q,
            &jwk.dp,
            &jwk.dq,
            &jwk.qi,
        ] {
            numbers.push(Zeroizing::new(base64url::decode(text, "private key")?));
        }
        let key = decrypting_key(&numbers).ok_or_else(malformed)?;
        Ok(Self { jwk, key })
    }

    /// The key as JSON, to be sealed at once.
    pub(super) fn to_jwk(&self) -> Result<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(&self.jwk)
            .map(Zeroizing::new)
            .map_err(|_| Error::Malformed("private key"))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            alg: self.jwk.alg.clone(),
            e: self.jwk.e.clone(),
            ext: true,
            key_ops: vec!["encrypt".to_owned()],
            kty: "RSA".to_owned(),
            n: self.jwk.n.clone(),
            kid: self.jwk.kid.clone(),
        }
    }

    /// Unwraps a symmetric key.
    pub(super) fn unwrap_key(&self, envelope: &Envelope) -> Result<SymmetricKey> {
        let data = base64url::decode(&envelope.data, "wrapped key")?;
        SymmetricKey::from_jwk(&self.decrypt(&envelope.enc, &data)?)
    }

    pub(crate) fn decrypt(&self, algorithm: &str, data: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let mut plaintext = Zeroizing::new(vec![0; self.key.min_output_size()]);
        let length = self
            .key
            .decrypt(oaep(algorithm)?, data, &mut plaintext, None)
            .map_err(|_| Error::NotOpened("wrapped key"))?
            .len();
        plaintext.truncate(length);
        Ok(plaintext)
    }
}

/// PKCS#8 around PKCS#1, the only form of private key that AWS-LC takes.
fn decrypting_key(numbers: &[Zeroizing<Vec<u8>>]) -> Option<OaepPrivateDecryptingKey> {
    let number = |place: usize| UintRef::new(numbers.get(place)?).ok();
    let inner = RsaPrivateKeyRef {
        modulus: number(0)?,
        public_exponent: number(1)?,
        private_exponent: number(2)?,
        prime1: number(3)?,
        prime2: number(4)?,
        exponent1: number(5)?,
        exponent2: number(6)?,
        coefficient: number(7)?,
        other_prime_infos: None,
    };
    let inner = Zeroizing::new(inner.to_der().ok()?);
    let octets = pkcs8::der::asn1::OctetStringRef::new(&inner).ok()?;
    let info = PrivateKeyInfoRef::new(pkcs1::ALGORITHM_ID, octets);
    let mut der = info.to_der().ok()?;
    let key = PrivateDecryptingKey::from_pkcs8(&der).ok();
    der.zeroize();
    OaepPrivateDecryptingKey::new(key?).ok()
}

fn oaep(name: &str) -> Result<&'static OaepAlgorithm> {
    match name {
        RSA_OAEP => Ok(&OAEP_SHA1_MGF1SHA1),
        RSA_OAEP_256 => Ok(&OAEP_SHA256_MGF1SHA256),
        other => Err(Error::Algorithm(other.to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_nothing_can_be_wrapped_to_does_not_pass() {
        let good = PrivateKey::generate("abc").unwrap().public();
        good.check().unwrap();
        for e in [&[1][..], &[2], &[1, 0, 0]] {
            let e = base64url::encode(e);
            assert!(PublicKey { e, ..good.clone() }.check().is_err());
        }
        let mut even = base64url::decode(&good.n, "modulus").unwrap();
        *even.last_mut().unwrap() &= 0xfe;
        let n = base64url::encode(&even);
        assert!(PublicKey { n, ..good }.check().is_err());
    }
}
