//! What a person does next, after `scim-bridge dev` has started: lines to paste.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::Path,
};

use zeroize::Zeroizing;

/// Everything the lines need to work when pasted.
pub struct Instructions<'a> {
    pub bridge: SocketAddr,
    pub account: SocketAddr,
    pub dir: &'a Path,
    pub token: Zeroizing<String>,
    /// Seconds between sign-up and confirmation.
    pub delay: i64,
    /// Seconds between two sweeps.
    pub interval: u64,
}

impl Instructions<'_> {
    /// Prints them to standard output.
    pub fn print(&self) -> io::Result<()> {
        let Self {
            bridge,
            account,
            delay,
            interval,
            ..
        } = self;
        let token = self.token.as_str();
        let dir = quoted(&self.dir.display().to_string());
        let program = quoted(&program());
        let id = r#"sed 's/.*"id":"\([^"]*\)".*/\1/'"#;
        let patch = r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":"#;
        let mut out = io::stdout().lock();
        write!(
            out,
            r#"
scim-bridge is running, with a demo account on this machine.

  Tenant URL     http://{bridge}/scim/v2
  Secret token   {token}
                 (also in {dir}/bearer-token)
  Mailbox        http://{account}/sandbox/
                 (invitations arrive here; newcomers can sign up in the browser)

Paste this into another terminal, in the same directory:

  TOKEN=$(cat {dir}/bearer-token); SCIM=http://{bridge}/scim/v2
  scim() {{ curl -sS -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/scim+json' "$@"; echo; }}

  # 1. What a provider sends: create Ann and the group Finance, put Ann in it
  ANN=$(scim $SCIM/Users -d '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann@example.com","displayName":"Ann Example","active":true}}' | {id}); echo "Ann is $ANN"
  FINANCE=$(scim $SCIM/Groups -d '{{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Finance"}}' | {id}); echo "Finance is $FINANCE"
  scim -X PATCH $SCIM/Groups/$FINANCE -d '{patch}[{{"op":"add","path":"members","value":[{{"value":"'$ANN'"}}]}}]}}'
  scim $SCIM/Groups/$FINANCE

  # 2. What Ann does: accept the invitation
  {program} sandbox sign-up ann@example.com --dir {dir}

  # 3. Nothing to do: the bridge confirms her {delay} seconds after it saw her sign-up
  #    (it looks every {interval} seconds). Then Finance's key opens for her:
  {program} sandbox sign-in ann@example.com --dir {dir}

  # 4. She leaves: suspended, her sign-in is refused. She comes back:
  scim -X PATCH $SCIM/Users/$ANN -d '{patch}[{{"op":"replace","path":"active","value":false}}]}}'
  {program} sandbox sign-in ann@example.com --dir {dir}
  scim -X PATCH $SCIM/Users/$ANN -d '{patch}[{{"op":"replace","path":"active","value":true}}]}}'
  {program} sandbox sign-in ann@example.com --dir {dir}

Stop with Ctrl-C. Started again, it goes on with the same account.

"#
        )?;
        out.flush()
    }
}

/// How this program was called, for lines that call it again.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| "scim-bridge".into());
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        // With a slash, or a shell would look for it in PATH.
        Ok(relative) => format!("./{}", relative.display()),
        Err(_) => path.display().to_string(),
    }
}

/// A path as one word for a shell.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    match path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}
