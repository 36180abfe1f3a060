//! What an administrator sees at a glance, and tries with one press of a button. Each look costs a
//! number of requests that does not grow with the directory.

use std::time::{Duration as StdDuration, Instant};

use time::{Duration, OffsetDateTime};

use super::{Bridge, Context, Error, Mode, Place, Sweep, audit::Line};
use crate::{
    account::{self, MemberState, Page},
    scim::{list::ListQuery, schema::Kind, version::Conditions},
    state::{self, AuditEntry},
};

/// How far the audit is looked back into: the first of these whose lines can be read at once.
const LOOKS_BACK: [Duration; 3] = [Duration::DAY, Duration::HOUR, Duration::minutes(5)];

/// Nobody's name: what Entra ID asks for when it tests a connection.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// How many people the account has, guests not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct People {
    /// Who can sign in.
    pub active: u64,
    /// Who was invited and has not signed up.
    pub invited: u64,
    /// Who has signed up and is not confirmed.
    pub waiting: u64,
    /// Who cannot sign in.
    pub suspended: u64,
}

/// The audit's last lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// How far they go back.
    pub since: OffsetDateTime,
    /// In the order of time.
    pub lines: Vec<AuditEntry>,
    /// Whether there are later ones, too many to be read at once.
    pub cut: bool,
}

/// Something that was tried.
#[derive(Debug)]
pub struct Check {
    /// What, for people.
    pub what: &'static str,
    /// What was found, for people, or why it did not work.
    pub result: Result<String, Error>,
    /// How long it took.
    pub took: StdDuration,
}

impl Bridge {
    /// Whether it acts, or only observes.
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// How many people there are, at the cost of four requests to the account.
    ///
    /// # Errors
    /// If the account is out of reach.
    pub async fn count_people(&self) -> Result<People, account::Error> {
        use MemberState::{
            Active, Pending, RecoveryAccepted, RecoveryStarted, Suspended, TransferAccepted,
            TransferPending, TransferStarted, TransferSuspended,
        };
        let count = async |states: &[MemberState]| {
            let none = Page::first(0);
            Ok::<_, account::Error>(self.account.members(states, &none).await?.total)
        };
        // Who recovers their account belongs to it all the while.
        let (active, invited, waiting, suspended) = tokio::try_join!(
            count(&[Active, RecoveryStarted, RecoveryAccepted]),
            count(&[TransferStarted, TransferPending]),
            count(&[TransferAccepted, Pending]),
            count(&[Suspended, TransferSuspended]),
        )?;
        Ok(People {
            active,
            invited,
            waiting,
            suspended,
        })
    }

    /// The audit's lines of the last day or, where those are too many to be read at once, of the
    /// last hour or five minutes; at the cost of up to three reads.
    ///
    /// # Errors
    /// If the store is out of reach.
    pub async fn recent_audit(&self, now: OffsetDateTime) -> Result<Recent, state::Error> {
        let mut recent = Recent {
            since: now,
            lines: Vec::new(),
            cut: false,
        };
        for time in LOOKS_BACK {
            let since = now - time;
            let (lines, more) = self.audit_lines(since, None).await?;
            recent = Recent {
                since,
                lines,
                cut: more.is_some(),
            };
            if !recent.cut {
                break;
            }
        }
        Ok(recent)
    }

    /// Notes who wanted a sweep, and what came of it.
    pub async fn note_sweep(&self, sweep: &Sweep) {
        let Sweep {
            confirmed,
            waiting,
            held,
            failed,
            ..
        } = sweep;
        let detail =
            format!("{confirmed} confirmed, {waiting} waiting, {held} held, {failed} failed");
        self.done(Line {
            action: "sweep.run",
            target: "people",
            detail,
            changes: Vec::new(),
        })
        .await;
    }

    /// Tries what everything depends on, and what providers read when they are connected. Changes
    /// nothing.
    pub async fn self_test(&self) -> Vec<Check> {
        let account = check("1Password lets the bridge in", async {
            let identity = self.account.identity().await?;
            Ok(format!("signed in to {}", identity.account_name))
        });
        let store = check("The state store answers", async {
            self.store.guard().await?;
            Ok("read".to_owned())
        });
        let nobody = check(
            "Entra ID's Test Connection: a person who does not exist",
            async {
                let filter = format!("userName eq \"{NOBODY}\"");
                match self.count(Kind::User, &[("filter", &filter)]).await? {
                    0 => Ok("nobody found, as it should be".to_owned()),
                    some => Ok(format!("{some} found")),
                }
            },
        );
        let first = [("startIndex", "1"), ("count", "1")];
        let people = check("Okta's first read: a page of people", async {
            let all = self.count(Kind::User, &first).await?;
            Ok(format!("{all} people"))
        });
        let groups = check("Okta's second read: a page of managed groups", async {
            let all = self.count(Kind::Group, &first).await?;
            Ok(format!("{all} managed groups"))
        });
        let (account, store, nobody, people, groups) =
            tokio::join!(account, store, nobody, people, groups);
        vec![account, store, nobody, people, groups]
    }

    /// How many resources a provider finds that asks so.
    async fn count(&self, kind: Kind, asked: &[(&str, &str)]) -> Result<u64, Error> {
        let pairs: Vec<(String, String)> = asked
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let context = Context {
            base: String::new(),
            query: ListQuery::from_pairs(&pairs, 1)?,
            conditions: Conditions::from_headers(None, None),
        };
        let list = self.list(&[kind], Place::Index(1), &context).await?;
        Ok(list.total)
    }
}

async fn check(what: &'static str, attempt: impl Future<Output = Result<String, Error>>) -> Check {
    let begun = Instant::now();
    let result = attempt.await;
    Check {
        what,
        result,
        took: begun.elapsed(),
    }
}
