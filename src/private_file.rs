//! Files that only their owner may read.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use data_encoding::HEXLOWER;

/// Writes a file whole or not at all, replacing what was there; only its owner reads it, from the
/// moment it exists.
///
/// # Errors
/// What the system says.
pub fn write(path: &Path, content: &str) -> io::Result<()> {
    // A name of its own, so that writers do not meddle with each other's drafts.
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{}.new", HEXLOWER.encode(&random)));
    let written = write_new(draft.as_ref(), content).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // What matters is why it was not written.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_new(draft: &Path, content: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}

/// Waits until nobody else changes files in this directory, and holds the others off until the
/// lock is dropped. Where directories cannot be locked, nobody waits.
///
/// # Errors
/// What the system says if the directory cannot be opened.
#[cfg(feature = "local")]
pub fn lock_dir(dir: &Path) -> io::Result<Option<fs::File>> {
    if !cfg!(unix) {
        return Ok(None);
    }
    let lock = fs::File::open(dir)?;
    lock.lock()?;
    Ok(Some(lock))
}

/// Makes the file, if there is none, and lets only its owner read and write it; what is in it
/// stays. SQLite gives the files that it puts beside a database the database's mode.
///
/// # Errors
/// What the system says if the file cannot be made, or is somebody else's.
#[cfg(feature = "local")]
pub fn ensure(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    drop(file);
    Ok(())
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_written_is_for_its_owner_only_and_leaves_no_draft() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret.json");
        for content in ["one", "two"] {
            write(&path, content).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        }
    }

    #[cfg(feature = "local")]
    #[test]
    fn new_and_old_files_become_their_owners_only() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let new = dir.path().join("new");
        ensure(&new).unwrap();
        assert_eq!(mode(&new), 0o600);
        let old = dir.path().join("old");
        fs::write(&old, "kept").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).unwrap();
        ensure(&old).unwrap();
        assert_eq!(mode(&old), 0o600);
        assert_eq!(fs::read_to_string(&old).unwrap(), "kept");
    }
}
/// Whether a text can be the name of a file, and is not something that was mistaken for one: a URL,
/// a connection string, a signature, one of our own secrets. Names are shown in errors and in logs.
pub fn is_a_name(text: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "\"",
        "?",
        "@microsoft.",
        "accountkey=",
        "http:",
        "https:",
        "scimbridge_",
        "scimsweep_",
        "sig=",
    ];
    let text = text.to_lowercase();
    !OTHERS.iter().any(|other| text.contains(other))
}
