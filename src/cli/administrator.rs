//! An administrator's sign-in, for the commands that need one.

use super::{Failure, client, environment, terminal, terminal::progress};
use crate::{
    account::native::setup::{Administrator, Login},
    onepassword::secret_text::SecretText,
};

/// Who signs in, and where.
#[derive(clap::Args)]
pub struct SignIn {
    /// Sign-in address of the account, such as https://example.1password.com [SCIM_BRIDGE_ACCOUNT].
    #[arg(long)]
    address: Option<String>,
    /// E-mail address of an owner or administrator. Secret Key and password are asked for, or read
    /// from SCIM_BRIDGE_ADMIN_SECRET_KEY and SCIM_BRIDGE_ADMIN_PASSWORD, or from two lines of
    /// standard input [SCIM_BRIDGE_ADMIN_EMAIL].
    #[arg(long)]
    email: Option<String>,
}

impl SignIn {
    /// The address, if the command line gives one.
    pub fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// What somebody knows, such as an administrator; asks for what is neither given nor, of the
    /// address, known.
    pub fn login(&self, whose: &str, known_address: Option<&str>) -> Result<Login, Failure> {
        let given =
            |flag: &Option<String>, variable| flag.clone().or_else(|| environment(variable));
        let address = given(&self.address, "SCIM_BRIDGE_ACCOUNT");
        let address = match address.or_else(|| known_address.map(str::to_owned)) {
            Some(address) => address,
            None => terminal::ask("Sign-in address of the account", "--address")?,
        };
        let email = match given(&self.email, "SCIM_BRIDGE_ADMIN_EMAIL") {
            Some(email) => email,
            None => terminal::ask(&format!("E-mail address of {whose}"), "--email")?,
        };
        let secret = |variable, question| {
            terminal::secret(variable, question).map(|text| SecretText::new(text.to_string()))
        };
        Ok(Login {
            address,
            email,
            secret_key: secret("SCIM_BRIDGE_ADMIN_SECRET_KEY", "Secret Key (A3-…)")?,
            password: secret("SCIM_BRIDGE_ADMIN_PASSWORD", "Account password")?,
        })
    }
}

/// Who signs in where an administrator has to.
pub const ADMINISTRATOR: &str = "an administrator";

/// Signs in. Slow: derives keys.
pub async fn sign_in(login: &Login) -> Result<Administrator, Failure> {
    progress(&format!(
        "signing in at {} as {}",
        login.address, login.email
    ));
    Ok(Administrator::sign_in(client()?, login).await?)
}
