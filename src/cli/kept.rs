//! The scimsession in its place, and a secret that opens it: what the commands about tokens and
//! credentials work on.

use std::path::Path;

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{Failure, SECRET_PREFIXES, Status, environment, stores, terminal};
use crate::{
    credentials::{
        self, BearerToken, Credentials, Opener, Recipient, ScimSession, Secret, Source, Stores,
        SweepKey, SweepKeySource,
    },
    private_file,
};

/// Where the scimsession is.
#[derive(clap::Args)]
pub struct Place {
    /// The scimsession: a path, an ARN of Secrets Manager, or the URL of a Key Vault secret
    /// [SCIM_BRIDGE_SCIMSESSION, or .local/scimsession].
    #[arg(long, value_name = "PLACE")]
    scimsession: Option<Source>,
}

impl Place {
    /// This place, whatever the environment says.
    pub fn at(source: Source) -> Self {
        Self {
            scimsession: Some(source),
        }
    }

    /// Whether somebody named it, and it is not only the usual one.
    pub fn is_given(&self) -> bool {
        self.scimsession.is_some() || environment("SCIM_BRIDGE_SCIMSESSION").is_some()
    }

    fn source(&self) -> Result<Source, Failure> {
        if let Some(given) = &self.scimsession {
            return Ok(given.clone());
        }
        match environment("SCIM_BRIDGE_SCIMSESSION") {
            Some(text) => Ok(text.parse()?),
            None => Ok(Source::File(".local/scimsession".into())),
        }
    }
}

/// A scimsession as it was read.
pub struct Kept {
    /// Keeps other commands on the same file waiting.
    _lock: Option<std::fs::File>,
    stores: Stores,
    /// Where it was read.
    pub source: Source,
    /// The place's name for the version.
    pub version: String,
    /// The file.
    pub file: ScimSession,
}

impl Kept {
    /// Reads it.
    pub async fn read(place: &Place) -> Result<Self, Failure> {
        let stores = stores()?;
        let source = place.source()?;
        let stored = stores.read(&source).await?;
        Ok(Self {
            _lock: None,
            file: ScimSession::read(&stored.text)?,
            version: stored.version,
            stores,
            source,
        })
    }

    /// Reads it to change it: of commands that change the same file one waits for the other.
    /// Stores in a cloud have no such lock; there [`replace`](Self::replace) notices most of it.
    pub async fn read_to_change(place: &Place) -> Result<Self, Failure> {
        let source = place.source()?;
        let dir = match &source {
            Source::File(path) => path.parent().map(|dir| match dir.as_os_str().is_empty() {
                true => Path::new("."),
                false => dir,
            }),
            _ => None,
        };
        // A directory that is not there has no scimsession either: reading it says so.
        let lock = dir.and_then(|dir| private_file::lock_dir(dir).ok().flatten());
        Ok(Self {
            _lock: lock,
            ..Self::read(place).await?
        })
    }

    /// Writes a changed file to the same place, unless somebody else changed it meanwhile.
    pub async fn replace(&self, file: &ScimSession) -> Result<String, Failure> {
        let present = self.stores.read(&self.source).await?;
        if present.version != self.version {
            return Err(Failure {
                status: Status::Failed,
                reason: format!(
                    "{} was changed by somebody else in the meantime: nothing was done, try again",
                    self.source
                ),
            });
        }
        Ok(self.stores.write(&self.source, &file.to_json()?).await?)
    }

    /// A secret that opens the file: at hand, or asked for.
    pub async fn opener(&self) -> Result<Box<dyn Opener>, Failure> {
        if let Some(secret) = self.opener_at_hand().await? {
            return Ok(secret);
        }
        let asked = terminal::secret("SCIM_BRIDGE_TOKEN", "A bearer token or the sweep key")?;
        self.opener_of(&asked)
    }

    /// The secret with this text, if it opens the file.
    pub fn opener_of(&self, text: &str) -> Result<Box<dyn Opener>, Failure> {
        let secret = parse(text)?;
        self.check(&*secret)?;
        Ok(secret)
    }

    /// What is sealed in the file.
    pub fn credentials(&self, opener: &dyn Opener) -> Result<Credentials, Failure> {
        Ok(Credentials::open(
            &self.file,
            opener,
            OffsetDateTime::now_utc(),
        )?)
    }

    /// A secret from the environment that opens the file, or the file `sweep-key` beside it, if
    /// that still does.
    pub async fn opener_at_hand(&self) -> Result<Option<Box<dyn Opener>>, Failure> {
        let secret = |name| environment(name).map(Zeroizing::new);
        let given = if let Some(token) = secret("SCIM_BRIDGE_TOKEN") {
            parse(&token)?
        } else if let Some(key) = secret("SCIM_BRIDGE_SWEEP_KEY") {
            match key.parse()? {
                SweepKeySource::Given(key) => Box::new(key),
                SweepKeySource::Kept(source) => self.sweep_key(&source).await?,
            }
        } else {
            let Some(beside) = self.sweep_key_beside() else {
                return Ok(None);
            };
            let key = self.sweep_key(&beside).await?;
            return Ok(self.check(&*key).is_ok().then_some(key));
        };
        self.check(&*given)?;
        Ok(Some(given))
    }

    /// Whether this secret opens the file.
    fn check(&self, secret: &dyn Opener) -> Result<(), credentials::Error> {
        let recipient = self.file.recipient(secret, OffsetDateTime::now_utc())?;
        match recipient.access.opens_credentials() {
            true => Ok(()),
            false => Err(credentials::Error::OutOfScope),
        }
    }

    async fn sweep_key(&self, source: &Source) -> Result<Box<dyn Opener>, Failure> {
        let stored = self.stores.read(source).await?;
        Ok(Box::new(SweepKey::read(&stored.text)?))
    }

    /// The sweep key's file beside the scimsession's, if there is one.
    pub fn sweep_key_beside(&self) -> Option<Source> {
        let Source::File(path) = &self.source else {
            return None;
        };
        let beside = path.parent().unwrap_or(Path::new("")).join("sweep-key");
        beside.is_file().then_some(Source::File(beside))
    }

    /// The recipient that somebody means, among those in question: by its label, its key id, or
    /// the beginning of it.
    pub fn recipient(
        &self,
        name: &str,
        in_question: impl Fn(&Recipient) -> bool,
    ) -> Result<&Recipient, Failure> {
        if SECRET_PREFIXES.iter().any(|prefix| name.contains(prefix)) {
            return Err(Failure::usage(
                "that is the secret itself, which belongs in no argument: give its label, or the \
                 key id that scim-bridge token list shows",
            ));
        }
        let all = || self.file.recipients().iter().filter(|one| in_question(one));
        let mut found: Vec<_> = all().filter(|one| one.label == name).collect();
        if found.is_empty() {
            found = all()
                .filter(|one| name.len() >= 4 && one.key_id.starts_with(name))
                .collect();
        }
        match found[..] {
            [one] => Ok(one),
            [] => Err(Failure {
                status: Status::Missing,
                reason: format!("no recipient is called {name:?}: see scim-bridge token list"),
            }),
            _ => Err(Failure {
                status: Status::Usage,
                reason: format!(
                    "{name:?} means more than one recipient: give the key id that scim-bridge \
                     token list shows"
                ),
            }),
        }
    }
}

fn parse(text: &str) -> Result<Box<dyn Opener>, Failure> {
    match text.trim().starts_with(SweepKey::PREFIX) {
        true => Ok(Box::new(SweepKey::read(text)?)),
        false => Ok(Box::new(
            text.parse::<BearerToken>()
                .map_err(credentials::Error::from)?,
        )),
    }
}
