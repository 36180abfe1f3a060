//! The one HTTP client of the process.
//!
//! Root certificates are compiled in, so that a container without a certificate store works and a
//! machine's store cannot add a listener. No redirect is followed and no proxy is taken from the
//! environment: what the bridge sends goes where its settings say.

use std::{sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};

#[cfg(feature = "aws")]
pub mod aws;
pub mod retry;

/// How long a connection may take to be made, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a whole exchange may take; callers set shorter limits of their own.
pub const TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The extra roots hold no certificate, or a broken one.
    #[error("the extra root certificates are not PEM certificates: {0}")]
    ExtraRoots(String),
    /// TLS could not be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// The client could not be built.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// What TLS the process speaks, and whom it trusts. `extra_roots` are certificates of private
/// authorities in PEM, trusted beside the public ones.
pub fn tls(extra_roots: Option<&str>) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(pem) = extra_roots {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.map_err(|error| Error::ExtraRoots(error.to_string()))?;
            roots.add(certificate)?;
        }
        if roots.len() == before {
            return Err(Error::ExtraRoots("none was found".to_owned()));
        }
    }
    Ok(
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

/// Makes the client; `extra_roots` as for [`tls`].
pub fn client(extra_roots: Option<&str>) -> Result<reqwest::Client, Error> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls(extra_roots)?)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .build()?)
}

/// Why an exchange failed, down to the system's own words, without the URL.
pub(crate) fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    causes(&error.without_url())
}

/// An error and what caused it, each said once.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    for cause in std::iter::successors(error.source(), |cause| cause.source()) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text += ": ";
            text += &cause;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_that_are_none_are_refused() {
        assert!(client(None).is_ok());
        assert!(client(Some("no certificate")).is_err());
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(client(Some(broken)).is_err());
    }
}
