//! What a program shows to 1Password's Users API, by its public documentation: where it is, and the
//! credentials of an OAuth application (RFC 6749, section 4.4).

use std::{fmt, net::SocketAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use super::secret_text::SecretText;

/// An OAuth application of an account. As secret as its client secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientCredentials {
    /// Where the account's region has its Users API.
    pub server: Server,
    /// The account's id.
    pub account_id: String,
    /// The application's id.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: SecretText,
}

/// A server that may be told a client secret: one of 1Password's three, or one on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Server {
    /// Accounts at 1password.com.
    Com,
    /// Accounts at 1password.ca.
    Ca,
    /// Accounts at 1password.eu.
    Eu,
    /// A stand-in, for tests; a loopback address.
    Loopback(SocketAddr),
}

/// The text names no server of the Users API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a server of 1Password's Users API: it is https://api.1password.com, \
     https://api.1password.ca or https://api.1password.eu"
)]
pub struct NotAServer;

impl FromStr for Server {
    type Err = NotAServer;

    fn from_str(text: &str) -> Result<Self, NotAServer> {
        let text = text.trim_end_matches('/');
        let here = || -> Option<SocketAddr> { text.strip_prefix("http://")?.parse().ok() };
        let public = [Self::Com, Self::Ca, Self::Eu].into_iter();
        public
            .chain(
                here()
                    .filter(|it| it.ip().is_loopback())
                    .map(Self::Loopback),
            )
            .find(|server| server.to_string() == text)
            .ok_or(NotAServer)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Com => f.write_str("https://api.1password.com"),
            Self::Ca => f.write_str("https://api.1password.ca"),
            Self::Eu => f.write_str("https://api.1password.eu"),
            Self::Loopback(address) => write!(f, "http://{address}"),
        }
    }
}

impl TryFrom<String> for Server {
    type Error = NotAServer;

    fn try_from(text: String) -> Result<Self, NotAServer> {
        text.parse()
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.to_string()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_known_servers_are_told_a_secret() {
        for url in [
            "https://api.1password.com",
            "https://api.1password.ca",
            "https://api.1password.eu",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
        ] {
            let server: Server = url.parse().unwrap();
            assert_eq!(server.to_string(), url);
            let with_slash = format!("{url}/").parse();
            assert_eq!(with_slash, Ok(server), "{url}");
        }
        for url in [
            "",
            "https://api.1password.example",
            "https://api.1password.com.example.com",
            "https://api.1password.com:444",
            "https://api.1password.com/v1beta1",
            "https://api.1password.com@example.com",
            "http://api.1password.com",
            "http://192.0.2.1:8080",
            "http://127.0.0.1:8080@example.com",
            "http://127.0.0.1:8080/x",
            "http://localhost.example:80",
        ] {
            assert_eq!(url.parse::<Server>(), Err(NotAServer), "{url}");
        }
    }
}
