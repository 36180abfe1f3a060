//! Files that hold secrets: readable by their owner only, from the moment they exist.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

pub use crate::private_file::write as write_private;
use crate::sandbox::person::Kit;

/// Where a demo account's directory keeps what.
pub struct Layout<'a>(pub &'a Path);

impl Layout<'_> {
    /// The account server's database.
    pub fn account(&self) -> PathBuf {
        self.0.join("account.db")
    }

    /// The sealed credentials.
    pub fn scimsession(&self) -> PathBuf {
        self.0.join("scimsession")
    }

    /// The provider's token.
    pub fn bearer_token(&self) -> PathBuf {
        self.0.join("bearer-token")
    }

    /// The sweep's key.
    pub fn sweep_key(&self) -> PathBuf {
        self.0.join("sweep-key")
    }

    /// The bridge's state store.
    pub fn state(&self) -> PathBuf {
        self.0.join("state.db")
    }

    /// Keeps what a person needs to sign in, and tells where.
    pub fn keep_kit(&self, kit: &Kit) -> io::Result<PathBuf> {
        make_private_dir(&self.0.join("people"))?;
        let path = self.kit(&kit.email);
        let json = Zeroizing::new(serde_json::to_string_pretty(kit)?);
        write_private(&path, &json)?;
        Ok(path)
    }

    /// What a person who signed up needs to sign in.
    pub fn kit(&self, email: &str) -> PathBuf {
        // Nothing of an address can lead out of the directory.
        let name: String = email
            .to_lowercase()
            .chars()
            .map(|c| match c {
                'a'..='z' | '0'..='9' | '@' | '.' | '-' | '_' | '+' => c,
                _ => '_',
            })
            .collect();
        self.0.join("people").join(format!("{name}.json"))
    }
}

/// Makes a directory for secrets, if there is none.
pub fn make_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A password of 100 random bits, for people who do not care to choose one.
pub fn password() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0u8; 13]);
    getrandom::fill(bytes.as_mut()).map_err(io::Error::other)?;
    let mut text = Zeroizing::new(BASE32_NOPAD.encode(bytes.as_ref()).to_lowercase());
    text.truncate(20);
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_kit_stays_in_its_directory() {
        let layout = Layout(Path::new("d"));
        assert_eq!(
            layout.kit("Ann@X.example"),
            Path::new("d/people/ann@x.example.json")
        );
        assert_eq!(
            layout.kit("../../é@x"),
            Path::new("d/people/.._.._é@x.json".replace('é', "_").as_str())
        );
    }

    #[cfg(unix)]
    #[test]
    fn secrets_are_for_their_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        make_private_dir(&inner).unwrap();
        let path = inner.join("secret");
        write_private(&path, "one").unwrap();
        write_private(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&inner)), (0o600, 0o700));
        assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    }
}
