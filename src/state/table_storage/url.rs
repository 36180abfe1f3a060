//! Where a table is, and who is asked for tokens for it.

use std::{fmt, str::FromStr};

use reqwest::Url;

use crate::azure_identity::{Audience, is_loopback, is_private};

/// What tokens for Table Storage are for, in all of Microsoft's clouds.
const RESOURCE: &str = "https://storage.azure.com";

/// The services that get our tokens, and who gives them.
const CLOUDS: [(&str, &str); 3] = [
    (
        "table.core.windows.net",
        "https://login.microsoftonline.com",
    ),
    (
        "table.core.usgovcloudapi.net",
        "https://login.microsoftonline.us",
    ),
    (
        "table.core.chinacloudapi.cn",
        "https://login.partner.microsoftonline.cn",
    ),
];

/// The service of accounts whose name ends in a DNS zone: `ACCOUNT.zNN.table.storage.azure.net`.
const ZONED: &str = "table.storage.azure.net";

/// The emulator's account.
pub(super) const EMULATED: &str = "devstoreaccount1";

/// The URL of a table of a storage account, or of the emulator's on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableUrl {
    /// Without an end slash, so that keys and `()` can be appended.
    url: Url,
    /// Who gives tokens for it.
    authority: Option<&'static str>,
}

/// Why a text is no table's URL. It is not repeated: it may hold a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "has to be the URL of a table of an Azure storage account, like \
     https://ACCOUNT.table.core.windows.net/TABLE, without anything after the table's name"
)]
pub struct NotATable;

impl FromStr for TableUrl {
    type Err = NotATable;

    fn from_str(text: &str) -> Result<Self, NotATable> {
        let url = Url::parse(text).map_err(|_| NotATable)?;
        let plain = is_private(&url)
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        let path: Vec<_> = url.path_segments().into_iter().flatten().collect();
        let authority = match *path.as_slice() {
            [EMULATED, table] if plain && is_table(table) && is_loopback(&url) => None,
            [table] if plain && is_table(table) => Some(authority(&url).ok_or(NotATable)?),
            _ => return Err(NotATable),
        };
        Ok(Self { url, authority })
    }
}

impl fmt::Display for TableUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl TableUrl {
    /// Whether the emulator's published key signs: it takes tokens only over TLS.
    pub(super) fn takes_published_key(&self) -> bool {
        self.authority.is_none() && self.url.scheme() == "http"
    }

    pub(super) fn audience(&self) -> Audience {
        Audience {
            resource: RESOURCE.to_owned(),
            authority: self.authority.and_then(|url| Url::parse(url).ok()),
        }
    }

    /// The URL of one entity. Neither key has a character that a URL or a quoted text escapes.
    pub(super) fn entity(&self, partition: &str, row: &str) -> Url {
        self.followed_by(&format!("(PartitionKey='{partition}',RowKey='{row}')"))
    }

    /// The URL of the table itself, to which new entities are posted.
    pub(super) fn table(&self) -> Url {
        self.url.clone()
    }

    /// The URL of all entities, to which a query is appended.
    pub(super) fn entities(&self) -> Url {
        self.followed_by("()")
    }

    /// Where transactions of the account's tables are sent.
    pub(super) fn batch(&self) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop().push("$batch");
        }
        url
    }

    fn followed_by(&self, end: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{end}", self.url.path()));
        url
    }
}

fn is_table(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Who gives tokens for an account at one of Microsoft's own hosts. No other host gets a token.
fn authority(url: &Url) -> Option<&'static str> {
    let (account, service) = url.host_str()?.split_once('.')?;
    let is_account = (3..=24).contains(&account.len())
        && (account.bytes()).all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if url.scheme() != "https" || url.port().is_some() || !is_account {
        return None;
    }
    let zone = service
        .strip_suffix(ZONED)
        .and_then(|zone| zone.strip_suffix('.'));
    let is_zone = |zone: &str| matches!(zone.as_bytes(), [b'z', tens, ones] if tens.is_ascii_digit() && ones.is_ascii_digit());
    if zone.is_some_and(is_zone) {
        return Some(CLOUDS[0].1);
    }
    let cloud = CLOUDS.iter().find(|(known, _)| *known == service);
    cloud.map(|(_, authority)| *authority)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_by_its_url() {
        for (text, authority) in [
            (
                "https://a1b.table.core.windows.net/Table1",
                Some("https://login.microsoftonline.com"),
            ),
            (
                "https://account.table.core.usgovcloudapi.net/abc",
                Some("https://login.microsoftonline.us"),
            ),
            (
                "https://account.table.core.chinacloudapi.cn/abc",
                Some("https://login.partner.microsoftonline.cn"),
            ),
            (
                "https://account.z01.table.storage.azure.net/abc",
                Some("https://login.microsoftonline.com"),
            ),
            ("http://127.0.0.1:10002/devstoreaccount1/abc", None),
            ("https://127.0.0.1:10002/devstoreaccount1/abc", None),
            ("http://localhost/devstoreaccount1/abc", None),
        ] {
            let table: TableUrl = text.parse().unwrap();
            assert_eq!(
                (table.to_string().as_str(), table.authority),
                (text, authority)
            );
            let key = table.authority.is_none() && text.starts_with("http:");
            assert_eq!(table.takes_published_key(), key, "{text}");
        }
    }

    #[test]
    fn no_other_host_gets_a_token() {
        let host = "account.table.core.windows.net";
        for text in [
            "https://account.table.core.windows.net",
            "https://account.table.core.windows.net/",
            "https://account.table.core.windows.net/ab",
            "https://account.table.core.windows.net/1abc",
            "https://account.table.core.windows.net/ab_c",
            "https://account.table.core.windows.net/abc/",
            "https://account.table.core.windows.net/abc/def",
            "https://account.table.core.windows.net/abc?sig=HUSHHUSH",
            "https://account.table.core.windows.net/abc?",
            "https://account.table.core.windows.net/abc#x",
            "https://HUSHHUSH@account.table.core.windows.net/abc",
            "https://x:HUSHHUSH@account.table.core.windows.net/abc",
            "https://account.table.core.windows.net:444/abc",
            "http://account.table.core.windows.net/abc",
            "https://ac.table.core.windows.net/abc",
            "https://a-b-c.table.core.windows.net/abc",
            "https://account.x.table.core.windows.net/abc",
            "https://account.z1.table.storage.azure.net/abc",
            "https://account.table.storage.azure.net/abc",
            "https://account.table.core.windows.net.evil.example/abc",
            "https://account.table.core.windows.net./abc",
            "https://evil.example/abc",
            "https://evil.example/devstoreaccount1/abc",
            "http://127.0.0.1:1/account/abc",
            "http://127.0.0.1:1/abc",
            "ftp://127.0.0.1/devstoreaccount1/abc",
            "https://",
            host,
        ] {
            assert_eq!(text.parse::<TableUrl>(), Err(NotATable), "{text}");
        }
        assert!(!NotATable.to_string().contains("HUSHHUSH"));
    }

    #[test]
    fn requests_have_their_own_urls() {
        let table: TableUrl = "http://127.0.0.1:9/devstoreaccount1/abc".parse().unwrap();
        let base = "http://127.0.0.1:9/devstoreaccount1";
        assert_eq!(table.batch().as_str(), format!("{base}/$batch"));
        assert_eq!(table.entities().as_str(), format!("{base}/abc()"));
        let entity = table.entity("people", "email:a@b_2f.c-d:~1");
        let expected = format!("{base}/abc(PartitionKey='people',RowKey='email:a@b_2f.c-d:~1')");
        assert_eq!(entity.as_str(), expected);
    }
}
