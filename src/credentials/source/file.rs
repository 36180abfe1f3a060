//! A file on this machine.

use std::{io, path::Path};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{Problem, Stored};
use crate::private_file;

pub(super) fn read(path: &Path) -> Result<Stored, Problem> {
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(
        |error| match error.kind() {
            io::ErrorKind::NotFound => {
                Problem::Missing("there is no such file: install it, or say where it is".to_owned())
            }
            _ => problem(&error),
        },
    )?);
    let version = version(&text);
    Ok(Stored { text, version })
}

pub(super) fn write(path: &Path, text: &str) -> Result<String, Problem> {
    private_file::write(path, text).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Problem::Missing("there is no such directory: make it first".to_owned())
        }
        _ => problem(&error),
    })?;
    Ok(version(text))
}

fn problem(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            Problem::Denied(error.to_string())
        }
        io::ErrorKind::InvalidData
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::InvalidFilename => Problem::Unusable(error.to_string()),
        _ => Problem::Unreachable(error.to_string()),
    }
}

/// A short digest: enough to see that the file is another, not enough to guess what is in it.
fn version(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("sha256:{}", HEXLOWER.encode(&digest[..6]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_every_content_has_its_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let first = write(&path, "one").unwrap_or_default();
        assert_eq!(first, "sha256:7692c3ad3540");
        let second = write(&path, "two").unwrap_or_default();
        assert_ne!(first, second);
        let stored = read(&path).ok().unwrap();
        assert_eq!((stored.text.as_str(), stored.version), ("two", second));
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("binary");
        std::fs::write(&binary, [0xff]).unwrap();
        let nowhere = dir.path().join("no/such");
        assert!(matches!(read(&nowhere), Err(Problem::Missing(_))));
        assert!(matches!(write(&nowhere, "x"), Err(Problem::Missing(_))));
        assert!(matches!(read(dir.path()), Err(Problem::Unusable(_))));
        assert!(matches!(read(&binary), Err(Problem::Unusable(_))));
    }
}
