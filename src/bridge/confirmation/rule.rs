//! The rule: what comes next for a person, given what was written down and what they are now.

use time::{Duration, OffsetDateTime};

use crate::{
    account::{KeyFingerprint, Member, MemberKind, MemberState},
    bridge::Settings,
    state::{Confirmation, ConfirmationStatus, HoldReason, Person},
};

/// The first pause after a failed confirmation; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::seconds(30);
const LONGEST_PAUSE: Duration = Duration::hours(1);

/// What comes next for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write down when and with which key they were first seen.
    Begin(KeyFingerprint),
    /// Nothing to do yet.
    Wait,
    /// Let them in.
    Confirm(KeyFingerprint),
    /// A check says no.
    Hold(HoldReason),
    /// The check that held them says yes by now: they go on waiting from when they began.
    Resume,
    /// They do not wait any more.
    Finish,
}

/// What comes next. `person` is what the provider said of them, if it ever did.
pub(super) fn step(
    record: Option<&Confirmation>,
    member: Option<&Member>,
    person: Option<&Person>,
    settings: &Settings,
    now: OffsetDateTime,
) -> Step {
    // What is over says nothing of who waits now: the delay begins anew.
    let record = record.filter(|record| record.status != ConfirmationStatus::Over);
    let Some(member) = member.filter(|member| member.kind == MemberKind::Member) else {
        return Step::Finish;
    };
    if record.is_some_and(|record| record.status == ConfirmationStatus::Rejected)
        && is_on_the_way_in(member.state)
    {
        return Step::Wait;
    }
    match (member.state, &member.key_fingerprint, record) {
        (MemberState::TransferSuspended, _, Some(_)) => Step::Hold(HoldReason::Suspended),
        (MemberState::TransferAccepted, Some(key), record) => {
            waiting(record, member, key, person, settings, now)
        }
        // A connector that could not tell the key may be able to next time.
        (MemberState::TransferAccepted, None, _) => Step::Wait,
        _ => Step::Finish,
    }
}

/// What comes next for somebody who has signed up.
fn waiting(
    record: Option<&Confirmation>,
    member: &Member,
    key: &KeyFingerprint,
    person: Option<&Person>,
    settings: &Settings,
    now: OffsetDateTime,
) -> Step {
    if let Some(ConfirmationStatus::Confirming { until, .. }) = record.map(|record| &record.status)
        && now < *until
    {
        // Another sweep is at it.
        return Step::Wait;
    }
    if let Some(reason) = check(record, member, key, person, settings) {
        return Step::Hold(reason);
    }
    let Some(record) = record else {
        return Step::Begin(key.clone());
    };
    match record.status {
        ConfirmationStatus::Held { .. } => Step::Resume,
        // Somebody's try was cut off: they were due then.
        ConfirmationStatus::Confirming { .. } => Step::Confirm(key.clone()),
        _ if due(record, is_released(record, key), settings).is_some_and(|due| due <= now) => {
            Step::Confirm(key.clone())
        }
        _ => Step::Wait,
    }
}

/// The first check that says no. An administrator's release overrides what an administrator can
/// judge, but neither the provider's word nor what the account reserves to administrators.
fn check(
    record: Option<&Confirmation>,
    member: &Member,
    key: &KeyFingerprint,
    person: Option<&Person>,
    settings: &Settings,
) -> Option<HoldReason> {
    let released = record.is_some_and(|record| is_released(record, key));
    let changed = record.is_some_and(|record| record.fingerprint != key.as_str());
    let invited = person.is_some_and(|person| person.invited) || settings.confirmation.anybody;
    let allowed = settings.allows_domain_of(&member.email);
    let checks = [
        (HoldReason::Protected, member.protected),
        (HoldReason::KeyChanged, changed && !released),
        (
            HoldReason::Unwanted,
            person.is_some_and(|person| person.removal.is_some()),
        ),
        (HoldReason::NotInvited, !invited && !released),
        (HoldReason::DomainNotAllowed, !allowed && !released),
    ];
    let failed = checks.into_iter().find(|(_, fails)| *fails);
    failed.map(|(reason, _)| reason)
}

/// A release is good for the one key that was looked at.
fn is_released(record: &Confirmation, key: &KeyFingerprint) -> bool {
    record.released.as_deref() == Some(key.as_str())
}

/// Somebody with this state may come to wait, or to wait again.
fn is_on_the_way_in(state: MemberState) -> bool {
    use MemberState::{
        Pending, TransferAccepted, TransferPending, TransferStarted, TransferSuspended,
    };
    matches!(
        state,
        TransferStarted | TransferPending | TransferAccepted | TransferSuspended | Pending
    )
}

/// When somebody who waits is to be confirmed; `None` if nothing but a change leads there.
pub(super) fn due(
    record: &Confirmation,
    released: bool,
    settings: &Settings,
) -> Option<OffsetDateTime> {
    let ConfirmationStatus::Waiting { not_before, .. } = record.status else {
        return None;
    };
    let due = match released {
        true => record.since,
        false => record.since + settings.confirmation.delay,
    };
    Some(not_before.map_or(due, |pause| due.max(pause)))
}

/// The record of a person whom a check holds back.
pub(super) fn hold(
    known: Option<&Confirmation>,
    member: &Member,
    reason: HoldReason,
    now: OffsetDateTime,
) -> Confirmation {
    let key = member.key_fingerprint.as_ref();
    let key = key.map_or_else(String::new, |key| key.as_str().to_owned());
    Confirmation {
        since: known.map_or(now, |known| known.since),
        // The key first seen stays the measure, or a second try with the new one would pass.
        fingerprint: known.map_or_else(|| key.clone(), |known| known.fingerprint.clone()),
        email: member.email.clone(),
        released: known.and_then(|known| known.released.clone()),
        status: ConfirmationStatus::Held { reason, key },
    }
}

/// How often a confirmation has failed.
pub(super) fn failures(status: &ConfirmationStatus) -> u32 {
    match status {
        ConfirmationStatus::Waiting { failures, .. }
        | ConfirmationStatus::Confirming { failures, .. } => *failures,
        _ => 0,
    }
}

/// Waiting for the next try, after one that failed.
pub(super) fn after_failure(
    status: &ConfirmationStatus,
    error: &str,
    now: OffsetDateTime,
) -> ConfirmationStatus {
    let failures = failures(status).saturating_add(1);
    let pause = FIRST_PAUSE * 2i32.saturating_pow(failures.saturating_sub(1).min(10));
    ConfirmationStatus::Waiting {
        failures,
        not_before: Some(now + pause.min(LONGEST_PAUSE)),
        last_error: Some(error.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn after(seconds: i64) -> OffsetDateTime {
        START + Duration::seconds(seconds)
    }

    fn member(state: MemberState, key: Option<&str>) -> Member {
        Member {
            id: "AAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap(),
            email: "ann@example.com".into(),
            pending_email: None,
            name: "Ann".into(),
            language: Some("en".into()),
            state,
            kind: MemberKind::Member,
            protected: false,
            key_fingerprint: key.map(KeyFingerprint::new),
            created_at: Some(START),
            updated_at: Some(START),
            version: 1,
        }
    }

    fn accepted(key: &str) -> Member {
        member(MemberState::TransferAccepted, Some(key))
    }

    fn person(invited: bool) -> Person {
        Person {
            external_id: None,
            user_name: "ann@example.com".into(),
            display_name: None,
            formatted: None,
            given_name: None,
            family_name: None,
            emails: Vec::new(),
            preferred_language: None,
            account_name: "Ann".into(),
            invited,
            removal: None,
            updated_at: START,
        }
    }

    fn unwanted() -> Person {
        Person {
            removal: Some(crate::state::Removal {
                since: START,
                admitted_at: None,
                groups: Vec::new(),
            }),
            ..person(true)
        }
    }

    fn record(status: ConfirmationStatus) -> Confirmation {
        Confirmation {
            since: START,
            fingerprint: "key".into(),
            email: String::new(),
            released: None,
            status,
        }
    }

    /// With a release of this key.
    fn released(key: &str, status: ConfirmationStatus) -> Confirmation {
        Confirmation {
            released: Some(key.into()),
            ..record(status)
        }
    }

    fn paused(until: i64) -> ConfirmationStatus {
        ConfirmationStatus::Waiting {
            failures: 1,
            not_before: Some(after(until)),
            last_error: Some("x".into()),
        }
    }

    fn held(reason: HoldReason) -> ConfirmationStatus {
        let key = "other".into();
        ConfirmationStatus::Held { reason, key }
    }

    fn leased(until: i64) -> ConfirmationStatus {
        ConfirmationStatus::Confirming {
            failures: 0,
            until: after(until),
        }
    }

    fn anybody() -> Settings {
        let mut settings = Settings::default();
        settings.confirmation.anybody = true;
        settings
    }

    fn elsewhere() -> Settings {
        Settings {
            allowed_domains: vec!["other.example".into()],
            ..Settings::default()
        }
    }

    #[test]
    fn every_transition_of_somebody_who_has_signed_up() {
        use ConfirmationStatus::{Over, Rejected};
        use HoldReason::{DomainNotAllowed, KeyChanged, NotInvited, Suspended, Unwanted};
        use Step::{Begin, Confirm, Hold, Resume, Wait};
        let waiting = || Some(record(ConfirmationStatus::waiting()));
        let some = |status| Some(record(status));
        let free = |key, status| Some(released(key, status));
        let new = ConfirmationStatus::waiting;
        let key = || KeyFingerprint::new("key");
        let other = || KeyFingerprint::new("other");
        let (ann, stranger) = (|| Some(person(true)), || Some(person(false)));
        let plain = Settings::default;
        // Record, key that they have now, what the provider said, settings, seconds, what follows.
        #[rustfmt::skip]
        let cases = [
            ("first seen", None, "key", ann(), plain(), 0, Begin(key())),
            ("delay runs", waiting(), "key", ann(), plain(), 299, Wait),
            ("delay over", waiting(), "key", ann(), plain(), 300, Confirm(key())),
            ("late schedule", waiting(), "key", ann(), plain(), 99_999, Confirm(key())),
            ("pause after failure", some(paused(900)), "key", ann(), plain(), 899, Wait),
            ("pause over", some(paused(900)), "key", ann(), plain(), 900, Confirm(key())),
            ("pause within delay", some(paused(10)), "key", ann(), plain(), 20, Wait),
            ("waits once more", some(Over), "key", ann(), plain(), 999, Begin(key())),
            ("another key after all was over", some(Over), "other", ann(), plain(), 999, Begin(other())),
            // Leases.
            ("another sweep is at it", some(leased(60)), "key", ann(), plain(), 59, Wait),
            ("at it, whatever changed", some(leased(60)), "other", None, elsewhere(), 59, Wait),
            ("cut off", some(leased(60)), "key", ann(), plain(), 60, Confirm(key())),
            ("cut off, and changed", some(leased(60)), "other", ann(), plain(), 60, Hold(KeyChanged)),
            // The key.
            ("key changed", waiting(), "other", ann(), plain(), 10, Hold(KeyChanged)),
            ("key changed, and due", waiting(), "other", ann(), plain(), 300, Hold(KeyChanged)),
            ("key changed while pausing", some(paused(900)), "other", ann(), plain(), 10, Hold(KeyChanged)),
            ("key still changed", some(held(KeyChanged)), "other", ann(), plain(), 999, Hold(KeyChanged)),
            ("key as it was", some(held(KeyChanged)), "key", ann(), plain(), 999, Resume),
            ("key released", free("other", new()), "other", ann(), plain(), 1, Confirm(other())),
            ("another key released", free("third", new()), "other", ann(), plain(), 999, Hold(KeyChanged)),
            ("released another than has come back", free("other", new()), "key", ann(), plain(), 299, Wait),
            // Who was invited.
            ("never heard of", None, "key", None, plain(), 0, Hold(NotInvited)),
            ("heard of, not invited", None, "key", stranger(), plain(), 0, Hold(NotInvited)),
            ("not invited, due", waiting(), "key", stranger(), plain(), 300, Hold(NotInvited)),
            ("anybody", None, "key", None, anybody(), 0, Begin(key())),
            ("anybody by now", some(held(NotInvited)), "key", None, anybody(), 0, Resume),
            ("invited by now", some(held(NotInvited)), "key", ann(), plain(), 0, Resume),
            ("stranger released", free("key", new()), "key", None, plain(), 0, Confirm(key())),
            ("stranger released, with another key", free("key", new()), "other", None, plain(), 0, Hold(KeyChanged)),
            ("released, but it failed", free("key", paused(9)), "key", None, plain(), 8, Wait),
            ("released, pause over", free("key", paused(9)), "key", None, plain(), 9, Confirm(key())),
            // The domain.
            ("domain", None, "key", ann(), elsewhere(), 0, Hold(DomainNotAllowed)),
            ("domain allowed by now", some(held(DomainNotAllowed)), "key", ann(), plain(), 0, Resume),
            ("domain released", free("key", new()), "key", ann(), elsewhere(), 0, Confirm(key())),
            ("stranger at another domain", None, "key", None, elsewhere(), 0, Hold(NotInvited)),
            // The provider.
            ("unwanted", waiting(), "key", Some(unwanted()), plain(), 300, Hold(Unwanted)),
            ("unwanted at first sight", None, "key", Some(unwanted()), plain(), 0, Hold(Unwanted)),
            ("unwanted, though released", free("key", new()), "key", Some(unwanted()), plain(), 300, Hold(Unwanted)),
            ("unwanted, though anybody", None, "key", Some(unwanted()), anybody(), 0, Hold(Unwanted)),
            ("wanted again", some(held(Unwanted)), "key", ann(), plain(), 0, Resume),
            ("reactivated", some(held(Suspended)), "key", ann(), plain(), 0, Resume),
            ("reactivated with another key", some(held(Suspended)), "other", ann(), plain(), 0, Hold(KeyChanged)),
            // The administrator.
            ("rejected", some(Rejected), "key", ann(), plain(), 99_999, Wait),
            ("rejected, whatever changed", some(Rejected), "other", Some(unwanted()), elsewhere(), 0, Wait),
            ("rejected after a release", free("key", Rejected), "key", ann(), plain(), 99_999, Wait),
        ];
        for (name, record, key, person, settings, seconds, expected) in cases {
            let member = accepted(key);
            let now = after(seconds);
            let next = step(
                record.as_ref(),
                Some(&member),
                person.as_ref(),
                &settings,
                now,
            );
            assert_eq!(next, expected, "{name}");
        }
    }

    #[test]
    fn every_transition_of_somebody_who_does_not_wait() {
        use ConfirmationStatus::{Over, Rejected};
        use MemberState::{
            Active, Deleted, Pending, RecoveryAccepted, RecoveryStarted, TransferAccepted,
            TransferPending, TransferStarted, TransferSuspended, Unknown,
        };
        let open = || {
            [
                ConfirmationStatus::waiting(),
                paused(900),
                leased(60),
                held(HoldReason::KeyChanged),
            ]
        };
        let guest = Member {
            kind: MemberKind::Guest,
            ..accepted("key")
        };
        let gone = [
            None,
            Some(guest),
            Some(member(TransferStarted, None)),
            Some(member(TransferPending, None)),
            Some(member(Pending, Some("key"))),
            Some(member(Active, Some("key"))),
            Some(member(MemberState::Suspended, Some("key"))),
            Some(member(Deleted, Some("key"))),
            Some(member(RecoveryStarted, Some("key"))),
            Some(member(RecoveryAccepted, Some("key"))),
            Some(member(Unknown, Some("key"))),
        ];
        let next = |status: Option<ConfirmationStatus>, member: Option<&Member>| {
            let record = status.map(record);
            let settings = Settings::default();
            step(record.as_ref(), member, None, &settings, after(999))
        };
        for member in &gone {
            for status in open().map(Some).into_iter().chain([None, Some(Over)]) {
                let case = format!("{status:?} {member:?}");
                assert_eq!(next(status, member.as_ref()), Step::Finish, "{case}");
            }
        }
        // What is known of a key is not forgotten because it does not show for once.
        let keyless = member(TransferAccepted, None);
        for status in open().map(Some).into_iter().chain([None, Some(Over)]) {
            assert_eq!(next(status, Some(&keyless)), Step::Wait);
        }
        let suspended = member(TransferSuspended, Some("key"));
        for status in open() {
            let expected = Step::Hold(HoldReason::Suspended);
            assert_eq!(next(Some(status), Some(&suspended)), expected);
        }
        for status in [None, Some(Over)] {
            assert_eq!(next(status, Some(&suspended)), Step::Finish);
        }
        // A rejection stays for as long as there is somebody to confirm.
        for state in [
            TransferStarted,
            TransferPending,
            TransferSuspended,
            TransferAccepted,
            Pending,
        ] {
            let member = member(state, None);
            assert_eq!(next(Some(Rejected), Some(&member)), Step::Wait, "{state:?}");
        }
        for state in [Active, MemberState::Suspended, Deleted, RecoveryStarted] {
            let member = member(state, Some("key"));
            let case = format!("{state:?}");
            assert_eq!(next(Some(Rejected), Some(&member)), Step::Finish, "{case}");
        }
        assert_eq!(next(Some(Rejected), None), Step::Finish);
    }

    #[test]
    fn pauses_double_up_to_an_hour() {
        let mut status = ConfirmationStatus::waiting();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            status = after_failure(&status, "x", START);
            let ConfirmationStatus::Waiting { not_before, .. } = &status else {
                unreachable!()
            };
            pauses.push((not_before.unwrap() - START).whole_seconds());
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn a_lease_does_not_forget_the_failures_before_it() {
        let cut_off = ConfirmationStatus::Confirming {
            failures: 3,
            until: START,
        };
        assert_eq!(failures(&after_failure(&cut_off, "x", START)), 4);
    }

    #[test]
    fn the_first_key_and_its_time_stay_the_measure() {
        let known = released("third", ConfirmationStatus::waiting());
        let reason = HoldReason::KeyChanged;
        let held = hold(Some(&known), &accepted("other"), reason, after(5));
        let status = ConfirmationStatus::Held {
            reason,
            key: "other".into(),
        };
        let expected = Confirmation {
            email: "ann@example.com".into(),
            status,
            ..known
        };
        assert_eq!(held, expected);
    }

    #[test]
    fn only_who_waits_is_due() {
        let settings = Settings::default();
        let at = |status, released| {
            let due = due(&record(status), released, &settings);
            due.map(|due| (due - START).whole_seconds())
        };
        assert_eq!(at(ConfirmationStatus::waiting(), false), Some(300));
        assert_eq!(at(ConfirmationStatus::waiting(), true), Some(0));
        assert_eq!(at(paused(10), false), Some(300));
        assert_eq!(at(paused(10), true), Some(10));
        for status in [
            leased(60),
            held(HoldReason::NotInvited),
            ConfirmationStatus::Rejected,
            ConfirmationStatus::Over,
        ] {
            assert_eq!(at(status, true), None);
        }
    }
}
