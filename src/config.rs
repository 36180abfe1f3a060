//! The program's settings: environment variables that begin with `SCIM_BRIDGE_`, read once.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use crate::{
    account::op_cli::Program,
    bridge::{self, Confirmations, Deprovisioning, EmailChange, Guards, Mode},
    credentials::{Secrets, Source},
    http, state,
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
    /// How often the local timer sweeps, or a schedule does; `None` leaves it to the program.
    pub sweep_interval: Option<Duration>,
    /// Where the state is kept.
    pub state: state::Place,
    /// 1Password's command line, for credentials that need it.
    pub op: Program,
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

/// One setting: its environment variable and what it means. Help texts and `docs/configuration.md`
/// are made of these.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What it is, in one line for people.
    pub meaning: &'static str,
    /// What it may be.
    pub values: &'static str,
    /// What it is if nobody says.
    pub default: &'static str,
}

const fn setting(
    name: &'static str,
    meaning: &'static str,
    values: &'static str,
    default: &'static str,
) -> Setting {
    Setting {
        name,
        meaning,
        values,
        default,
    }
}

const PORT: Setting = setting(
    "SCIM_BRIDGE_PORT",
    "port of the bridge",
    "a port number",
    "3002",
);
const LISTEN: Setting = setting(
    "SCIM_BRIDGE_LISTEN",
    "address to listen on",
    "an IP address",
    "127.0.0.1",
);
const PUBLIC_URL: Setting = setting(
    "SCIM_BRIDGE_PUBLIC_URL",
    "URL that providers use, for meta.location",
    "https://…",
    "taken from each request",
);
const DELAY: Setting = setting(
    "SCIM_BRIDGE_CONFIRMATION_DELAY",
    "time between sign-up and confirmation",
    "seconds; 0 = at once",
    "300",
);
const INTERVAL: Setting = setting(
    "SCIM_BRIDGE_CONFIRMATION_INTERVAL",
    "time between sweeps: of the local timer, or as a cloud's schedule has it",
    "seconds",
    "5; 60 on a cloud",
);
const DOMAINS: Setting = setting(
    "SCIM_BRIDGE_ALLOWED_DOMAINS",
    "e-mail domains to invite and confirm",
    "domains with commas between them",
    "any",
);
const WHO: Setting = setting(
    "SCIM_BRIDGE_CONFIRM",
    "whom to confirm",
    "invited (by this bridge) or anybody",
    "invited",
);
const BATCH: Setting = setting(
    "SCIM_BRIDGE_CONFIRMATION_BATCH",
    "people that a sweep looks at together",
    "1 to 1000",
    "200",
);
const CONCURRENCY: Setting = setting(
    "SCIM_BRIDGE_CONFIRMATION_CONCURRENCY",
    "people that a sweep confirms at the same time",
    "1 or more",
    "8",
);
const BUDGET: Setting = setting(
    "SCIM_BRIDGE_CONFIRMATION_BUDGET",
    "time after which a sweep leaves the rest to the next one",
    "seconds",
    "45",
);
const GUARD_PEOPLE: Setting = setting(
    "SCIM_BRIDGE_GUARD_PEOPLE",
    "people that may be suspended or deleted in an hour",
    "a number",
    "10",
);
const GUARD_PERCENT: Setting = setting(
    "SCIM_BRIDGE_GUARD_PERCENT",
    "the same as a share of the account's people, if that is more",
    "percent, 0 to 100",
    "10",
);
const GUARD_GROUP: Setting = setting(
    "SCIM_BRIDGE_GUARD_EMPTY_GROUP",
    "members of the largest group that one request may empty or delete",
    "a number",
    "10",
);
const DEPROVISION: Setting = setting(
    "SCIM_BRIDGE_DEPROVISION",
    "what becomes of removed people",
    "suspend, leave-groups or delete-after-30d (any number of days)",
    "suspend",
);
const EMAIL_CHANGE: Setting = setting(
    "SCIM_BRIDGE_EMAIL_CHANGE",
    "a new address, where the connector cannot change it",
    "ignore or refuse",
    "ignore",
);
const AUDIT_DAYS: Setting = setting(
    "SCIM_BRIDGE_AUDIT_DAYS",
    "how long lines of the audit are kept",
    "days, up to 3650",
    "90",
);
const RATE_LIMIT: Setting = setting(
    "SCIM_BRIDGE_RATE_LIMIT",
    "requests a second of one token; four times as many at once",
    "a number; 0 is any number",
    "50",
);
const IN_FLIGHT: Setting = setting(
    "SCIM_BRIDGE_CONCURRENCY",
    "requests that are worked on at the same time",
    "a number",
    "64",
);
const MODE: Setting = setting(
    "SCIM_BRIDGE_MODE",
    "whether to change anything, or to note what would be done",
    "act or observe",
    "act",
);
const SCIMSESSION: Setting = setting(
    "SCIM_BRIDGE_SCIMSESSION",
    "the sealed credentials",
    "a path, the ARN of a secret, or the URL of a Key Vault secret",
    ".local/scimsession",
);
const SWEEP_KEY: Setting = setting(
    "SCIM_BRIDGE_SWEEP_KEY",
    "opens the credentials for the sweep",
    "the key, or where it is kept (a path needs a slash)",
    "none: the sweep waits for a first request",
);
const REFRESH: Setting = setting(
    "SCIM_BRIDGE_CREDENTIALS_REFRESH",
    "time after which scimsession and sweep key are looked at again",
    "seconds",
    "60",
);
const STATE: Setting = setting(
    "SCIM_BRIDGE_STATE",
    "the state store",
    "a file, the ARN of a DynamoDB table, or the URL of an Azure table",
    ".local/state.db",
);
const OP: Setting = setting(
    "SCIM_BRIDGE_OP",
    "1Password's command line, for credentials that need it",
    "a path",
    "op on PATH",
);
const ROOTS: Setting = setting(
    "SCIM_BRIDGE_ROOT_CERTIFICATES",
    "further certificate authorities",
    "a PEM file",
    "none",
);

/// What a running bridge reads.
pub const SETTINGS: &[Setting] = &[
    PORT,
    LISTEN,
    PUBLIC_URL,
    DELAY,
    INTERVAL,
    DOMAINS,
    WHO,
    BATCH,
    CONCURRENCY,
    BUDGET,
    GUARD_PEOPLE,
    GUARD_PERCENT,
    GUARD_GROUP,
    DEPROVISION,
    EMAIL_CHANGE,
    AUDIT_DAYS,
    RATE_LIMIT,
    IN_FLIGHT,
    MODE,
    SCIMSESSION,
    SWEEP_KEY,
    REFRESH,
    STATE,
    OP,
    ROOTS,
    setting(
        "SCIM_BRIDGE_LOG",
        "which log lines",
        "a level (error, warn, info, debug, trace), or parts with levels, as in scim_bridge::http=debug,info",
        "info",
    ),
    setting(
        "SCIM_BRIDGE_LOG_FORMAT",
        "how log lines look",
        "text or json",
        "text",
    ),
];

/// What only commands read.
pub const COMMAND_SETTINGS: &[Setting] = &[
    setting(
        "SCIM_BRIDGE_TOKEN",
        "a bearer token that opens the scimsession",
        "a token",
        "the sweep key, or asked for",
    ),
    setting(
        "SCIM_BRIDGE_ACCOUNT",
        "account to set up for",
        "an address",
        "--address, or asked for",
    ),
    setting(
        "SCIM_BRIDGE_ADMIN_EMAIL",
        "administrator who sets up or hands over a group; with --connector op the bridge's own user",
        "an e-mail address",
        "--email, or asked for",
    ),
    setting(
        "SCIM_BRIDGE_ADMIN_SECRET_KEY",
        "that person's Secret Key",
        "a Secret Key",
        "asked for",
    ),
    setting(
        "SCIM_BRIDGE_ADMIN_PASSWORD",
        "that person's password",
        "a password",
        "asked for",
    ),
    setting(
        "SCIM_BRIDGE_USERS_API_SECRET",
        "client secret for credentials users-api set",
        "a client secret",
        "asked for",
    ),
    setting(
        "SCIM_BRIDGE_SANDBOX_PORT",
        "port of the demo account's server, when it is made",
        "a port number",
        "3003",
    ),
    setting(
        "SCIM_BRIDGE_SANDBOX_PASSWORD",
        "password of who signs up with sandbox sign-up",
        "a password",
        "made up",
    ),
];

impl Config {
    /// How often the local timer sweeps.
    pub fn timer(&self) -> Duration {
        self.sweep_interval.unwrap_or(Duration::from_secs(5))
    }

    /// Reads all settings with `lookup`, which is given a variable's name. An empty value counts
    /// as none.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn read(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Invalid> {
        let text = |setting: Setting| lookup(setting.name).filter(|text| !text.trim().is_empty());
        let address = match text(LISTEN).map(|text| text.trim().parse()) {
            None => Ipv4Addr::LOCALHOST.into(),
            Some(Ok(address)) => address,
            Some(Err::<IpAddr, _>(_)) => {
                return Err(invalid(LISTEN, "is an IP address, such as 127.0.0.1 or ::"));
            }
        };
        let number = |setting, default| match text(setting).map(|text| text.trim().parse()) {
            None => Ok(default),
            Some(Ok(number)) => Ok(number),
            Some(Err::<u32, _>(_)) => Err(invalid(setting, "has to be a whole number")),
        };
        let positive = |setting, default| match number(setting, default)? {
            0 => Err(invalid(setting, "has to be at least 1")),
            some => Ok(some),
        };
        let public_url = text(PUBLIC_URL).map(|url| without_mount(&url).to_owned());
        if let Some(url) = &public_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return Err(invalid(PUBLIC_URL, "has to begin with https:// or http://"));
        }
        let port = match text(PORT).map(|text| text.trim().parse()) {
            None => 3002,
            Some(Ok(port)) => port,
            Some(Err::<u16, _>(_)) => return Err(invalid(PORT, "is a number from 0 to 65535")),
        };
        Ok(Self {
            listen: SocketAddr::new(address, port),
            door: http::Options {
                public_url,
                rate_limit: number(RATE_LIMIT, 50)?,
                concurrency: positive(IN_FLIGHT, 64)? as usize,
                ..http::Options::default()
            },
            bridge: bridge::Settings {
                mode: match text(MODE).as_deref().map(str::trim) {
                    None | Some("act") => Mode::Act,
                    Some("observe") => Mode::Observe,
                    Some(_) => return Err(invalid(MODE, "is act or observe")),
                },
                allowed_domains: allowed_domains(&text(DOMAINS).unwrap_or_default())?,
                confirmation: Confirmations {
                    delay: time::Duration::seconds(number(DELAY, 300)?.into()),
                    anybody: match text(WHO).as_deref().map(str::trim) {
                        None | Some("invited") => false,
                        Some("anybody") => true,
                        Some(_) => return Err(invalid(WHO, "is invited or anybody")),
                    },
                    batch: match number(BATCH, 200)? {
                        batch @ 1..=1000 => batch as usize,
                        _ => return Err(invalid(BATCH, "is from 1 to 1000")),
                    },
                    concurrency: positive(CONCURRENCY, 8)? as usize,
                    budget: time::Duration::seconds(positive(BUDGET, 45)?.into()),
                },
                guards: Guards {
                    removals: number(GUARD_PEOPLE, 10)?,
                    removals_percent: match number(GUARD_PERCENT, 10)? {
                        percent @ 0..=100 => percent,
                        _ => return Err(invalid(GUARD_PERCENT, "is from 0 to 100")),
                    },
                    empty_group: number(GUARD_GROUP, 10)?.into(),
                },
                deprovisioning: match text(DEPROVISION) {
                    None => Deprovisioning::Suspend,
                    Some(text) => deprovisioning(text.trim())?,
                },
                email_change: match text(EMAIL_CHANGE).as_deref().map(str::trim) {
                    None | Some("ignore") => EmailChange::Ignore,
                    Some("refuse") => EmailChange::Refuse,
                    Some(_) => return Err(invalid(EMAIL_CHANGE, "is ignore or refuse")),
                },
                audit_kept: match number(AUDIT_DAYS, 90)? {
                    days @ 1..=3650 => time::Duration::days(days.into()),
                    _ => return Err(invalid(AUDIT_DAYS, "is from 1 to 3650")),
                },
            },
            secrets: Secrets {
                scimsession: parsed(SCIMSESSION, text(SCIMSESSION))?
                    .unwrap_or(Source::File(".local/scimsession".into())),
                sweep_key: parsed(SWEEP_KEY, text(SWEEP_KEY))?,
                refresh: time::Duration::seconds(positive(REFRESH, 60)?.into()),
            },
            sweep_interval: match number(INTERVAL, 1)? {
                0 => return Err(invalid(INTERVAL, "has to be at least 1")),
                seconds => text(INTERVAL).map(|_| Duration::from_secs(seconds.into())),
            },
            state: parsed(STATE, text(STATE))?
                .unwrap_or(state::Place::File(".local/state.db".into())),
            op: text(OP).map(Program::new).unwrap_or_default(),
            root_certificates: text(ROOTS).map(PathBuf::from),
        })
    }
}

/// The URL without what a Tenant URL has behind it, which every location gets anyway.
fn without_mount(url: &str) -> &str {
    let url = url.trim().trim_end_matches('/');
    let scim = url.strip_suffix("/v2").filter(|url| url.ends_with("/scim"));
    let url = scim.unwrap_or(url);
    url.strip_suffix("/scim").unwrap_or(url)
}

fn allowed_domains(text: &str) -> Result<Vec<String>, Invalid> {
    let domains = text
        .split(',')
        .map(|domain| domain.trim().trim_start_matches('@').to_lowercase())
        .filter(|domain| !domain.is_empty());
    let plain = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    domains
        .map(|domain| match domain.chars().all(plain) {
            true => Ok(domain),
            false => Err(invalid(
                DOMAINS,
                "has to be whole domains with commas between them, as in example.com,example.org",
            )),
        })
        .collect()
}

fn deprovisioning(text: &str) -> Result<Deprovisioning, Invalid> {
    let wrong = "is suspend, leave-groups, or delete-after- with a number of days, as in \
                 delete-after-30d";
    match text {
        "suspend" => Ok(Deprovisioning::Suspend),
        "leave-groups" => Ok(Deprovisioning::LeaveGroups),
        _ => text
            .strip_prefix("delete-after-")
            .and_then(|rest| rest.strip_suffix('d')?.parse::<u16>().ok())
            .map(|days| Deprovisioning::DeleteAfter(time::Duration::days(days.into())))
            .ok_or_else(|| invalid(DEPROVISION, wrong)),
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
        assert_eq!(config.bridge.confirmation.delay, time::Duration::minutes(5));
        assert!(config.bridge.allowed_domains.is_empty());
        assert!(config.secrets.sweep_key.is_none());
        assert_eq!(config.secrets.refresh, time::Duration::MINUTE);
        assert_eq!(config.bridge.audit_kept, time::Duration::days(90));
        assert_eq!((config.door.rate_limit, config.door.concurrency), (50, 64));
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
            ("SCIM_BRIDGE_CONFIRM", "anybody"),
            ("SCIM_BRIDGE_CONFIRMATION_BATCH", "9"),
            ("SCIM_BRIDGE_CONFIRMATION_CONCURRENCY", "3"),
            ("SCIM_BRIDGE_CONFIRMATION_BUDGET", "4"),
            ("SCIM_BRIDGE_GUARD_PEOPLE", "0"),
            ("SCIM_BRIDGE_GUARD_PERCENT", "1"),
            ("SCIM_BRIDGE_GUARD_EMPTY_GROUP", "2"),
            ("SCIM_BRIDGE_DEPROVISION", "delete-after-30d"),
            ("SCIM_BRIDGE_EMAIL_CHANGE", "refuse"),
            ("SCIM_BRIDGE_AUDIT_DAYS", "30"),
            ("SCIM_BRIDGE_RATE_LIMIT", "0"),
            ("SCIM_BRIDGE_CONCURRENCY", "1"),
            ("SCIM_BRIDGE_OP", "/opt/op"),
            ("SCIM_BRIDGE_MODE", "observe"),
            ("SCIM_BRIDGE_SCIMSESSION", "s"),
            ("SCIM_BRIDGE_SWEEP_KEY", &key.expose()),
            ("SCIM_BRIDGE_CREDENTIALS_REFRESH", "5"),
            ("SCIM_BRIDGE_STATE", "t"),
            ("SCIM_BRIDGE_ROOT_CERTIFICATES", "r"),
        ])
        .unwrap();
        assert_eq!(config.listen.to_string(), "[::]:80");
        assert_eq!(config.door.public_url.as_deref(), Some("https://x.example"));
        assert!(config.bridge.confirmation.delay.is_zero());
        assert_eq!(config.sweep_interval, Some(Duration::from_secs(7)));
        assert_eq!(config.bridge.allowed_domains, ["a.example", "b.example"]);
        let confirmation = &config.bridge.confirmation;
        assert!(confirmation.anybody);
        assert_eq!((confirmation.batch, confirmation.concurrency), (9, 3));
        assert_eq!(confirmation.budget, time::Duration::seconds(4));
        let guards = config.bridge.guards;
        assert_eq!((guards.removals, guards.removals_percent), (0, 1));
        assert_eq!(guards.empty_group, 2);
        let month = Deprovisioning::DeleteAfter(time::Duration::days(30));
        assert_eq!(config.bridge.deprovisioning, month);
        assert_eq!(config.bridge.email_change, EmailChange::Refuse);
        assert_eq!(config.bridge.audit_kept, time::Duration::days(30));
        assert_eq!((config.door.rate_limit, config.door.concurrency), (0, 1));
        assert_eq!(config.bridge.mode, Mode::Observe);
        assert_eq!(config.secrets.scimsession, Source::File("s".into()));
        let given = config.secrets.sweep_key;
        assert!(matches!(given, Some(SweepKeySource::Given(_))));
        assert_eq!(config.secrets.refresh, time::Duration::seconds(5));
        assert_eq!(config.state, state::Place::File("t".into()));
        assert_eq!(config.op, Program::new("/opt/op"));
        assert_eq!(config.root_certificates, Some("r".into()));
    }

    #[test]
    fn the_sweep_key_may_be_kept_elsewhere() {
        let config = read(&[("SCIM_BRIDGE_SWEEP_KEY", "./sweep-key")]).unwrap();
        let kept = config.secrets.sweep_key;
        assert!(matches!(kept, Some(SweepKeySource::Kept(Source::File(_)))));
    }

    #[test]
    fn a_tenant_url_is_taken_for_the_public_one() {
        for url in [
            "https://x.example/p",
            "https://x.example/p/",
            "https://x.example/p/scim",
            " https://x.example/p/scim/v2/ ",
        ] {
            let config = read(&[("SCIM_BRIDGE_PUBLIC_URL", url)]).unwrap();
            let public_url = config.door.public_url.unwrap();
            assert_eq!(public_url, "https://x.example/p", "{url}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_repeated() {
        for (name, value) in [
            ("SCIM_BRIDGE_PORT", "65536"),
            ("SCIM_BRIDGE_LISTEN", "here"),
            ("SCIM_BRIDGE_PUBLIC_URL", "x.example"),
            ("SCIM_BRIDGE_CONFIRMATION_DELAY", "-1"),
            ("SCIM_BRIDGE_CONFIRMATION_INTERVAL", "0"),
            ("SCIM_BRIDGE_ALLOWED_DOMAINS", "*.com"),
            ("SCIM_BRIDGE_ALLOWED_DOMAINS", "a.example b.example"),
            ("SCIM_BRIDGE_GUARD_PERCENT", "101"),
            ("SCIM_BRIDGE_CONFIRM", "nobody"),
            ("SCIM_BRIDGE_CONFIRMATION_BATCH", "1001"),
            ("SCIM_BRIDGE_CONFIRMATION_CONCURRENCY", "0"),
            ("SCIM_BRIDGE_CONFIRMATION_BUDGET", "0"),
            ("SCIM_BRIDGE_GUARD_PEOPLE", "-1"),
            ("SCIM_BRIDGE_DEPROVISION", "delete-after-d"),
            ("SCIM_BRIDGE_DEPROVISION", "delete"),
            ("SCIM_BRIDGE_EMAIL_CHANGE", "yes"),
            ("SCIM_BRIDGE_AUDIT_DAYS", "0"),
            ("SCIM_BRIDGE_AUDIT_DAYS", "3651"),
            ("SCIM_BRIDGE_RATE_LIMIT", "-1"),
            ("SCIM_BRIDGE_CONCURRENCY", "0"),
            ("SCIM_BRIDGE_MODE", "dry"),
            ("SCIM_BRIDGE_SCIMSESSION", "s3://bucket/key"),
            ("SCIM_BRIDGE_STATE", "arn:aws:sqs:eu-west-1:123456789012:q"),
            (
                "SCIM_BRIDGE_STATE",
                "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=HUSH==",
            ),
            (
                "SCIM_BRIDGE_STATE",
                "a.table.core.windows.net/state?sv=1&sig=HUSH",
            ),
            (
                "SCIM_BRIDGE_STATE",
                "HTTPS://a.table.core.windows.net/state?sig=HUSH",
            ),
            ("SCIM_BRIDGE_STATE", "scimsweep_HUSH"),
            ("SCIM_BRIDGE_STATE", "https:/a.table.core.windows.net/state"),
            ("SCIM_BRIDGE_SWEEP_KEY", "AccountKey=HUSH/KEY"),
            (
                "SCIM_BRIDGE_SCIMSESSION",
                "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/HUSH)",
            ),
            ("SCIM_BRIDGE_STATE", "https://x.example/table"),
            (
                "SCIM_BRIDGE_STATE",
                "https://account.table.core.windows.net/table?sig=scimsweep_secret",
            ),
            ("SCIM_BRIDGE_SWEEP_KEY", "scimsweep_hush"),
            ("SCIM_BRIDGE_CREDENTIALS_REFRESH", "0"),
        ] {
            let error = read(&[(name, value)]).err().unwrap();
            assert_eq!(error.name, name);
            let text = error.to_string();
            assert!(!text.to_lowercase().contains("hush"), "{text}");
        }
    }
}
