//! The demo account: its server, and the directory that it lives in.

use std::net::{Ipv4Addr, SocketAddr};

use time::OffsetDateTime;
use tokio::net::TcpListener;

use super::{
    Failure,
    files::{self, Layout},
};
use crate::{
    credentials::{
        BearerToken, Connector, Credentials, Holder, NewRecipient, ScimSession, SweepKey,
    },
    onepassword::secret_text::SecretText,
    sandbox::{self, Login, NewAccount, NewPerson, Sandbox, person::Kit},
};

const PORT: u16 = 3003;

/// The account server of a directory, listening.
pub struct Account {
    sandbox: Sandbox,
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Account {
    /// Opens the account of this directory, and makes one if there is none: with a Provision
    /// Manager and what a bridge needs to be it, or with nobody but its owner.
    pub async fn open(
        layout: &Layout<'_>,
        port: Option<u16>,
        owner_only: bool,
    ) -> Result<Self, Failure> {
        files::make_private_dir(layout.0)?;
        let sandbox = Sandbox::open(&layout.account(), sandbox::Options::default())?;
        let address = address(layout, port)?;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::failed(format!(
                "the account server cannot listen on {address}: {error}; choose another port \
                 with --sandbox-port, in a new --dir"
            ))
        })?;
        if !sandbox.has_account()? {
            make(layout, &sandbox, format!("http://{address}"), owner_only).await?;
        }
        Ok(Self {
            sandbox,
            listener,
            address,
        })
    }

    /// Answers requests until the future is dropped.
    pub async fn serve(self) -> std::io::Result<()> {
        sandbox::serve(self.listener, self.sandbox).await
    }
}

/// Where the account server listens: for a new account where it was asked to, afterwards where
/// the credentials say that the account is.
fn address(layout: &Layout<'_>, port: Option<u16>) -> Result<SocketAddr, Failure> {
    let Ok(file) = std::fs::read_to_string(layout.scimsession()) else {
        return Ok((Ipv4Addr::LOCALHOST, port.unwrap_or(PORT)).into());
    };
    let file = ScimSession::parse(&file)?;
    let address = file.sign_in_address();
    let known: SocketAddr = address
        .strip_prefix("http://")
        .and_then(|address| address.parse().ok())
        .ok_or_else(|| Failure::failed(format!("{address} is not an account on this machine")))?;
    if port.is_some_and(|port| port != known.port()) {
        return Err(Failure::failed(format!(
            "the account in {} was made at {address}: leave the port out, or start with an empty \
             directory",
            layout.0.display()
        )));
    }
    Ok(known)
}

/// Makes the demo account, and writes what opens it.
async fn make(
    layout: &Layout<'_>,
    sandbox: &Sandbox,
    origin: String,
    owner_only: bool,
) -> Result<(), Failure> {
    let new = NewAccount {
        name: "Demo".to_owned(),
        domains: Vec::new(),
        owner: NewPerson {
            email: "owner@example.com".to_owned(),
            password: SecretText::new(files::password()?.to_string()),
        },
        sign_in_address: origin,
    };
    let keep = |owner: Login| {
        layout.keep_kit(&Kit {
            email: owner.email,
            secret_key: owner.secret_key,
            password: owner.password,
        })
    };
    let maker = sandbox.clone();
    if owner_only {
        keep(tokio::task::spawn_blocking(move || maker.create_account(&new)).await??)?;
        return Ok(());
    }
    let manager = NewPerson {
        email: "provision-manager@example.com".to_owned(),
        password: SecretText::new(files::password()?.to_string()),
    };
    let account =
        tokio::task::spawn_blocking(move || maker.create_demo_account(&new, &manager)).await??;
    let credentials = Credentials::from(Connector::Native(account.credentials));
    let now = OffsetDateTime::now_utc();
    let (token, key) = (BearerToken::generate()?, SweepKey::generate()?);
    let file = credentials.seal(
        &[
            NewRecipient::lasting(Holder::Provider(&token), "first token"),
            NewRecipient::lasting(Holder::Sweep(&key), "sweep"),
        ],
        now,
    )?;
    keep(account.owner)?;
    files::write_private(&layout.sweep_key(), &key.expose())?;
    files::write_private(&layout.bearer_token(), &token.expose())?;
    // Last: with it the directory is complete.
    files::write_private(&layout.scimsession(), &file.to_json()?)?;
    Ok(())
}
