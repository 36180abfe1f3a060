//! What the command's complaints mean.
//!
//! `op` ends with 1 whatever is wrong; only its text tells. The texts are not specified and change
//! between versions, so the table has the words that stay.

use std::{iter, time::Duration};

use crate::account::{Error, MemberState};

/// When to come again if the account asks for a slower pace: it does not say.
const PAUSE: Duration = Duration::from_secs(60);
/// How much of a complaint that nobody knows is passed on.
const LONGEST: usize = 300;

/// What a complaint means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The session is over: sign in and repeat.
    SessionEnded,
    /// E-mail, password or Secret Key is wrong, or their owner is not let in.
    NotAuthenticated,
    /// A second factor is wanted.
    SecondFactor,
    /// The account asks for a slower pace.
    Busy,
    /// There is no such person.
    NoMember,
    /// There is no such group.
    NoGroup,
    /// Somebody or something has this address or name.
    Taken,
    /// The address is in a domain that is not invited.
    Domain,
    /// The person is an owner, or the bridge itself.
    Protected,
    /// The person's state does not allow it.
    State,
    /// A value is not taken.
    Value,
    /// The bridge lacks a right.
    NotPermitted,
    /// The program does not know the command.
    Version,
    /// The account is out of reach.
    OutOfReach,
}

/// Words of a complaint, in lower case, and what it means. The first that fits counts.
const WORDS: [(&str, Meaning); 66] = [
    ("not currently signed in", Meaning::SessionEnded),
    ("session expired", Meaning::SessionEnded),
    ("could not find session token", Meaning::SessionEnded),
    ("no active session found", Meaning::SessionEnded),
    ("account is not signed in", Meaning::SessionEnded),
    ("authentication required", Meaning::SessionEnded),
    ("invalid session", Meaning::SessionEnded),
    ("two-factor", Meaning::SecondFactor),
    ("multi-factor", Meaning::SecondFactor),
    ("authentication code", Meaning::SecondFactor),
    ("(429)", Meaning::Busy),
    ("too many requests", Meaning::Busy),
    ("rate limit", Meaning::Busy),
    ("isn't a user", Meaning::NoMember),
    ("is not a user", Meaning::NoMember),
    ("doesn't seem to be a user", Meaning::NoMember),
    ("no user found", Meaning::NoMember),
    ("could not find user", Meaning::NoMember),
    // Of a person who is taken out of a group in which they are not.
    ("doesn't have any permissions", Meaning::NoMember),
    ("isn't a member", Meaning::NoMember),
    ("isn't a group", Meaning::NoGroup),
    ("is not a group", Meaning::NoGroup),
    ("doesn't seem to be a group", Meaning::NoGroup),
    ("no group found", Meaning::NoGroup),
    ("could not find group", Meaning::NoGroup),
    ("domain is not allowed", Meaning::Domain),
    ("domain isn't allowed", Meaning::Domain),
    ("not an allowed domain", Meaning::Domain),
    ("already exists", Meaning::Taken),
    ("already been invited", Meaning::Taken),
    ("already in use", Meaning::Taken),
    ("already taken", Meaning::Taken),
    ("(409)", Meaning::Taken),
    ("last owner", Meaning::Protected),
    ("is an owner", Meaning::Protected),
    ("yourself", Meaning::Protected),
    ("isn't pending", Meaning::State),
    ("not pending", Meaning::State),
    ("awaiting confirmation", Meaning::State),
    ("already confirmed", Meaning::State),
    ("already suspended", Meaning::State),
    ("not suspended", Meaning::State),
    ("incorrect", Meaning::NotAuthenticated),
    ("invalid credentials", Meaning::NotAuthenticated),
    ("invalid secret key", Meaning::NotAuthenticated),
    ("(401)", Meaning::NotAuthenticated),
    ("unauthorized", Meaning::NotAuthenticated),
    ("unknown command", Meaning::Version),
    ("unknown flag", Meaning::Version),
    ("unknown shorthand", Meaning::Version),
    ("(403)", Meaning::NotPermitted),
    // Of files on this machine.
    ("permission denied", Meaning::OutOfReach),
    ("read-only file system", Meaning::OutOfReach),
    ("no space left", Meaning::OutOfReach),
    ("cannot allocate memory", Meaning::OutOfReach),
    ("permission", Meaning::NotPermitted),
    ("access denied", Meaning::NotPermitted),
    ("not authorized", Meaning::NotPermitted),
    ("(400)", Meaning::Value),
    ("(50", Meaning::OutOfReach),
    ("no such host", Meaning::OutOfReach),
    ("connection re", Meaning::OutOfReach),
    ("unreachable", Meaning::OutOfReach),
    ("timeout", Meaning::OutOfReach),
    ("deadline exceeded", Meaning::OutOfReach),
    ("dial tcp", Meaning::OutOfReach),
];

/// What a complaint about these values means; nothing if nobody has seen it before.
pub(super) fn meaning<'a>(
    complaint: &str,
    values: impl Iterator<Item = &'a str>,
) -> Option<Meaning> {
    let mut text = complaint.to_lowercase().replace('\u{2019}', "'");
    for value in values {
        text = without(&text, &value.to_lowercase());
    }
    let known = WORDS.iter().find(|(words, _)| text.contains(words));
    known.map(|(_, meaning)| *meaning)
}

/// The text without a value that it repeats: an address or a name may hold any of the words.
fn without(text: &str, value: &str) -> String {
    let is_outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let mut rest = text;
    let mut left = String::new();
    while !value.is_empty()
        && let Some(place) = rest.find(value)
    {
        let (before, behind) = (&rest[..place], &rest[place + value.len()..]);
        let whole = is_outside(before.chars().next_back()) && is_outside(behind.chars().next());
        left.push_str(before);
        left.push_str(if whole { "…" } else { value });
        rest = behind;
    }
    left + rest
}

/// The error that the complaint of a command about these values amounts to, once its session is
/// not the reason.
pub(super) fn error<'a>(
    command: &str,
    complaint: &str,
    values: impl Iterator<Item = &'a str>,
) -> Error {
    let about_people = command.starts_with("user ");
    match meaning(complaint, values) {
        Some(Meaning::NoMember) => Error::NotFound("member"),
        Some(Meaning::NoGroup) => Error::NotFound("group"),
        Some(Meaning::Taken) if about_people => Error::EmailTaken,
        Some(Meaning::Taken) => Error::GroupNameTaken,
        Some(Meaning::Domain) => Error::DomainNotAllowed {
            domain: "this domain".to_owned(),
        },
        Some(Meaning::Protected) => Error::Protected(complaint.to_owned()),
        Some(Meaning::State) => Error::WrongState(MemberState::Unknown),
        Some(Meaning::Value) => Error::InvalidValue(complaint.to_owned()),
        Some(Meaning::NotPermitted | Meaning::NotAuthenticated | Meaning::SecondFactor) => {
            Error::NotPermitted(format!(
                "1Password does not let the bridge's user do this: {complaint}"
            ))
        }
        Some(meaning) => general(meaning, command, complaint),
        None => Error::Protocol(format!("op {command}: {complaint}")),
    }
}

/// The error that a complaint at sign-in amounts to. What is not known to speak of the credentials
/// does not, or a service in trouble would have them replaced.
pub(super) fn sign_in_error(command: &str, complaint: &str) -> Error {
    match meaning(complaint, iter::empty()) {
        Some(Meaning::SecondFactor) => Error::CredentialsRefused(
            "it asks for a second factor, and signing in with one cannot be automated: take it off \
             the bridge's user"
                .to_owned(),
        ),
        Some(
            Meaning::NotAuthenticated
            | Meaning::NotPermitted
            | Meaning::SessionEnded
            | Meaning::Value
            | Meaning::NoMember,
        ) => Error::CredentialsRefused(complaint.to_owned()),
        Some(meaning @ (Meaning::Busy | Meaning::Version)) => general(meaning, command, complaint),
        _ => out_of_reach(command, complaint),
    }
}

fn general(meaning: Meaning, command: &str, complaint: &str) -> Error {
    match meaning {
        Meaning::Busy => Error::Busy { retry_after: PAUSE },
        Meaning::Version => Error::Unsupported(format!(
            "the installed op does not know what the bridge asks of it: install a present version \
             2 of 1Password's command line ({complaint})"
        )),
        _ => out_of_reach(command, complaint),
    }
}

fn out_of_reach(command: &str, complaint: &str) -> Error {
    Error::Unavailable {
        reason: format!("op {command}: {complaint}"),
    }
}

/// A complaint as it may be shown: one line, not long, without the mark, the time and what is
/// secret.
pub(super) fn clean(complaint: &str, secrets: &[&str]) -> String {
    let mut text = complaint.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "…");
    }
    let mut rest = text.trim();
    for mark in ["[ERROR]", "(ERROR)"] {
        rest = rest.strip_prefix(mark).unwrap_or(rest).trim_start();
    }
    let is_time = |word: &str| {
        word.bytes()
            .all(|b| b.is_ascii_digit() || b"/:".contains(&b))
    };
    while let Some((word, behind)) = rest.split_once(' ')
        && !word.is_empty()
        && is_time(word)
    {
        rest = behind.trim_start();
    }
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    rest.chars().map(plain).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_words_stand_behind_others_that_hide_them() {
        for (place, (words, meaning)) in WORDS.iter().enumerate() {
            let first = WORDS.iter().position(|(known, _)| words.contains(known));
            assert_eq!(first, Some(place), "{words:?}");
            let found = super::meaning(&words.to_uppercase(), iter::empty());
            assert_eq!(found, Some(*meaning));
        }
    }

    #[test]
    fn what_nobody_knows_keeps_its_text() {
        let complaint = "the moon is in the wrong house";
        let said = format!("op user get: {complaint}");
        let error = error("user get", complaint, iter::empty());
        assert_eq!(error, Error::Protocol(said.clone()));
        let reason = said.replace("user get", "signin");
        assert_eq!(
            sign_in_error("signin", complaint),
            Error::Unavailable { reason }
        );
    }

    #[test]
    fn names_and_addresses_mean_nothing() {
        for (value, complaint, expected) in [
            (
                "two-factor@example.com",
                "\"two-factor@example.com\" isn't a user in this account",
                Some(Meaning::NoMember),
            ),
            (
                "Rate Limit",
                "a group named \u{201c}rate limit\u{201d} already exists",
                Some(Meaning::Taken),
            ),
            (
                "Session expired",
                "you may not rename Session expired to Session expired: (403) Forbidden",
                Some(Meaning::NotPermitted),
            ),
            // Part of a longer word.
            ("in", "you are not currently signed in.", None),
            (
                "sign",
                "you are not currently signed in",
                Some(Meaning::SessionEnded),
            ),
            ("", "(502)", Some(Meaning::OutOfReach)),
        ] {
            let found = meaning(complaint, iter::once(value));
            assert_eq!(found, expected, "{complaint}");
        }
    }

    #[test]
    fn a_refusal_at_sign_in_is_told_from_trouble() {
        for (complaint, refused) in [
            ("(401) Unauthorized: invalid credentials", true),
            ("two-factor authentication is on", true),
            ("(403) Forbidden", true),
            ("mkdir /tmp/x: permission denied", false),
            ("(502) Bad Gateway", false),
            ("dial tcp: lookup example: no such host", false),
        ] {
            let error = sign_in_error("signin", complaint);
            let is_refusal = matches!(error, Error::CredentialsRefused(_));
            assert_eq!(is_refusal, refused, "{complaint}");
        }
    }

    #[test]
    fn complaints_are_cleaned() {
        let complaint = "[ERROR] 2026/01/02 03:04:05 no\tway, A3-SECRET: \u{1b}[1m";
        assert_eq!(
            clean(complaint, &["A3-SECRET", ""]),
            "no way, …:  [1m".to_owned()
        );
        assert_eq!(clean(&"x".repeat(999), &[]).len(), LONGEST);
    }
}
