//! The checks, as data: what is looked at, how it is judged, and what to do if it fails.

use std::fmt::Write;

use clap::ValueEnum;
use futures_util::future::BoxFuture;

use super::{
    finding::Verdict,
    reads,
    visit::{Answer, Visit},
};

/// An identity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// OneLogin.
    Onelogin,
    /// JumpCloud.
    Jumpcloud,
    /// Rippling.
    Rippling,
}

/// One thing that is looked at.
pub struct Check {
    /// What it is called.
    pub id: &'static str,
    /// When all is well.
    pub good: &'static str,
    /// What to do if it is not, unless what was seen tells better.
    pub remedy: &'static str,
    /// When it is looked at.
    pub when: When,
    /// What has to have gone well before.
    pub after: &'static [&'static str],
    pub work: Work,
}

/// When something is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At every visit.
    Always,
    /// Because this provider does it when it connects.
    For(Provider),
    /// If a test person and a test group may be made.
    Deep,
    /// After that, whatever happened meanwhile.
    DeepEnd,
    /// If there is a scimsession at hand. Needs no bridge.
    AtHand,
}

/// What is done.
pub enum Work {
    /// One GET with the token, and how its answer is judged. `{nobody}` in the path is a name that
    /// nobody has.
    Read(&'static str, fn(&Answer) -> Verdict),
    /// The same, where the answer may come packed.
    ReadPacked(&'static str, fn(&Answer) -> Verdict),
    /// Something else: what, in words.
    Other(&'static str, Step),
    /// What `scim-bridge credentials check` does.
    Credentials,
}

type Step = for<'a> fn(&'a mut Visit) -> BoxFuture<'a, Verdict>;

/// An asynchronous step of a visit.
macro_rules! step {
    ($what:literal, $name:ident) => {
        Work::Other($what, |visit| Box::pin(visit.$name()))
    };
}

/// A step that sends nothing.
macro_rules! look {
    ($what:literal, $name:ident) => {
        Work::Other($what, |visit| Box::pin(async { visit.$name() }))
    };
}

const FILTERS: &str = "See the bridge's log for this request: the provider stops here";

/// In the order in which they are done.
pub static CHECKS: &[Check] = &[
    Check {
        id: "url",
        good: "looks like a Tenant URL: no typing mistake, no endpoint, ends with /scim/v2",
        remedy: "Enter the URL that the deployment printed, ending with /scim/v2",
        when: When::Always,
        after: &[],
        work: look!("nothing", url),
    },
    Check {
        id: "dns",
        good: "the name has addresses",
        remedy: "Correct the name, or make the DNS record; a new one may take an hour",
        when: When::Always,
        after: &[],
        work: step!("a DNS query", dns),
    },
    Check {
        id: "connection",
        good: "every address takes connections within 5 seconds",
        remedy: "Open the firewall for the provider's addresses, see that something listens, and \
                 take away DNS records of addresses that nobody listens on",
        when: When::Always,
        after: &["dns"],
        work: step!("a TCP connection", connection),
    },
    Check {
        id: "tls",
        good: "TLS 1.2 or 1.3, a certificate for this name, a chain to a public authority",
        remedy: "Get a certificate for this name from a public authority",
        when: When::Always,
        after: &["connection"],
        work: step!("a TLS handshake", tls),
    },
    Check {
        id: "certificate",
        good: "ends in 14 days or later",
        remedy: "Renew it: what renews by itself would have done so by now",
        when: When::Always,
        after: &["tls"],
        work: look!("nothing", certificate),
    },
    Check {
        id: "plain-http",
        good: "is closed, or redirects",
        remedy: "Close port 80, or redirect it to https://: a token sent there can be read on the \
                 way",
        when: When::Always,
        after: &["tls"],
        work: step!("`GET http://…/ping`, without the token", plain_http),
    },
    Check {
        id: "ping",
        good: "answers `pong`; otherwise the token is not sent",
        remedy: "See that the URL leads to the bridge and not to something else",
        when: When::Always,
        after: &["tls"],
        work: step!("`GET /ping`, without the token", ping),
    },
    Check {
        id: "clock",
        good: "within 30 seconds of this machine's",
        remedy: "Set this machine's clock, and if it is right the bridge's: tokens would end at \
                 the wrong time",
        when: When::Always,
        after: &["ping"],
        work: look!("nothing; the Date of the last answer is compared", clock),
    },
    Check {
        id: "shut-door",
        good: "401 as a SCIM error",
        remedy: "Let the gateway hand requests without a token on to the bridge, which refuses \
                 them as providers expect",
        when: When::Always,
        after: &["ping"],
        work: step!(
            "`GET /ServiceProviderConfig`, without a token and with a made-up one",
            shut_door
        ),
    },
    Check {
        id: "token-text",
        good: "complete, and its checksum right",
        remedy: "Copy the whole token again; it begins with scimbridge_ and has 60 characters",
        when: When::Always,
        after: &["ping"],
        work: look!("nothing", token_text),
    },
    Check {
        id: "token",
        good: "200",
        remedy: "Give the provider a token of this bridge: scim-bridge token list",
        when: When::Always,
        after: &["token-text", "shut-door"],
        work: step!("`GET /ServiceProviderConfig`", admission),
    },
    Check {
        id: "health",
        good: "every part is healthy",
        remedy: "See /health, and the bridge's log",
        when: When::Always,
        after: &["token-text", "shut-door"],
        work: step!("`GET /health`", health),
    },
    Check {
        id: "lookup",
        good: "200 with an empty list: the bridge gets an answer from the account",
        remedy: "Do what the answer and /health say; scim-bridge credentials check tells more",
        when: When::Always,
        after: &["token"],
        work: Work::Read(
            "/Users?filter=userName eq \"{nobody}\"",
            reads::nothing_found,
        ),
    },
    Check {
        id: "config",
        good: "speaks of PATCH, filters and bearer tokens",
        remedy: "Upgrade the bridge, and see that nothing in between changes answers",
        when: When::Always,
        after: &["token"],
        work: Work::Read("/ServiceProviderConfig", reads::config),
    },
    Check {
        id: "discovery",
        good: "User and Group are there, and every schema that they name",
        remedy: "Upgrade the bridge, and see that nothing in between changes answers",
        when: When::Always,
        after: &["token"],
        work: step!("`GET /ResourceTypes`, `GET /Schemas`", discovery),
    },
    Check {
        id: "location",
        good: "the bridge names the URL that was given",
        remedy: "Set SCIM_BRIDGE_PUBLIC_URL",
        when: When::Always,
        after: &["token"],
        work: step!("`GET /ServiceProviderConfig`", location),
    },
    Check {
        id: "paths",
        good: "every form of the URL leads to the bridge, without a redirect",
        remedy: "Let the gateway hand every path on to the bridge as it came",
        when: When::Always,
        after: &["token"],
        work: step!(
            "`GET /ServiceProviderConfig` at the root, below /scim and /scim/v2, with needless slashes",
            paths
        ),
    },
    Check {
        id: "errors",
        good: "404 as a SCIM error",
        remedy: "Let the gateway hand the bridge's errors on as they are",
        when: When::Always,
        after: &["token"],
        work: Work::Read("/Users/{nobody}", reads::error),
    },
    Check {
        id: "errors-of-paths",
        good: "404 as a SCIM error",
        remedy: "Let the gateway hand every path on to the bridge",
        when: When::Always,
        after: &["token"],
        work: Work::Read("/{nobody}", reads::error),
    },
    Check {
        id: "gzip",
        good: "long answers come packed",
        remedy: "Let the gateway hand Accept-Encoding on: large groups may not fit unpacked",
        when: When::Always,
        after: &["token"],
        work: Work::ReadPacked("/Schemas", reads::packed),
    },
    Check {
        id: "large-body",
        good: "gets through: a group of 10,000 members has one",
        remedy: "Let the gateway take bodies of at least 1 MiB",
        when: When::Always,
        after: &["lookup"],
        work: step!(
            "`POST /Users/.search`, which changes nothing, with 900,000 bytes",
            large_body
        ),
    },
    Check {
        id: "too-large-body",
        good: "413 as a SCIM error",
        remedy: "Let the gateway leave it to the bridge to refuse bodies of 2 MiB: the provider \
                 shows what the bridge says",
        when: When::Always,
        after: &["large-body"],
        work: step!("`POST /Users/.search` with more than 2 MiB", too_large_body),
    },
    Check {
        id: "latency",
        good: "the median within 2 seconds, the slowest within 10: gateways give up after 29, \
               providers after 60",
        remedy: "See how far the bridge is from the account, whether it has enough memory, and \
                 whether it has to start anew each time",
        when: When::Always,
        after: &["lookup"],
        work: step!("`GET /Users?filter=userName eq \"…\"`, five times", latency),
    },
    Check {
        id: "quirk-active",
        good: "200 with an empty list",
        remedy: FILTERS,
        when: When::Always,
        after: &["lookup"],
        work: Work::Read(
            "/Users?filter=userName eq \"{nobody}\" and active eq \"True\"",
            reads::nothing_found,
        ),
    },
    Check {
        id: "entra-users",
        good: "200 with an empty list: its Test Connection",
        remedy: FILTERS,
        when: When::For(Provider::Entra),
        after: &["lookup"],
        work: Work::Read(
            "/Users?filter=userName eq \"{nobody}\"",
            reads::nothing_found,
        ),
    },
    Check {
        id: "entra-groups",
        good: "200 with an empty list: its Test Connection, if groups are mapped",
        remedy: FILTERS,
        when: When::For(Provider::Entra),
        after: &["lookup"],
        work: Work::Read(
            "/Groups?excludedAttributes=members&filter=displayName eq \"{nobody}\"",
            reads::nothing_found,
        ),
    },
    Check {
        id: "entra-members",
        good: "200 with an empty list: how it asks whether somebody is in a group",
        remedy: FILTERS,
        when: When::For(Provider::Entra),
        after: &["lookup"],
        work: Work::Read(
            "/Groups?filter=id eq \"{nobody}\" and members eq \"{nobody}\"",
            reads::nothing_found,
        ),
    },
    Check {
        id: "okta-users",
        good: "a page of at most two, each with id and userName: its Test API Credentials",
        remedy: FILTERS,
        when: When::For(Provider::Okta),
        after: &["lookup"],
        work: Work::Read("/Users?startIndex=1&count=2", |answer| {
            reads::page(answer, 2, "userName")
        }),
    },
    Check {
        id: "okta-groups",
        good: "a page of at most 100, each with id and displayName",
        remedy: FILTERS,
        when: When::For(Provider::Okta),
        after: &["lookup"],
        work: Work::Read("/Groups?startIndex=1&count=100", |answer| {
            reads::page(answer, 100, "displayName")
        }),
    },
    Check {
        id: "onelogin-user",
        good: "an empty list or 404, to a client that accepts application/json",
        remedy: FILTERS,
        when: When::For(Provider::Onelogin),
        after: &["lookup"],
        work: step!("`GET /Users?filter=userName eq \"…\"`", one_login),
    },
    Check {
        id: "onelogin-groups",
        good: "a page, each with id and displayName: its Refresh Entitlements",
        remedy: FILTERS,
        when: When::For(Provider::Onelogin),
        after: &["lookup"],
        work: Work::Read("/Groups", |answer| {
            reads::page(answer, usize::MAX, "displayName")
        }),
    },
    Check {
        id: "jumpcloud-users",
        good: "a page of at most 100; its activation also makes a test user and a test group, as \
               --deep does",
        remedy: FILTERS,
        when: When::For(Provider::Jumpcloud),
        after: &["lookup"],
        work: Work::Read("/Users?startIndex=1&count=100", |answer| {
            reads::page(answer, 100, "userName")
        }),
    },
    Check {
        id: "rippling",
        good: "speaks of PATCH, filters and bearer tokens: its connection test",
        remedy: FILTERS,
        when: When::For(Provider::Rippling),
        after: &["token"],
        work: Work::Read("/ServiceProviderConfig", reads::config),
    },
    Check {
        id: "test-user",
        good: "201: a test person is invited, or one that an earlier run left is active again",
        remedy: "Do what the answer says; the address must be one that nobody in the account has, \
                 at a domain that may be invited",
        when: When::Deep,
        after: &["lookup"],
        work: step!("`GET /Users` by the address, `POST /Users`", test_user),
    },
    Check {
        id: "test-user-changed",
        good: "409 to a second invitation; a new name is kept",
        remedy: "See the bridge's log for this request",
        when: When::Deep,
        after: &["test-user"],
        work: step!(
            "`POST /Users` again, `PATCH` with a new displayName, `GET`",
            test_change
        ),
    },
    Check {
        id: "test-group",
        good: "201, found by its name; the person is put in and taken out",
        remedy: "See the bridge's log for this request; the bridge's user must be allowed to make \
                 groups",
        when: When::Deep,
        after: &["test-user"],
        work: step!(
            "`POST /Groups`, `PATCH` to add and to remove the person, `GET /Groups` by member",
            test_group
        ),
    },
    Check {
        id: "test-group-removed",
        good: "204, then 404",
        remedy: "Delete the group by hand in the account",
        when: When::DeepEnd,
        after: &["lookup"],
        work: step!("`DELETE` of the test group, `GET`", test_group_removed),
    },
    Check {
        id: "test-user-removed",
        good: "204; the person is not active any more",
        remedy: "Suspend the person by hand in the account; scim-bridge guard status tells whether \
                 the guard holds removals back",
        when: When::DeepEnd,
        after: &["lookup"],
        work: step!("`DELETE` of the test person, `GET`", test_user_removed),
    },
    Check {
        id: "credentials",
        good: "they open, and the account lets the bridge in; with op its version and what the \
               bridge's user may do",
        remedy: "See what scim-bridge credentials check says",
        when: When::AtHand,
        after: &[],
        work: Work::Credentials,
    },
];

impl Check {
    /// What is sent, in words or as a request.
    fn sends(&self) -> String {
        match &self.work {
            Work::Read(path, _) => format!("`GET {}`", path.replace("{nobody}", "…")),
            Work::ReadPacked(path, _) => format!("`GET {path}` with `Accept-Encoding: gzip`"),
            Work::Other(what, _) => (*what).to_owned(),
            Work::Credentials => "a sign-in, as `scim-bridge credentials check`".to_owned(),
        }
    }
}

/// The checks, for the help text.
pub fn list() -> String {
    let width = CHECKS.iter().map(|check| check.id.len()).max().unwrap_or(0);
    let mut list = String::new();
    for check in CHECKS {
        let (id, good, sends) = (check.id, check.good, check.sends());
        // Writing to a string cannot fail.
        let _ = writeln!(
            list,
            "  {id:width$}  {good}\n  {:width$}    sends {sends}",
            ""
        );
    }
    list
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{collections::HashSet, path::Path};

    use super::*;

    /// Where the table is kept, and how it is written anew.
    const FILE: &str = "docs/doctor.md";
    const UPDATE: &str = "UPDATE_DOCTOR";

    /// The document, with what people wrote at its beginning.
    fn document(current: &str) -> String {
        let head = current.split("\n## ").next().unwrap();
        let mut text = head.to_owned();
        for (title, part) in [
            (
                "At every visit",
                &(|when| when == When::Always) as &dyn Fn(When) -> bool,
            ),
            ("What providers do when they connect", &|when| {
                matches!(when, When::For(_))
            }),
            ("With `--deep EMAIL`", &|when| {
                [When::Deep, When::DeepEnd].contains(&when)
            }),
            ("With a scimsession at hand", &|when| when == When::AtHand),
        ] {
            write!(text, "\n## {title}\n\n").unwrap();
            text += "| check | what is sent | good | if not |\n| --- | --- | --- | --- |\n";
            for check in CHECKS.iter().filter(|check| part(check.when)) {
                let (id, good, remedy) = (check.id, check.good, check.remedy);
                writeln!(text, "| `{id}` | {} | {good} | {remedy} |", check.sends()).unwrap();
            }
        }
        text
    }

    #[test]
    fn the_document_lists_the_checks() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
        let current = std::fs::read_to_string(&path).unwrap();
        let right = document(&current);
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, &right).unwrap();
        } else {
            assert_eq!(current, right, "run it again with {UPDATE}=1");
        }
    }

    #[test]
    fn a_check_waits_only_for_one_that_comes_before() {
        let mut before = HashSet::new();
        for check in CHECKS {
            assert!(
                check.after.iter().all(|id| before.contains(id)),
                "{}",
                check.id
            );
            assert!(before.insert(check.id), "{} is there twice", check.id);
        }
    }
}
