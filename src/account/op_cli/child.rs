//! Running `op` once: what it is given, what it may take, and what it leaves.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::Command,
    sync::Semaphore,
};
use zeroize::Zeroizing;

use crate::{
    account::{Error, Result},
    metrics::AccountCalls,
};

/// How long one command may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How long a command that has ended may keep its output open: whoever it left behind may hold it.
const AFTERMATH: Duration = Duration::from_millis(300);
/// How many commands run at the same time.
pub(super) const CHILDREN: usize = 8;
/// The longest answer that is read: the list of some hundred thousand people.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// The longest complaint that is read; the rest is nothing to an administrator.
const LONGEST_COMPLAINT: usize = 64 * 1024;

/// Where `op` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(PathBuf);

impl Program {
    /// The program with this path, or of this name on `PATH`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        // It runs in a directory of its own.
        match path.components().count() > 1 {
            true => Self(std::path::absolute(&path).unwrap_or(path)),
            false => Self(path),
        }
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::new("op")
    }
}

/// One command with its arguments. Values stand behind `=` or behind `--`, so that none can be
/// taken for a flag.
pub(super) struct Order {
    name: &'static str,
    flags: Vec<String>,
    object: Option<String>,
}

impl Order {
    /// A command, such as `user get`.
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            flags: Vec::new(),
            object: None,
        }
    }

    /// With a flag that is on.
    pub(super) fn set(mut self, flag: &str) -> Self {
        self.flags.push(format!("--{flag}"));
        self
    }

    /// With a flag that has a value.
    pub(super) fn with(mut self, flag: &str, value: &str) -> Self {
        self.flags.push(format!("--{flag}={value}"));
        self
    }

    /// About one person or group.
    pub(super) fn about(mut self, object: &str) -> Self {
        self.object = Some(object.to_owned());
        self
    }

    /// Answered in JSON.
    pub(super) fn in_json(self) -> Self {
        self.with("format", "json")
    }

    /// The command without arguments.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// What it asks a list or a group for may be answered again with what it was answered with; a
    /// person is always looked at.
    pub(super) fn is_for_a_list(&self) -> bool {
        self.name.ends_with(" list") || self.name == "group get"
    }

    /// Whether it only looks.
    pub(super) fn only_looks(&self) -> bool {
        self.is_for_a_list() || self.name.ends_with(" get")
    }

    /// The texts that came from outside and may be echoed.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        let of_flags = self.flags.iter().filter_map(|flag| flag.split_once('='));
        let of_flags = of_flags.map(|(_, value)| value);
        of_flags.chain(self.object.as_deref())
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        let mut all: Vec<String> = self.name.split(' ').map(str::to_owned).collect();
        all.extend(self.flags.iter().cloned());
        if let Some(object) = &self.object {
            all.extend(["--".to_owned(), object.clone()]);
        }
        all
    }
}

/// What a command is given beside its arguments.
pub(super) struct Setting<'a> {
    /// The private directory in which it may write.
    pub(super) home: &'a Path,
    /// The device that it is.
    pub(super) device: &'a str,
    /// A secret in its environment, under this name.
    pub(super) secret: Option<(&'a str, &'a str)>,
    /// A line for its standard input.
    pub(super) input: Option<&'a str>,
}

/// Why a command brought nothing.
pub(super) enum Trouble {
    /// What it said about that. May name whatever it was given.
    Said(String),
    /// It did not come to an end that it chose.
    Failed(Error),
}

/// Runs commands, not too many at a time.
pub(super) struct Runner {
    program: Program,
    places: Semaphore,
}

impl Runner {
    pub(super) fn new(program: Program) -> Self {
        Self {
            program,
            places: Semaphore::new(CHILDREN),
        }
    }

    /// Runs one command and returns what it prints. Whoever does not wait for the end ends it.
    pub(super) async fn run(
        &self,
        order: &Order,
        setting: &Setting<'_>,
    ) -> std::result::Result<Zeroizing<String>, Trouble> {
        // Is never closed.
        let _place = self.places.acquire().await;
        AccountCalls::add_one();
        let ended = tokio::time::timeout(LIMIT, self.finish(order, setting)).await;
        let ended = ended.unwrap_or_else(|_| {
            Err(unavailable(format!(
                "op {} took longer than {} s",
                order.name,
                LIMIT.as_secs()
            )))
        });
        let (success, answer, complaint) = ended.map_err(Trouble::Failed)?;
        // Before version 2.32.1 it said yes to errors of the server that it did not know.
        match error_in(&complaint) {
            Some(error) => Err(Trouble::Said(error.to_owned())),
            None if success => Ok(answer),
            None => Err(Trouble::Said(last_line(&complaint).to_owned())),
        }
    }

    async fn finish(
        &self,
        order: &Order,
        setting: &Setting<'_>,
    ) -> Result<(bool, Zeroizing<String>, Zeroizing<String>)> {
        let mut child = self.command(order, setting).spawn().map_err(|error| {
            unavailable(match error.kind() {
                io::ErrorKind::NotFound if !setting.home.exists() => {
                    "the private directory of op is gone".to_owned()
                }
                io::ErrorKind::NotFound => format!(
                    "there is no program {}: install 1Password's command line, or say with \
                     SCIM_BRIDGE_OP where it is",
                    self.program.0.display()
                ),
                _ => format!("op cannot be started: {error}"),
            })
        })?;
        let (input, answer, complaint) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut answer_text, mut complaint_text) = (text(), text());
        let feed = async {
            if let (Some(mut pipe), Some(line)) = (input, setting.input) {
                let line = Zeroizing::new(format!("{line}\n"));
                // Who does not read it says why.
                let _ = pipe.write_all(line.as_bytes()).await;
            }
            Ok(())
        };
        let talk = async {
            tokio::try_join!(
                feed,
                read(answer, &mut answer_text, LONGEST_ANSWER, TooLong::Fails),
                read(
                    complaint,
                    &mut complaint_text,
                    LONGEST_COMPLAINT,
                    TooLong::IsCut
                ),
            )
        };
        let status = {
            let mut talk = pin!(talk);
            tokio::select! {
                biased;
                talked = &mut talk => {
                    talked?;
                    child.wait().await
                }
                status = child.wait() => {
                    // What it wrote is there by now.
                    if let Ok(talked) = tokio::time::timeout(AFTERMATH, talk).await {
                        talked?;
                    }
                    status
                }
            }
        };
        let status = status.map_err(|error| unavailable(format!("op was lost: {error}")))?;
        if status.code().is_none() {
            return Err(unavailable(format!(
                "op {} was cut off: {status}",
                order.name
            )));
        }
        let plain = |text: &[u8]| Zeroizing::new(String::from_utf8_lossy(text).into_owned());
        Ok((
            status.success(),
            plain(&answer_text),
            plain(&complaint_text),
        ))
    }

    /// The process: nothing of our own environment but the path, nothing outside the private
    /// directory.
    fn command(&self, order: &Order, setting: &Setting<'_>) -> Command {
        let mut command = Command::new(&self.program.0);
        command
            .args(order.arguments())
            .current_dir(setting.home)
            .env_clear()
            .env("OP_BIOMETRIC_UNLOCK_ENABLED", "false")
            .env("OP_CACHE", "false")
            .env("OP_CONFIG_DIR", setting.home)
            .env("OP_DEVICE", setting.device)
            .stdin(match setting.input {
                Some(_) => Stdio::piped(),
                None => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // What is sent to the bridge and all its children means the bridge, which may want to
        // finish what it is at.
        #[cfg(unix)]
        command.process_group(0);
        for name in [
            "HOME",
            "TMPDIR",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_RUNTIME_DIR",
        ] {
            command.env(name, setting.home);
        }
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some((name, value)) = setting.secret {
            command.env(name, value);
        }
        command
    }
}

/// What becomes of a stream that is longer than it may be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TooLong {
    Fails,
    IsCut,
}

/// Room for an answer: a session token never moves in it.
fn text() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(8 * 1024))
}

async fn read(
    pipe: Option<impl AsyncRead + Unpin>,
    text: &mut Vec<u8>,
    longest: usize,
    too_long: TooLong,
) -> Result<()> {
    let Some(mut pipe) = pipe else {
        return Ok(());
    };
    let mut piece = Zeroizing::new([0; 8 * 1024]);
    loop {
        let read = pipe.read(&mut piece[..]).await;
        let read = read.map_err(|error| unavailable(format!("op was lost: {error}")))?;
        if read == 0 {
            return Ok(());
        }
        if text.len() + read <= longest {
            text.extend_from_slice(&piece[..read]);
        } else if too_long == TooLong::Fails {
            return Err(unavailable(format!("op printed more than {longest} bytes")));
        }
    }
}

fn unavailable(reason: String) -> Error {
    Error::Unavailable { reason }
}

/// The last line that says that it is an error. Warnings stand there too.
fn error_in(complaint: &str) -> Option<&str> {
    let marked = |line: &&str| line.starts_with("[ERROR]") || line.starts_with("(ERROR)");
    complaint.lines().map(str::trim).rev().find(marked)
}

fn last_line(complaint: &str) -> &str {
    let lines = complaint.lines().map(str::trim);
    let said = |line: &&str| !line.is_empty() && !line.starts_with("[WARN");
    lines.rev().find(said).unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_be_taken_for_a_flag() {
        let order = Order::new("user edit")
            .with("name", "--all")
            .set("me")
            .about("--help")
            .in_json();
        assert_eq!(
            order.arguments(),
            [
                "user",
                "edit",
                "--name=--all",
                "--me",
                "--format=json",
                "--",
                "--help"
            ]
        );
    }

    #[test]
    fn a_path_is_meant_from_where_we_are() {
        assert_eq!(Program::default().0, Path::new("op"));
        for path in ["./op", "bin/op", "/bin/op"] {
            assert!(Program::new(path).0.is_absolute(), "{path}");
        }
    }

    #[test]
    fn errors_are_found_among_warnings() {
        let complaint = "[WARN] old\n[ERROR] 2026/01/02 03:04:05 no\n[WARNING] still old\n";
        assert_eq!(error_in(complaint), Some("[ERROR] 2026/01/02 03:04:05 no"));
        assert_eq!(error_in("[WARN] old\n"), None);
        assert_eq!(last_line("what\n[WARN] old\n\n"), "what");
        assert_eq!(last_line(""), "it said nothing");
    }
}
