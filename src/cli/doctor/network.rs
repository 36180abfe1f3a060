//! The way to a bridge: its name, the connection, and the certificate at the other end.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use pkcs8::der::{
    self, Decode, SliceReader, Tag, Tagged,
    asn1::{AnyRef, GeneralizedTime, UtcTime},
};
use reqwest::Url;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, ProtocolVersion, pki_types::ServerName,
};
use time::OffsetDateTime;

use super::finding::Finding;
use crate::{
    cli::{Failure, Status},
    outbound::CONNECT_TIMEOUT,
};

/// How long a name server may take.
const NAME_TIMEOUT: Duration = Duration::from_secs(10);

/// The host, without the brackets that an address of IPv6 wears in a URL.
pub fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Whether the host is an address already.
pub fn is_address(url: &Url) -> bool {
    host(url).parse::<IpAddr>().is_ok()
}

/// Whether what is sent stays on this machine.
pub fn is_here(url: &Url) -> bool {
    match host(url).parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host(url) == "localhost",
    }
}

/// The addresses that the name stands for.
pub async fn addresses(url: &Url) -> Result<Vec<SocketAddr>, String> {
    let name = url.clone();
    let lookup = tokio::task::spawn_blocking(move || name.socket_addrs(|| None));
    match tokio::time::timeout(NAME_TIMEOUT, lookup).await {
        Ok(Ok(Ok(found))) if !found.is_empty() => Ok(found),
        Ok(Ok(Ok(_))) => Err("the name stands for no address".to_owned()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(_)) | Err(_) => Err("no name server answers".to_owned()),
    }
}

/// Which of the addresses take a connection, and why the others do not.
pub async fn connect(addresses: &[SocketAddr]) -> (Vec<SocketAddr>, Vec<String>) {
    let (mut taking, mut refusing) = (Vec::new(), Vec::new());
    for address in addresses {
        let connection = tokio::net::TcpStream::connect(address);
        match tokio::time::timeout(CONNECT_TIMEOUT, connection).await {
            Ok(Ok(_)) => taking.push(*address),
            Ok(Err(error)) => refusing.push(format!("{address}: {error}")),
            Err(_) => refusing.push(format!("{address}: no answer in time")),
        }
    }
    (taking, refusing)
}

/// A TLS connection that was agreed on.
pub struct Agreed {
    /// Such as `TLS 1.3`.
    pub version: &'static str,
    /// When the server's certificate ends, if it can be read.
    pub ends: Option<OffsetDateTime>,
}

/// Agrees on TLS as a client does that checks everything, and says no more.
pub async fn shake_hands(
    tls: ClientConfig,
    url: &Url,
    address: SocketAddr,
) -> Result<Agreed, Finding> {
    let name = ServerName::try_from(host(url).to_owned())
        .map_err(|_| Finding::failed("no certificate can be for such a name"))?;
    let hands = tokio::task::spawn_blocking(move || -> io::Result<ClientConnection> {
        let mut socket = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        socket.set_read_timeout(Some(CONNECT_TIMEOUT))?;
        socket.set_write_timeout(Some(CONNECT_TIMEOUT))?;
        let mut connection =
            ClientConnection::new(Arc::new(tls), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(connection)
    });
    let connection = hands
        .await
        .map_err(|error| Finding::failed(error.to_string()))?
        .map_err(|error| no_agreement(&error))?;
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    Ok(Agreed {
        version: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            _ => "TLS",
        },
        ends: certificate.and_then(|certificate| not_after(certificate).ok()),
    })
}

fn no_agreement(error: &io::Error) -> Finding {
    let inner = error.get_ref().and_then(|error| error.downcast_ref());
    let certificate = match inner {
        Some(rustls::Error::InvalidCertificate(certificate)) => certificate,
        Some(error) => {
            return Finding::failed(error.to_string()).fix(
                "See that this port speaks TLS 1.2 or 1.3 with a certificate, and no plain HTTP",
            );
        }
        None => {
            return Finding::failed(format!("the connection broke off: {error}")).fix(
                "See that this port speaks TLS 1.2 or 1.3, and that nothing in between cuts it",
            );
        }
    };
    use CertificateError as E;
    let fix = match certificate {
        E::Expired | E::ExpiredContext { .. } => {
            "Renew the certificate, and find out why it was not renewed by itself"
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => {
            "Enter the name that the certificate is for, or get one for this name"
        }
        E::UnknownIssuer => {
            "Use a certificate of a public authority, and send its intermediate certificates too: \
             providers trust no other. To look at the rest, name a private authority's PEM file in \
             SCIM_BRIDGE_ROOT_CERTIFICATES"
        }
        _ => "Get another certificate from a public authority",
    };
    Finding::failed(match certificate {
        E::UnknownIssuer => {
            "no known authority vouches for the certificate: it is self-signed, private, or sent \
             without its intermediate certificates"
                .to_owned()
        }
        other => other.to_string(),
    })
    .fix(fix)
}

/// When a certificate ends (RFC 5280, section 4.1).
fn not_after(certificate: &[u8]) -> der::Result<OffsetDateTime> {
    fn fields<'a>(of: AnyRef<'a>) -> der::Result<SliceReader<'a>> {
        of.tag().assert_eq(Tag::Sequence)?;
        SliceReader::new(of.value())
    }
    let mut certificate = fields(AnyRef::from_der(certificate)?)?;
    let mut signed = fields(AnyRef::decode(&mut certificate)?)?;
    // The version, which may be left out, the serial number, the algorithm and the issuer.
    let before_validity = match AnyRef::decode(&mut signed)?.tag() {
        Tag::Integer => 2,
        _ => 3,
    };
    for _ in 0..before_validity {
        AnyRef::decode(&mut signed)?;
    }
    let mut validity = fields(AnyRef::decode(&mut signed)?)?;
    AnyRef::decode(&mut validity)?;
    let end = AnyRef::decode(&mut validity)?;
    let since_1970 = match end.tag() {
        Tag::UtcTime => end.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => end.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(OffsetDateTime::UNIX_EPOCH + since_1970)
}

/// How long a certificate lasts that is not renewed.
pub fn certificate(ends: Option<OffsetDateTime>, now: OffsetDateTime) -> Result<String, Finding> {
    /// Authorities and clouds that renew by themselves have done so by then.
    const NOTICE: i64 = 14;
    let Some(ends) = ends else {
        return Err(Finding::warning("its end cannot be read"));
    };
    let days = (ends - now).whole_days();
    let seen = format!("ends on {}, in {days} days", ends.date());
    match days {
        ..NOTICE => Err(Finding::warning(seen)),
        _ => Ok(seen),
    }
}

/// A failure of another command as a finding.
impl From<Failure> for Finding {
    fn from(failure: Failure) -> Self {
        Self::failed(failure.reason).status(failure.status)
    }
}

/// Nobody is there.
pub fn unreachable(seen: impl Into<String>) -> Finding {
    Finding::failed(seen).status(Status::Unreachable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rustls::pki_types::{CertificateDer, pem::PemObject};
    use time::{Date, Duration, Month};

    use super::*;
    use crate::cli::doctor::finding::State;

    fn january(year: i32) -> OffsetDateTime {
        let first = Date::from_calendar_date(year, Month::January, 1);
        first.unwrap().midnight().assume_utc()
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        for (pem, end) in [
            (include_str!("../../../tests/data/tls/lasting.pem"), 2120),
            (include_str!("../../../tests/data/tls/ended.pem"), 2021),
        ] {
            let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
            assert_eq!(not_after(&der).unwrap(), january(end));
            assert!(not_after(&der[..der.len() / 4]).is_err());
        }
        assert!(not_after(b"").is_err());
    }

    #[test]
    fn an_end_is_spoken_of_two_weeks_before() {
        let now = january(2027);
        for (days, state) in [(15, None), (14, None), (13, Some(State::Warning))] {
            let verdict = certificate(Some(now + Duration::days(days)), now);
            assert_eq!(verdict.err().map(|finding| finding.state), state, "{days}");
        }
    }

    #[test]
    fn what_stays_on_this_machine_is_known() {
        for (url, here, address) in [
            ("http://localhost:1", true, false),
            ("http://127.0.0.1", true, true),
            ("http://[::1]:3", true, true),
            ("https://localhost.example", false, false),
            ("https://192.0.2.1", false, true),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!((is_here(&url), is_address(&url)), (here, address), "{url}");
        }
    }
}
