//! The program's settings: environment variables that begin with `SCIM_BRIDGE_`, read once.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use crate::{
    bridge,
    credentials::{Secrets, Source},
    http,
};

/// All settings of a running bridge.
pub struct Config {
    /// Where the bridge listens.
    pub listen: SocketAddr,
    /// How the door behaves.
    pub door: http::Options,
    /// The bridge's rules.
    pub bridge: bridge::Settings,
    /// Where the scimsession and the sweep key are.
    pub secrets: Secrets,
    /// How often the local timer sweeps.
    pub sweep_interval: Duration,
    /// The state store's file.
    pub state: PathBuf,
    /// PEM file with certificate authorities to trust beside the public ones.
    pub root_certificates: Option<PathBuf>,
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct Invalid {
    /// The environment variable.
    pub name: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// One setting: its environment variable and what it means.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// One line for people.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, meaning: &'static str) -> Setting {
    Setting { name, meaning }
}

const PORT: Setting = setting("SCIM_BRIDGE_PORT", "port of the bridge (3002)");
const LISTEN: Setting = setting("SCIM_BRIDGE_LISTEN", "address to listen on (127.0.0.1)");
const PUBLIC_URL: Setting = setting(
    "SCIM_BRIDGE_PUBLIC_URL",
    "URL that providers use (taken from each request)",
);
const DELAY: Setting = setting(
    "SCIM_BRIDGE_CONFIRMATION_DELAY",
    "seconds between sign-up and confirmation (300; 0 = at once)",
);
const INTERVAL: Setting = setting(
    "SCIM_BRIDGE_CONFIRMATION_INTERVAL",
    "seconds between sweeps of the local timer (5)",
);
const DOMAINS: Setting = setting(
    "SCIM_BRIDGE_ALLOWED_DOMAINS",
    "e-mail domains to invite and confirm, comma-separated (any)",
);
const SCIMSESSION: Setting = setting(
    "SCIM_BRIDGE_SCIMSESSION",
    "sealed credentials: a path, an ARN or a Key Vault URL (.local/scimsession)",
);
const SWEEP_KEY: Setting = setting(
    "SCIM_BRIDGE_SWEEP_KEY",
    "the sweep key, or where it is kept (none: the sweep waits for a first request)",
);
const REFRESH: Setting = setting(
    "SCIM_BRIDGE_CREDENTIALS_REFRESH",
    "seconds after which scimsession and sweep key are looked at again (60)",
);
const STATE: Setting = setting(
    "SCIM_BRIDGE_STATE",
    "file of the state store (.local/state.db)",
);
const ROOTS: Setting = setting(
    "SCIM_BRIDGE_ROOT_CERTIFICATES",
    "PEM file with further certificate authorities (none)",
);

/// Every setting, for help texts.
pub const SETTINGS: [Setting; 11] = [
    PORT,
    LISTEN,
    PUBLIC_URL,
    DELAY,
    INTERVAL,
    DOMAINS,
    SCIMSESSION,
    SWEEP_KEY,
    REFRESH,
    STATE,
    ROOTS,
];

impl Config {
    /// Reads all settings with `lookup`, which is given a variable's name. An empty value counts
    /// as none.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Invalid> {
        let text = |setting: Setting| lookup(setting.name).filter(|text| !text.trim().is_empty());
        let address: IpAddr = parsed(LISTEN, text(LISTEN))?.unwrap_or(Ipv4Addr::LOCALHOST.into());
        let seconds = |setting, default| -> Result<u32, Invalid> {
            Ok(parsed(setting, text(setting))?.unwrap_or(default))
        };
        let some_seconds = |setting, default| match seconds(setting, default)? {
            0 => Err(invalid(setting, "has to be at least 1")),
            some => Ok(some),
        };
        let public_url = text(PUBLIC_URL);
        if let Some(url) = &public_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return Err(invalid(PUBLIC_URL, "has to begin with https:// or http://"));
        }
        let domains = text(DOMAINS).unwrap_or_default();
        Ok(Self {
            listen: SocketAddr::new(address, parsed(PORT, text(PORT))?.unwrap_or(3002)),
            door: http::Options {
                public_url,
                ..http::Options::default()
            },
            bridge: bridge::Settings {
                confirmation_delay: time::Duration::seconds(seconds(DELAY, 300)?.into()),
                allowed_domains: domains
                    .split(',')
                    .map(|domain| domain.trim().trim_start_matches('@').to_lowercase())
                    .filter(|domain| !domain.is_empty())
                    .collect(),
            },
            secrets: Secrets {
                scimsession: parsed(SCIMSESSION, text(SCIMSESSION))?
                    .unwrap_or(Source::File(".local/scimsession".into())),
                sweep_key: parsed(SWEEP_KEY, text(SWEEP_KEY))?,
                refresh: time::Duration::seconds(some_seconds(REFRESH, 60)?.into()),
            },
            sweep_interval: Duration::from_secs(some_seconds(INTERVAL, 5)?.into()),
            state: text(STATE).map_or(".local/state.db".into(), PathBuf::from),
            root_certificates: text(ROOTS).map(PathBuf::from),
        })
    }
}

fn parsed<T: FromStr>(setting: Setting, text: Option<String>) -> Result<Option<T>, Invalid>
where
    T::Err: std::fmt::Display,
{
    // The value is not repeated: it may be a secret.
    text.map(|text| text.trim().parse())
        .transpose()
        .map_err(|error: T::Err| invalid(setting, &error.to_string()))
}

fn invalid(setting: Setting, problem: &str) -> Invalid {
    Invalid {
        name: setting.name,
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::credentials::{SweepKey, SweepKeySource};

    fn read(variables: &[(&str, &str)]) -> Result<Config, Invalid> {
        Config::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_any_variable_the_defaults_hold() {
        let config = read(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:3002");
        assert_eq!(config.bridge.confirmation_delay, time::Duration::minutes(5));
        assert!(config.bridge.allowed_domains.is_empty());
        assert!(config.secrets.sweep_key.is_none());
        assert_eq!(config.secrets.refresh, time::Duration::MINUTE);
    }

    #[test]
    fn every_variable_is_read() {
        let key = SweepKey::generate().unwrap();
        let config = read(&[
            ("SCIM_BRIDGE_PORT", " 80 "),
            ("SCIM_BRIDGE_LISTEN", "::"),
            ("SCIM_BRIDGE_PUBLIC_URL", "https://x.example"),
            ("SCIM_BRIDGE_CONFIRMATION_DELAY", "0"),
            ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "7"),
            ("SCIM_BRIDGE_ALLOWED_DOMAINS", "A.example, @b.example,"),
            ("SCIM_BRIDGE_SCIMSESSION", "s"),
            ("SCIM_BRIDGE_SWEEP_KEY", &key.expose()),
            ("SCIM_BRIDGE_CREDENTIALS_REFRESH", "5"),
            ("SCIM_BRIDGE_STATE", "t"),
            ("SCIM_BRIDGE_ROOT_CERTIFICATES", "r"),
        ])
        .unwrap();
        assert_eq!(config.listen.to_string(), "[::]:80");
        assert_eq!(config.door.public_url.as_deref(), Some("https://x.example"));
        assert!(config.bridge.confirmation_delay.is_zero());
        assert_eq!(config.sweep_interval.as_secs(), 7);
        assert_eq!(config.bridge.allowed_domains, ["a.example", "b.example"]);
        assert_eq!(config.secrets.scimsession, Source::File("s".into()));
        let given = config.secrets.sweep_key;
        assert!(matches!(given, Some(SweepKeySource::Given(_))));
        assert_eq!(config.secrets.refresh, time::Duration::seconds(5));
        assert_eq!(config.state, PathBuf::from("t"));
        assert_eq!(config.root_certificates, Some("r".into()));
    }

    #[test]
    fn the_sweep_key_may_be_kept_elsewhere() {
        let config = read(&[("SCIM_BRIDGE_SWEEP_KEY", "./sweep-key")]).unwrap();
        let kept = config.secrets.sweep_key;
        assert!(matches!(kept, Some(SweepKeySource::Kept(Source::File(_)))));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_repeated() {
        for (name, value) in [
            ("SCIM_BRIDGE_PORT", "65536"),
            ("SCIM_BRIDGE_LISTEN", "here"),
            ("SCIM_BRIDGE_PUBLIC_URL", "x.example"),
            ("SCIM_BRIDGE_CONFIRMATION_DELAY", "-1"),
            ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "0"),
            ("SCIM_BRIDGE_SCIMSESSION", "s3://bucket/key"),
            ("SCIM_BRIDGE_SWEEP_KEY", "scimsweep_secret"),
            ("SCIM_BRIDGE_CREDENTIALS_REFRESH", "0"),
        ] {
            let error = read(&[(name, value)]).err().unwrap();
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains("scimsweep_secret"));
        }
    }
}
