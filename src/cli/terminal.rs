//! What the commands ask, and what they show: questions and progress on the terminal, results on
//! standard output.

use std::io::{self, BufRead, IsTerminal, Write};

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Failure, Status, environment};

/// How results are shown.
#[derive(clap::Args, Clone, Copy)]
pub struct Output {
    /// Print one JSON object, for scripts.
    #[arg(long)]
    json: bool,
}

impl Output {
    /// Whether it is for a script.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints a result, as JSON or as text.
    pub fn show(self, value: &Value, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self.json {
            true => writeln!(out, "{value:#}"),
            false => writeln!(out, "{}", text.trim_end()),
        }
    }

    /// Prints a result and, between two texts, the secret that was made: straight to standard
    /// output, without a copy of it in between.
    pub fn show_secret(
        self,
        value: &Value,
        before: &str,
        token: &str,
        after: &str,
    ) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &WithToken { value, token })?;
            return writeln!(out);
        }
        writeln!(out, "{before}\n\n  {token}\n\n{}", after.trim_end())
    }
}

/// A result with the secret that was made.
#[derive(Serialize)]
struct WithToken<'a> {
    #[serde(flatten)]
    value: &'a Value,
    token: &'a str,
}

/// What others wrote, without what a terminal would obey.
pub fn plain(text: &str) -> String {
    let shown = |letter: char| match letter.is_control() {
        true => char::REPLACEMENT_CHARACTER,
        false => letter,
    };
    text.chars().map(shown).collect()
}

/// Says on standard error what is being done.
#[allow(clippy::print_stderr)]
pub fn progress(step: &str) {
    eprintln!("… {step}");
}

/// Asks for something that may be seen.
pub fn ask(question: &str, flag: &str) -> Result<String, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure {
            status: Status::Usage,
            reason: format!("{flag} is needed where there is no terminal to ask on"),
        });
    }
    let mut shown = io::stderr().lock();
    write!(shown, "{question}: ")?;
    shown.flush()?;
    Ok(line()?.trim().to_owned())
}

/// A secret: from the environment, without echo from the terminal, or as the next line of standard
/// input. Never from an argument, which other users of the machine can read.
pub fn secret(variable: &str, question: &str) -> Result<Zeroizing<String>, Failure> {
    if let Some(given) = environment(variable) {
        return Ok(Zeroizing::new(given));
    }
    let typed = match io::stdin().is_terminal() {
        true => Zeroizing::new(rpassword::prompt_password(format!("{question}: "))?),
        false => line()?,
    };
    if typed.trim().is_empty() {
        return Err(Failure {
            status: Status::Usage,
            reason: format!(
                "{question}: nothing was given; type it, send it as a line of standard input, or \
                 set {variable}"
            ),
        });
    }
    Ok(typed)
}

fn line() -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(1024));
    io::stdin().lock().read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}
