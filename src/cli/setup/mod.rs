//! `scim-bridge setup`: from an administrator's sign-in to credentials that a bridge can use.
//!
//! What is made before it is usable is kept in a directory `setup-unfinished`, so that a run that
//! stopped anywhere is finished by the next one. A set-up is unfinished as long as the note in that
//! directory is there: it is written when all that it speaks of is, and removed first.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{
    Failure, Status,
    administrator::{self, SignIn},
    client,
    files::{self, Layout},
    kept::{Kept, Place},
    sign_in::sign_in,
    terminal::{Output, progress},
    token::Expiry,
};
use crate::{
    account::{
        self, GroupId, KeyFingerprint, Member, MemberId,
        native::setup::{Administrator, Login, NewManager},
    },
    credentials::{
        BearerToken, Connector, Credentials, Holder, NewRecipient, ScimSession, Secret, Source,
        SweepKey,
    },
    onepassword::{
        identifier,
        sign_in_credentials::{SignInCredentials, origin},
        users_api::ClientCredentials,
    },
    private_file,
};

mod op;

pub use crate::account::native::setup::Error as NotSetUp;

/// For the help text.
pub const EXAMPLES: &str = "\
Examples:
  scim-bridge setup --address https://example.1password.com --email admin@example.com
  printf '%s\\n%s\\n' \"$SECRET_KEY\" \"$PASSWORD\" | scim-bridge setup --json \\
      --address https://example.1password.com --email admin@example.com --expires 365d
  scim-bridge setup --replace              # new credentials, the same groups
  scim-bridge setup --remove scim-bridge-abc123@example.com   # the old ones are gone
  scim-bridge setup --connector op --address example.1password.com --email bridge@example.com";

/// The name that people see in the account.
const NAME: &str = "SCIM bridge";

/// What is to speak to the account.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ConnectorKind {
    /// The bridge itself, to the account server that it brings along.
    Native,
    /// 1Password's command line `op`, to an account at 1Password.com, .ca or .eu. Who signs in is
    /// the user that the bridge is from then on; its password is sealed in the scimsession.
    Op,
}

#[derive(clap::Args)]
pub struct Setup {
    /// What is to speak to the account.
    #[arg(long, value_enum, default_value_t = ConnectorKind::Native)]
    connector: ConnectorKind,
    #[command(flatten)]
    sign_in: SignIn,
    /// E-mail address of the Provision Manager that is made; it gets no mail
    /// [default: scim-bridge-XXXXXX at the administrator's domain].
    #[arg(long)]
    manager_email: Option<String>,
    /// Directory for the scimsession and the sweep key.
    #[arg(long, default_value = ".local")]
    dir: PathBuf,
    /// What the first bearer token is called.
    #[arg(long, default_value = "first token")]
    label: String,
    /// When it ends: `90d`, `2027-01-31`, or `never`.
    #[arg(long, default_value = "never")]
    expires: Expiry,
    /// Make no sweep key: the bridge stays locked until the provider calls.
    #[arg(long)]
    strict: bool,
    /// Make new credentials beside those of a Provision Manager, and hand its groups over: of the
    /// one in the directory, or of the one with this address. It goes on working until --remove.
    #[arg(long, value_name = "EMAIL", num_args = 0..=1, default_missing_value = "")]
    replace: Option<String>,
    /// Remove a Provision Manager that was replaced; what it made since goes to the one in the
    /// directory.
    #[arg(long, value_name = "EMAIL", conflicts_with_all = ["replace", "strict", "manager_email"])]
    remove: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// What is known of a set-up that is under way.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    /// Origin of the account.
    address: String,
    /// Id of the Provision Manager whose groups are handed over.
    replaces: Option<String>,
    /// Fingerprint of the new one's public key, once it has keys.
    fingerprint: Option<String>,
    /// Whether the scimsession is written and its token was shown.
    shown: bool,
}

/// A set-up under way: a directory with a note, a draft of the scimsession, and the sweep key that
/// opens it.
struct Unfinished {
    dir: PathBuf,
    key: SweepKey,
    note: Note,
}

/// A Provision Manager that can sign in.
struct Manager {
    member: Member,
    credentials: SignInCredentials,
    /// Addresses of the others that there are.
    others: Vec<String>,
}

/// Does it all, or what is left of it.
pub async fn run(setup: Setup) -> Result<(), Failure> {
    let expires_at = setup.expires.at(OffsetDateTime::now_utc())?;
    let layout = Layout(&setup.dir);
    files::make_private_dir(layout.0)?;
    // Two set-ups at once would take each other's drafts.
    let _lock = private_file::lock_dir(layout.0)?;
    let dir = layout.0.join("setup-unfinished");
    let begun = Unfinished::find(&dir)?;
    let finished = begun.is_none() && layout.scimsession().exists();
    if finished && setup.replace.is_none() && setup.remove.is_none() {
        return already_done(&setup, &layout).await;
    }
    if setup.connector == ConnectorKind::Op {
        return match begun {
            Some(begun) => Err(other_account(&layout, &begun.note.address)),
            None => op::run(&setup, &layout, expires_at).await,
        };
    }
    let login = setup.sign_in.login(administrator::ADMINISTRATOR, None)?;
    let administrator = administrator::sign_in(&login).await?;
    let work = async {
        if let Some(email) = &setup.remove {
            return remove(&setup, &layout, &administrator, email).await;
        }
        let (mut unfinished, group) =
            begin(&setup, &layout, &administrator, &login, begun, &dir).await?;
        let manager = manager(&setup, &administrator, &group, &mut unfinished).await?;
        let users_api = carried_over(&layout).await?;
        finish(
            &setup,
            &layout,
            &administrator,
            unfinished,
            manager,
            users_api,
            expires_at,
        )
    };
    let result = work.await;
    administrator.sign_out().await;
    result
}

impl Unfinished {
    /// What an earlier run left.
    fn find(dir: &Path) -> Result<Option<Self>, Failure> {
        let Some(note) = read(&dir.join("note"))? else {
            // Without its note nothing in there is of use.
            return match fs::remove_dir_all(dir) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(about(dir, &error)),
                _ => Ok(None),
            };
        };
        let key = read(&dir.join("sweep-key"))?.unwrap_or_default();
        Ok(Some(Self {
            note: serde_json::from_str(&note)?,
            key: SweepKey::read(&key)?,
            dir: dir.to_owned(),
        }))
    }

    fn begin(dir: &Path, note: Note) -> Result<Self, Failure> {
        files::make_private_dir(dir)?;
        let new = Self {
            dir: dir.to_owned(),
            key: SweepKey::generate()?,
            note,
        };
        files::write_private(&dir.join("sweep-key"), &new.key.expose())?;
        new.keep_note()?;
        Ok(new)
    }

    fn keep_note(&self) -> Result<(), Failure> {
        let note = serde_json::to_string(&self.note)?;
        Ok(files::write_private(&self.dir.join("note"), &note)?)
    }

    /// The credentials that an earlier run made.
    fn credentials(&self) -> Result<Option<SignInCredentials>, Failure> {
        let Some(text) = read(&self.dir.join("scimsession"))? else {
            return Ok(None);
        };
        let file = ScimSession::read(&text)?;
        let credentials = Credentials::open(&file, &self.key, OffsetDateTime::now_utc())?;
        match credentials.connector {
            Connector::Native(native) => Ok(Some(native)),
            Connector::OpCli(_) => Err(Failure::failed(format!(
                "{} holds a draft that this set-up did not make: give another --dir",
                self.dir.display()
            ))),
        }
    }

    /// Keeps new credentials, before the account hears of them: a member whose keys are lost is
    /// of no use.
    fn keep(&mut self, new: &NewManager) -> Result<(), Failure> {
        let recipient = NewRecipient::lasting(Holder::Sweep(&self.key), "draft");
        let file = Credentials::from(Connector::Native(new.credentials.clone()))
            .seal(&[recipient], OffsetDateTime::now_utc())?;
        files::write_private(&self.dir.join("scimsession"), &file.to_json()?)?;
        self.note.fingerprint = Some(new.fingerprint().as_str().to_owned());
        self.keep_note()
    }

    fn end(self) -> Result<(), Failure> {
        let gone =
            |path: &Path, result: io::Result<()>| result.map_err(|error| about(path, &error));
        let note = self.dir.join("note");
        gone(&note, fs::remove_file(&note))?;
        gone(&self.dir, fs::remove_dir_all(&self.dir))
    }
}

/// Goes on where an earlier run stopped, or begins.
async fn begin(
    setup: &Setup,
    layout: &Layout<'_>,
    administrator: &Administrator,
    login: &Login,
    begun: Option<Unfinished>,
    dir: &Path,
) -> Result<(Unfinished, GroupId), Failure> {
    let address = origin(&login.address);
    let known = match &begun {
        Some(begun) => Some(begun.note.address.clone()),
        None => read(&layout.scimsession())?
            .map(|text| ScimSession::read(&text))
            .transpose()?
            .map(|file| file.sign_in_address().to_owned()),
    };
    if known.as_ref().is_some_and(|known| *known != address) {
        return Err(other_account(layout, known.as_deref().unwrap_or_default()));
    }
    progress("looking for the group Provision Managers, making it if there is none");
    let group = administrator.provision_managers().await?;
    // Before anything is made: who is to be replaced has to be there.
    let replaced = match setup.replace.as_deref() {
        None => None,
        Some("") if begun.is_some() => None,
        Some("") => Some(present_manager(layout).await?),
        Some(email) => Some(email.to_owned()),
    };
    let replaces = match replaced {
        None => None,
        Some(email) => Some(replaced_manager(administrator, &group, &email).await?.id),
    }
    .map(|id| id.to_string());
    let Some(mut begun) = begun else {
        let note = Note {
            address,
            replaces,
            fingerprint: None,
            shown: false,
        };
        return Ok((Unfinished::begin(dir, note)?, group));
    };
    progress("going on with a set-up that was not finished");
    if replaces.is_some() && replaces != begun.note.replaces {
        begun.note.replaces = replaces;
        begun.keep_note()?;
    }
    Ok((begun, group))
}

async fn replaced_manager(
    administrator: &Administrator,
    group: &GroupId,
    email: &str,
) -> Result<Member, Failure> {
    let found = administrator.manager_by_email(group, email).await?;
    found.ok_or_else(|| Failure {
        status: Status::Missing,
        reason: format!("the account has no Provision Manager {email}: nothing was done"),
    })
}

/// Makes the Provision Manager, or what is left to do for it.
async fn manager(
    setup: &Setup,
    administrator: &Administrator,
    group: &GroupId,
    unfinished: &mut Unfinished,
) -> Result<Manager, Failure> {
    let mut known = None;
    if let Some(credentials) = unfinished.credentials()? {
        let member = administrator
            .manager_by_email(group, &credentials.email)
            .await?;
        known = member.map(|member| (member, credentials));
    }
    let (member, credentials) = match known {
        Some(known) => known,
        None => {
            let email = match &setup.manager_email {
                Some(email) => email.clone(),
                None => default_email(administrator.email())?,
            };
            progress(&format!("making the keys of {email}"));
            let new = NewManager::generate(&unfinished.note.address, &email).await?;
            unfinished.keep(&new)?;
            let member = administrator.create_manager(&new, NAME, group).await?;
            (member, new.credentials)
        }
    };
    // Group keys are wrapped to this key: it has to be the one that was made here.
    let made = unfinished.note.fingerprint.as_deref();
    if member.key_fingerprint.as_ref().map(KeyFingerprint::as_str) != made {
        return Err(account::Error::KeyChanged.into());
    }
    progress(&format!("letting {} in", member.email));
    administrator.admit(&member, group).await?;
    if let Some(old) = &unfinished.note.replaces {
        progress("handing over the groups of the old Provision Manager");
        let old: MemberId = old.parse()?;
        administrator.hand_over(&old, &member.id).await?;
    }
    progress("signing in as the Provision Manager, as the bridge will");
    sign_in(client()?, Connector::Native(credentials.clone()).into()).await?;
    let others = administrator.managers(group).await?.into_iter();
    let others = others.filter(|one| one.id != member.id);
    Ok(Manager {
        others: others.map(|one| one.email).collect(),
        member,
        credentials,
    })
}

/// Writes the scimsession, shows the token, and forgets the draft.
fn finish(
    setup: &Setup,
    layout: &Layout<'_>,
    administrator: &Administrator,
    mut unfinished: Unfinished,
    manager: Manager,
    users_api: Option<ClientCredentials>,
    expires_at: Option<OffsetDateTime>,
) -> Result<(), Failure> {
    let mut value = json!({
        "account": administrator.account_name(),
        "signInAddress": unfinished.note.address,
        "manager": manager.member.email,
        "scimsession": layout.scimsession().display().to_string(),
        "sweepKey": (!setup.strict).then(|| layout.sweep_key().display().to_string()),
        "otherManagers": manager.others,
    });
    let text = Instructions {
        setup,
        layout,
        account: administrator.account_name(),
        email: &manager.member.email,
        others: &manager.others,
    };
    if unfinished.note.shown {
        value["token"] = Value::Null;
        setup.output.show(&value, &text.after())?;
        return unfinished.end();
    }
    let credentials = Credentials {
        connector: Connector::Native(manager.credentials.clone()),
        users_api,
    };
    let token = install(setup, layout, &credentials, &unfinished.key, expires_at)?;
    let output = setup.output;
    output.show_secret(&value, &text.before(), &token.expose(), &text.after())?;
    // Until here the next run makes another token, in case nobody saw this one.
    unfinished.note.shown = true;
    unfinished.keep_note()?;
    unfinished.end()
}

/// Writes the scimsession and, unless the mode is strict, the sweep key. The token that is returned
/// opens it.
fn install(
    setup: &Setup,
    layout: &Layout<'_>,
    credentials: &Credentials,
    key: &SweepKey,
    expires_at: Option<OffsetDateTime>,
) -> Result<BearerToken, Failure> {
    let token = BearerToken::generate()?;
    let mut recipients = vec![NewRecipient {
        holder: Holder::Provider(&token),
        label: &setup.label,
        expires_at,
    }];
    if !setup.strict {
        recipients.push(NewRecipient::lasting(Holder::Sweep(key), "sweep"));
    }
    let file = credentials.seal(&recipients, OffsetDateTime::now_utc())?;
    match setup.strict {
        true => remove_file(&layout.sweep_key())?,
        false => files::write_private(&layout.sweep_key(), &key.expose())?,
    }
    files::write_private(&layout.scimsession(), &file.to_json()?)?;
    Ok(token)
}

/// The credentials for the Users API in the scimsession that is about to be replaced, if there is
/// one and it can be opened.
async fn carried_over(layout: &Layout<'_>) -> Result<Option<ClientCredentials>, Failure> {
    if !layout.scimsession().exists() {
        return Ok(None);
    }
    let kept = present(layout).await?;
    let opener = kept.opener_at_hand().await.ok().flatten();
    let Some(credentials) = opener.and_then(|opener| kept.credentials(&*opener).ok()) else {
        progress(
            "nothing at hand opens the old scimsession: if there are credentials for the Users API \
             in it, they are not carried over; scim-bridge credentials users-api set",
        );
        return Ok(None);
    };
    if credentials.users_api.is_some() {
        progress("carrying the credentials for the Users API over");
    }
    Ok(credentials.users_api)
}

/// Removes a Provision Manager that was replaced.
async fn remove(
    setup: &Setup,
    layout: &Layout<'_>,
    administrator: &Administrator,
    email: &str,
) -> Result<(), Failure> {
    let group = administrator.provision_managers().await?;
    let current = present_manager(layout).await?;
    if current.eq_ignore_ascii_case(email) {
        return Err(Failure::usage(format!(
            "{email} is the Provision Manager of the credentials in {}: replace it first",
            layout.0.display()
        )));
    }
    let current = replaced_manager(administrator, &group, &current).await?;
    let old = replaced_manager(administrator, &group, email).await?;
    progress(&format!("removing {email}"));
    administrator.remove(&old.id, Some(&current.id)).await?;
    let value = json!({ "removed": old.email, "successor": current.email });
    let text = format!(
        "{} is removed; {} has its groups.",
        old.email, current.email
    );
    Ok(setup.output.show(&value, &text)?)
}

/// An address that nobody has, at a domain that the account takes.
fn default_email(administrator: &str) -> Result<String, Failure> {
    let domain = administrator
        .rsplit_once('@')
        .map_or("", |(_, domain)| domain);
    let random = identifier::lower()?;
    Ok(format!(
        "scim-bridge-{}@{domain}",
        random.get(..6).unwrap_or_default()
    ))
}

/// The scimsession in the directory.
async fn present(layout: &Layout<'_>) -> Result<Kept, Failure> {
    Kept::read(&Place::at(Source::File(layout.scimsession()))).await
}

/// The Provision Manager of the credentials in the directory.
async fn present_manager(layout: &Layout<'_>) -> Result<String, Failure> {
    let open = async {
        let kept = present(layout).await?;
        let opener = kept.opener().await?;
        Ok::<_, Failure>(kept.credentials(&*opener)?.email().to_owned())
    };
    open.await.map_err(|Failure { reason, status }| Failure {
        reason: format!(
            "{reason}; if nothing opens the old credentials any more, name the Provision Manager \
             to replace: --replace EMAIL"
        ),
        status,
    })
}

/// The set-up was finished before: says whether its result still works.
async fn already_done(setup: &Setup, layout: &Layout<'_>) -> Result<(), Failure> {
    let kept = present(layout).await?;
    let address = kept.file.sign_in_address();
    if setup
        .sign_in
        .address()
        .is_some_and(|given| origin(given) != address)
    {
        return Err(other_account(layout, address));
    }
    let mut value = json!({
        "signInAddress": address,
        "scimsession": layout.scimsession().display().to_string(),
        "token": null,
    });
    let more = "A further token: scim-bridge token add --label NAME. New credentials: scim-bridge \
                setup --replace.";
    let Some(opener) = kept.opener_at_hand().await? else {
        let text = format!(
            "The set-up for {address} is done. Whether it still works shows with a token: \
             SCIM_BRIDGE_TOKEN=… scim-bridge credentials check\n{more}"
        );
        return Ok(setup.output.show(&value, &text)?);
    };
    let credentials = kept.credentials(&*opener)?;
    if setup.connector == ConnectorKind::Op && !matches!(credentials.connector, Connector::OpCli(_))
    {
        return Err(other_account(layout, address));
    }
    let email = credentials.email().to_owned();
    progress(&format!("signing in as {email}"));
    match sign_in(client()?, credentials).await {
        Ok(signed_in) => {
            signed_in.put_into(&mut value);
            let text = format!(
                "The set-up is done: {} lets {email} in.\n{}{more}",
                signed_in.identity.account_name,
                signed_in.more(),
            );
            value["account"] = signed_in.identity.account_name.into();
            value["manager"] = email.into();
            Ok(setup.output.show(&value, &text)?)
        }
        Err(error @ account::Error::CredentialsRefused(_)) => Err(Failure {
            status: Status::Refused,
            reason: format!("{error}; new credentials are needed: run scim-bridge setup --replace"),
        }),
        Err(error) => Err(error.into()),
    }
}

fn other_account(layout: &Layout<'_>, address: &str) -> Failure {
    Failure::failed(format!(
        "{} belongs to a set-up for {address}: give another --dir",
        layout.0.display()
    ))
}

/// A file's text; `None` only if there is no such file.
fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(about(path, &error)),
    }
}

fn remove_file(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(about(path, &error)),
        _ => Ok(()),
    }
}

fn about(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}", path.display()))
}

/// What a person reads in the end.
struct Instructions<'a> {
    setup: &'a Setup,
    layout: &'a Layout<'a>,
    account: &'a str,
    /// As whom the bridge signs in.
    email: &'a str,
    /// Other Provision Managers of bridges.
    others: &'a [String],
}

impl Instructions<'_> {
    /// Above the token.
    fn before(&self) -> String {
        let key = match self.setup.strict {
            true => "none (strict mode)".to_owned(),
            false => self.layout.sweep_key().display().to_string(),
        };
        format!(
            "{} lets the bridge in as {}.\n\n  \
             sealed credentials  {}\n  \
             sweep key           {key}\n\n\
             The bearer token for the identity provider, shown this once:",
            self.account,
            self.email,
            self.layout.scimsession().display(),
        )
    }

    /// Below it.
    fn after(&self) -> String {
        let scimsession = self.layout.scimsession().display().to_string();
        let (key, push_key) = match self.setup.strict {
            true => (String::new(), ""),
            false => (
                format!(
                    " SCIM_BRIDGE_SWEEP_KEY={}",
                    self.layout.sweep_key().display()
                ),
                " --sweep-key-to PLACE",
            ),
        };
        let mut text = format!(
            "What to do next:\n  \
             here   SCIM_BRIDGE_SCIMSESSION={scimsession}{key} scim-bridge serve\n  \
             AWS    scim-bridge credentials push aws --scimsession {scimsession} --to ARN{push_key}\n  \
             Azure  scim-bridge credentials push azure --scimsession {scimsession} --to URL{push_key}\n\
             Then give the provider the bridge's URL and the token. Keep the token nowhere else: \
             the scimsession is useless without it, and it without the scimsession. A further \
             token: scim-bridge token add --label NAME --scimsession {scimsession}",
        );
        if !self.others.is_empty() {
            text += &format!(
                "\n\nThe account has other Provision Managers, which work as before: {}.\nOne that \
                 this replaces is removed, once no bridge uses it any more, with scim-bridge setup \
                 --remove EMAIL. Its tokens end with it.",
                self.others.join(", ")
            );
        }
        text
    }
}
