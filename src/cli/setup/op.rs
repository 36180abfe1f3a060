//! The set-up for an account at 1Password: no person and no group is made there, so there is
//! nothing that could be half done. The user that the bridge is signs in, and is looked at.

use serde_json::json;
use time::OffsetDateTime;

use super::{Instructions, NotSetUp, Setup, carried_over, install, other_account, present};
use crate::{
    cli::{Failure, client, files::Layout, sign_in::sign_in, terminal::progress},
    credentials::{Connector, Credentials, SweepKey},
    onepassword::{password_sign_in::SignIn, secret_key::SecretKey, sign_in_credentials::origin},
};

/// Makes the scimsession, or another in place of the one that is there.
pub async fn run(
    setup: &Setup,
    layout: &Layout<'_>,
    expires_at: Option<OffsetDateTime>,
) -> Result<(), Failure> {
    let other_flag = [
        ("--manager-email", setup.manager_email.is_some()),
        ("--remove", setup.remove.is_some()),
        (
            "--replace with an address",
            setup
                .replace
                .as_ref()
                .is_some_and(|email| !email.is_empty()),
        ),
    ];
    if let Some((flag, _)) = other_flag.iter().find(|(_, given)| *given) {
        return Err(Failure::usage(format!(
            "{flag} does not go with --connector op, which makes and removes nobody at 1Password: \
             the bridge's user is the one who signs in"
        )));
    }
    let login = setup
        .sign_in
        .login("the bridge's user at 1Password", None)?;
    let address = origin(&login.address);
    if layout.scimsession().exists() {
        let kept = present(layout).await?;
        if kept.file.sign_in_address() != address {
            return Err(other_account(layout, kept.file.sign_in_address()));
        }
    }
    SecretKey::parse(&login.secret_key).map_err(|_| NotSetUp::SecretKey)?;
    let sign_in_with = SignIn {
        address,
        email: login.email.trim().to_owned(),
        secret_key: login.secret_key,
        password: login.password,
    };
    let connector = Connector::OpCli(sign_in_with.clone());
    progress(&format!(
        "signing in at {} as {} with op, and looking at what that user may do",
        sign_in_with.address, sign_in_with.email
    ));
    let signed_in = sign_in(client()?, connector.into()).await?;
    let credentials = Credentials {
        connector: Connector::OpCli(sign_in_with.clone()),
        users_api: carried_over(layout).await?,
    };
    let token = install(
        setup,
        layout,
        &credentials,
        &SweepKey::generate()?,
        expires_at,
    )?;
    let mut value = json!({
        "account": signed_in.identity.account_name,
        "signInAddress": sign_in_with.address,
        "manager": sign_in_with.email,
        "scimsession": layout.scimsession().display().to_string(),
        "sweepKey": (!setup.strict).then(|| layout.sweep_key().display().to_string()),
    });
    signed_in.put_into(&mut value);
    let text = Instructions {
        setup,
        layout,
        account: &signed_in.identity.account_name,
        email: &sign_in_with.email,
        others: &[],
    };
    let before = format!("{}\n{}", signed_in.more().trim_start(), text.before());
    let after = format!(
        "{}\n\nWherever the bridge runs, op has to be: on PATH, or where SCIM_BRIDGE_OP says. Set \
         SCIM_BRIDGE_CONFIRMATION_INTERVAL=60 there: each sweep starts it. The scimsession holds \
         the account password: nobody should use that user by hand, and it should see no vault.",
        text.after()
    );
    Ok(setup
        .output
        .show_secret(&value, &before, &token.expose(), &after)?)
}
