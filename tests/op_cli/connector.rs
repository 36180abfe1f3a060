//! The connector as the trait promises it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use libtest_mimic::Trial;
use scim_bridge::account::{
    Account, Attempt, Error, GroupId, Invitation, KeyFingerprint, MemberEdit, MemberId, MemberKind,
    MemberState, Page, Start,
    op_cli::{OpAccount, Program},
};

use crate::{
    op::{Call, What},
    support::{World, sign_in, trial, until},
};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("people_come_and_go", people_come_and_go),
        trial("groups_and_who_is_in_them", groups_and_who_is_in_them),
        trial("lists_are_cut_into_pages", lists_are_cut_into_pages),
        trial("some_are_not_to_be_touched", some_are_not_to_be_touched),
        trial("names_are_names", names_are_names),
        trial("a_repeat_knows_its_own", a_repeat_knows_its_own),
        trial("only_the_key_that_was_seen", only_the_key_that_was_seen),
        trial("complaints_have_a_meaning", complaints_have_a_meaning),
        trial(
            "an_unknown_complaint_hides_nobody",
            an_unknown_complaint_hides_nobody,
        ),
        trial("memberships_go_on_where_they_stopped", memberships_go_on),
        trial("one_sign_in_for_all", one_sign_in_for_all),
        trial(
            "a_session_that_ends_is_renewed",
            a_session_that_ends_is_renewed,
        ),
        trial("a_refusal_is_not_repeated", a_refusal_is_not_repeated),
        trial("trouble_at_sign_in_is_shared", trouble_at_sign_in),
        trial("a_signal_is_passing_trouble", a_signal),
        trial("a_place_that_is_gone_is_made_anew", a_place_that_is_gone),
        trial("who_shows_no_key_is_in_nobodys_way", no_key),
        trial("owners_that_are_not_known_stop_it", unknown_owners),
        trial("whoever_is_out_already_is_out", out_already),
        trial("a_request_asks_for_no_list_twice", one_request),
        trial("what_hangs_is_ended", what_hangs_is_ended),
        trial(
            "whoever_is_left_behind_holds_nothing_up",
            whoever_is_left_behind,
        ),
        trial("not_too_many_at_a_time", not_too_many_at_a_time),
        trial("other_versions", other_versions),
        trial("nothing_is_left_behind", nothing_is_left_behind),
    ]
}

fn invitation(email: &str, name: &str) -> Invitation {
    Invitation {
        email: email.to_owned(),
        name: name.to_owned(),
        language: Some("de".to_owned()),
    }
}

async fn invite(account: &OpAccount, email: &str) -> MemberId {
    let attempt = Attempt::new(email);
    let invited = account.invite(&invitation(email, email), &attempt).await;
    invited.unwrap().id
}

async fn state(account: &OpAccount, id: &MemberId) -> MemberState {
    account.member(id).await.unwrap().unwrap().state
}

async fn people_come_and_go() {
    let world = World::new();
    let account = world.account();
    let identity = account.identity().await.unwrap();
    assert_eq!(identity.account_name, "Test");

    let first = Attempt::new("first");
    let ann = account
        .invite(&invitation("Ann@example.com", "Ann"), &first)
        .await
        .unwrap();
    assert_eq!(ann.state, MemberState::TransferStarted);
    let language = world
        .op
        .with(|it| it.person("Ann").unwrap().language.clone());
    assert_eq!(language, "de");
    for email in ["ann@EXAMPLE.com", "Ann@example.com"] {
        let found = account.member_by_email(email).await.unwrap().unwrap();
        assert_eq!((found.id, found.version), (ann.id.clone(), ann.version));
    }
    // A name, an id, nobody's address.
    for other in ["Ann", ann.id.as_str(), "bob@example.com", "-"] {
        assert_eq!(account.member_by_email(other).await, Ok(None), "{other}");
    }
    let again = invitation("ann@example.com", "Ann");
    let taken = account.invite(&again, &Attempt::new("2")).await;
    assert_eq!(taken, Err(Error::EmailTaken));

    let rename = MemberEdit {
        name: Some("--all".to_owned()),
        ..MemberEdit::default()
    };
    let renamed = account.edit_member(&ann.id, &rename).await.unwrap();
    assert_eq!(renamed.name, "--all");
    assert_ne!(renamed.version, ann.version);
    for edit in [
        MemberEdit {
            email: Some("a@b".to_owned()),
            ..MemberEdit::default()
        },
        MemberEdit {
            language: Some("en".to_owned()),
            ..MemberEdit::default()
        },
    ] {
        let refused = account.edit_member(&ann.id, &edit).await;
        assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
    }
    let editable = account.editable();
    assert!(!editable.email && !editable.language);

    // Before joining, and after; each also when it is so already.
    for (out, back) in [
        (MemberState::TransferSuspended, MemberState::TransferStarted),
        (MemberState::Suspended, MemberState::Active),
    ] {
        for _ in 0..2 {
            assert_eq!(account.suspend(&ann.id).await.unwrap().state, out);
        }
        for _ in 0..2 {
            assert_eq!(account.reactivate(&ann.id).await.unwrap().state, back);
        }
        if back == MemberState::TransferStarted {
            world
                .op
                .with(|it| it.sign_up("ann@example.com", "ann's key"));
            let key = KeyFingerprint::new("ann's key");
            let confirmed = account.confirm(&ann.id, &key).await.unwrap();
            assert_eq!(confirmed.state, MemberState::Active);
        }
    }
    let found = account
        .members_by_id(&[identity.member, ann.id.clone()])
        .await;
    assert_eq!(found.unwrap().len(), 2);
    for _ in 0..2 {
        assert_eq!(account.delete_member(&ann.id).await, Ok(()));
        assert_eq!(account.member(&ann.id).await, Ok(None));
    }
    let gone = account.suspend(&ann.id).await;
    assert_eq!(gone, Err(Error::NotFound("member")));
}

async fn groups_and_who_is_in_them() {
    let world = World::new();
    let account = world.account();
    let (ann, bob) = (
        invite(&account, "ann@example.com").await,
        invite(&account, "bob@example.com").await,
    );
    let made = account
        .create_group("Finance", &Attempt::new("1"))
        .await
        .unwrap();
    assert_eq!((made.member_count, made.built_in), (0, false));
    assert!(!made.has_account_wide_power());
    // It looks the same to whoever reads it.
    assert_eq!(account.group(&made.id).await, Ok(Some(made.clone())));
    assert_eq!(
        account.group_by_name("FINANCE ").await,
        Ok(Some(made.clone()))
    );
    assert_eq!(account.group_by_name("Legal").await, Ok(None));
    assert_eq!(account.reaches_key(&made.id).await, Ok(true));

    let both = [ann.clone(), bob.clone()];
    assert_eq!(account.grant(&made.id, &both).await, Ok(2));
    let calls = world.op.with(|it| it.count("group user grant"));
    assert_eq!(account.grant(&made.id, &both).await, Ok(0));
    assert_eq!(world.op.with(|it| it.count("group user grant")), calls);
    let group = account.group(&made.id).await.unwrap().unwrap();
    assert_eq!(group.member_count, 2);
    assert_ne!(group.version, made.version);
    assert_eq!(account.is_member(&made.id, &ann).await, Ok(true));
    let names = account.groups_of(&ann).await.unwrap();
    assert_eq!(names[0].name, "Finance");
    let members = account
        .group_members(&made.id, &Page::first(1))
        .await
        .unwrap();
    assert_eq!((members.items.len(), members.total), (1, 2));
    assert_eq!(members.next.as_deref(), Some(ann.as_str()));

    let nobody: MemberId = "NOBODYAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    let unknown = Err(Error::UnknownMembers(vec![nobody.clone()]));
    let carl = invite(&account, "carl@example.com").await;
    for ids in [&[nobody.clone()][..], &[carl.clone(), nobody.clone()]] {
        assert_eq!(account.grant(&made.id, ids).await, unknown);
    }
    assert_eq!(account.is_member(&made.id, &carl).await, Ok(false));
    assert_eq!(
        account.revoke(&made.id, &[ann.clone(), nobody]).await,
        Ok(1)
    );
    assert_eq!(account.revoke(&made.id, &[ann]).await, Ok(0));

    let legal = account
        .create_group("Legal", &Attempt::new("2"))
        .await
        .unwrap();
    let taken = account.rename_group(&legal.id, "finance").await;
    assert_eq!(taken, Err(Error::GroupNameTaken));
    let renamed = account.rename_group(&legal.id, "LEGAL").await.unwrap();
    assert_eq!(renamed.name, "LEGAL");
    for _ in 0..2 {
        assert_eq!(account.delete_group(&made.id).await, Ok(()));
        assert_eq!(account.group(&made.id).await, Ok(None));
    }
    let gone = account.grant(&made.id, &[bob]).await;
    assert_eq!(gone, Err(Error::NotFound("group")));
}

async fn lists_are_cut_into_pages() {
    let world = World::new();
    let account = world.account();
    world.op.with(|it| {
        for n in 0..60 {
            it.add(&format!("p{n}@example.com"), "P", "TRANSFER_STARTED");
            it.sign_up(&format!("p{n}@example.com"), &format!("key {n}"));
        }
        it.add("guest@example.com", "Guest", "ACTIVE");
        it.person("guest@example.com").unwrap().kind = "GUEST".to_owned();
        for n in 0..30 {
            it.add_group(&format!("Group {n}"));
        }
    });
    account.identity().await.unwrap();
    let before = world.calls();
    let all = account.members(&[], &Page::first(1000)).await.unwrap();
    assert_eq!((all.items.len(), all.total, all.next), (62, 62, None));
    assert_eq!(world.calls() - before, 1);
    assert!(all.items.iter().all(|one| one.key_fingerprint.is_none()));

    // Those who wait come with their keys, and so in shorter pages.
    let (mut waiting, mut page) = (BTreeSet::new(), Page::first(1000));
    loop {
        let states = [MemberState::TransferAccepted];
        let listing = account.members(&states, &page).await.unwrap();
        assert_eq!(listing.total, 60);
        waiting.extend(listing.items.into_iter().map(|one| {
            let key = one.key_fingerprint.unwrap();
            key.as_str().to_owned()
        }));
        let Some(next) = listing.next else {
            break;
        };
        page.start = Start::After(next);
    }
    assert_eq!(waiting.len(), 60);

    let (mut groups, mut page) = (0, Page::first(1000));
    loop {
        let listing = account.groups(&page).await.unwrap();
        groups += listing.items.len();
        assert_eq!(listing.total, 34);
        let Some(next) = listing.next else {
            break;
        };
        page.start = Start::After(next);
    }
    assert_eq!(groups, 34);

    let ids: Vec<MemberId> = all.items.iter().rev().map(|one| one.id.clone()).collect();
    let found = account.members_by_id(&ids).await.unwrap();
    let found: Vec<MemberId> = found.into_iter().map(|one| one.id).collect();
    assert_eq!(found, ids);
}

async fn some_are_not_to_be_touched() {
    let world = World::new();
    let account = world.account();
    let owner = world
        .op
        .with(|it| it.person("owner@example.com").unwrap().id.clone());
    let owner: MemberId = owner.parse().unwrap();
    let own = account.identity().await.unwrap().member;
    for id in [&owner, &own] {
        assert!(account.member(id).await.unwrap().unwrap().protected);
    }
    let ann = invite(&account, "ann@example.com").await;
    assert!(!account.member(&ann).await.unwrap().unwrap().protected);
    let refused = account.suspend(&owner).await;
    assert!(
        matches!(refused, Err(Error::NotPermitted(_))),
        "{refused:?}"
    );

    // The bridge manages what it made and is no member there; an owner may be one.
    let group = account.create_group("G", &Attempt::new("g")).await.unwrap();
    account
        .grant(&group.id, &[owner.clone(), own.clone()])
        .await
        .unwrap();
    let members = account
        .group_members(&group.id, &Page::first(9))
        .await
        .unwrap();
    let shown: Vec<_> = members
        .items
        .iter()
        .map(|one| (&one.id, one.protected))
        .collect();
    assert_eq!(shown, [(&owner, true)]);
    assert_eq!(account.is_member(&group.id, &own).await, Ok(false));

    for (name, powerful, reached) in [
        ("Owners", true, false),
        ("Team Members", true, false),
        ("Provision Managers", true, false),
        ("G", false, true),
    ] {
        let group = account.group_by_name(name).await.unwrap().unwrap();
        assert_eq!(group.has_account_wide_power(), powerful, "{name}");
        assert_eq!(account.reaches_key(&group.id).await, Ok(reached), "{name}");
    }
    world.op.with(|it| {
        let managers = it.group("Provision Managers").unwrap();
        managers.permissions.push("Manage Groups".to_owned());
        it.add("guest@example.com", "Guest", "ACTIVE");
        it.person("guest@example.com").unwrap().kind = "GUEST".to_owned();
    });
    let team = account
        .group_by_name("Team Members")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(account.reaches_key(&team.id).await, Ok(true));
    let guest = account.member_by_email("guest@example.com").await;
    assert_eq!(guest.unwrap().unwrap().kind, MemberKind::Guest);
}

async fn names_are_names() {
    let world = World::new();
    let account = world.account();
    let id = "aaaaaaaaaaaaaaaaaaaaaaaaab";
    for (n, name) in ["--help", "-", "-x y", id, "a=b", "$(x)", "Überall 🙂"]
        .iter()
        .enumerate()
    {
        let email = format!("-{n}=x@example.com");
        let (new, attempt) = (invitation(&email, name), Attempt::new(&email));
        let person = account.invite(&new, &attempt).await.unwrap();
        assert_eq!((&*person.name, &*person.email), (*name, &*email));
        assert!(account.member_by_email(&email).await.unwrap().is_some());
        // The stand-in takes a hyphen for standard input wherever a thing is named.
        if *name != "-" {
            let group = account
                .create_group(name, &Attempt::new(*name))
                .await
                .unwrap();
            assert_eq!(group.name, *name);
            let renamed = account.rename_group(&group.id, &format!("-{name}")).await;
            assert_eq!(renamed.unwrap().name, format!("-{name}"));
        }
    }
    let before = world.calls();
    for name in ["", " ", "two\nlines"] {
        let attempt = Attempt::new("a");
        let person = account
            .invite(&invitation("a@example.com", name), &attempt)
            .await;
        assert!(matches!(person, Err(Error::InvalidValue(_))), "{name:?}");
        let group = account.create_group(name, &attempt).await;
        assert!(matches!(group, Err(Error::InvalidValue(_))), "{name:?}");
    }
    let no_address = account
        .invite(&invitation("a b", "A"), &Attempt::new("a"))
        .await;
    assert!(matches!(no_address, Err(Error::InvalidValue(_))));
    assert_eq!(world.calls(), before);
}

async fn a_repeat_knows_its_own() {
    let world = World::new();
    let account = world.account();
    let lost = || What::DoesAndFails("read: connection reset by peer".to_owned());
    world.op.with(|it| {
        it.trouble("user provision", "", 1, lost());
        it.trouble("group create", "", 1, lost());
        it.add_group("Old");
    });
    let ann = invitation("ann@example.com", "Ann");
    let cut_off = account.invite(&ann, &Attempt::new("1")).await;
    assert!(
        matches!(cut_off, Err(Error::Unavailable { .. })),
        "{cut_off:?}"
    );
    let other = account.invite(&ann, &Attempt::new("2")).await;
    assert_eq!(other, Err(Error::EmailTaken));
    let again = account.invite(&ann, &Attempt::again("1")).await.unwrap();
    assert_eq!(world.op.with(|it| it.count("user provision")), 1);
    // Not whom somebody invited under another name, nor who is further already.
    let named = invitation("ann@example.com", "Anna");
    let named = account.invite(&named, &Attempt::again("1")).await;
    assert_eq!(named, Err(Error::EmailTaken));
    world.op.with(|it| it.sign_up("ann@example.com", "key"));
    let later = account.invite(&ann, &Attempt::again("1")).await;
    assert_eq!(later, Err(Error::EmailTaken));
    assert_eq!(
        state(&account, &again.id).await,
        MemberState::TransferAccepted
    );

    let cut_off = account.create_group("New", &Attempt::new("1")).await;
    assert!(
        matches!(cut_off, Err(Error::Unavailable { .. })),
        "{cut_off:?}"
    );
    let again = account
        .create_group("New", &Attempt::again("1"))
        .await
        .unwrap();
    assert_eq!(again.name, "New");
    for (name, attempt) in [("New", "2"), ("old", "1")] {
        let taken = account.create_group(name, &Attempt::again(attempt)).await;
        assert_eq!(taken, Err(Error::GroupNameTaken), "{name}");
    }
}

async fn only_the_key_that_was_seen() {
    let world = World::new();
    let account = world.account();
    let ann = invite(&account, "ann@example.com").await;
    let key = KeyFingerprint::new("first");
    let early = account.confirm(&ann, &key).await;
    assert_eq!(early, Err(Error::WrongState(MemberState::TransferStarted)));
    world.op.with(|it| it.sign_up("ann@example.com", "first"));
    let seen = account.member(&ann).await.unwrap().unwrap();
    assert_eq!(seen.key_fingerprint, Some(key.clone()));
    world.op.with(|it| it.sign_up("ann@example.com", "second"));
    assert_eq!(account.confirm(&ann, &key).await, Err(Error::KeyChanged));
    assert_eq!(world.op.with(|it| it.count("user confirm")), 0);
    // Confirmed by somebody else in the meantime.
    let both = KeyFingerprint::new("second");
    account.confirm(&ann, &both).await.unwrap();
    let late = account.confirm(&ann, &both).await;
    assert_eq!(late, Err(Error::WrongState(MemberState::Active)));
}

async fn complaints_have_a_meaning() {
    let world = World::new();
    let account = world.account();
    let ann = invite(&account, "ann@example.com").await;
    let group = account
        .create_group("G", &Attempt::new("g"))
        .await
        .unwrap()
        .id;
    let stamp = "[ERROR] 2026/01/02 03:04:05 ";
    type Fits = fn(&Error) -> bool;
    let cases: [(&str, &str, Fits); 14] = [
        (
            "user suspend",
            "(403) Forbidden: You aren't authorized",
            |it| matches!(it, Error::NotPermitted(why) if why.contains("Forbidden")),
        ),
        (
            "user suspend",
            "you need the permission Suspend People",
            |it| matches!(it, Error::NotPermitted(_)),
        ),
        ("user suspend", "(429) Too Many Requests: slow down", |it| {
            matches!(it, Error::Busy { .. })
        }),
        ("user suspend", "rate limit exceeded", |it| {
            matches!(it, Error::Busy { .. })
        }),
        ("user suspend", "you cannot suspend the last owner", |it| {
            matches!(it, Error::Protected(_))
        }),
        (
            "user suspend",
            "dial tcp: lookup test: no such host",
            |it| matches!(it, Error::Unavailable { .. }),
        ),
        ("user suspend", "(503) Service Unavailable", |it| {
            matches!(it, Error::Unavailable { .. })
        }),
        ("user suspend", "context deadline exceeded", |it| {
            matches!(it, Error::Unavailable { .. })
        }),
        ("user suspend", "unknown flag: --cache", |it| {
            matches!(it, Error::Unsupported(_))
        }),
        (
            "user suspend",
            "\"x\" isn't a user in this account.",
            |it| *it == Error::NotFound("member"),
        ),
        ("user provision", "(409) Conflict", |it| {
            *it == Error::EmailTaken
        }),
        ("user provision", "this domain is not allowed", |it| {
            *it == Error::DomainNotAllowed {
                domain: "example.org".to_owned(),
            }
        }),
        ("user provision", "(400) Bad Request: name too long", |it| {
            matches!(it, Error::InvalidValue(_))
        }),
        (
            "group user grant",
            "\"x\" isn't a group in this account.",
            |it| *it == Error::NotFound("group"),
        ),
    ];
    for (n, (command, text, fits)) in cases.into_iter().enumerate() {
        world
            .op
            .with(|it| it.trouble(command, "", 1, What::Says(format!("{stamp}{text}"), 1)));
        let error = match command {
            "user suspend" => account.suspend(&ann).await.map(drop),
            "user provision" => {
                let person = invitation(&format!("p{n}@example.org"), "P");
                account.invite(&person, &Attempt::new("p")).await.map(drop)
            }
            _ => account
                .grant(&group, std::slice::from_ref(&ann))
                .await
                .map(drop),
        };
        let error = error.unwrap_err();
        assert!(fits(&error), "{text}: {error:?}");
        assert!(!error.to_string().contains("2026/"), "{error}");
    }
    // Early versions ended well after errors that they did not know.
    world.op.with(|it| {
        it.trouble(
            "user delete",
            "",
            1,
            What::Says(format!("{stamp}(403) no"), 0),
        )
    });
    let error = account.delete_member(&ann).await;
    assert!(matches!(error, Err(Error::NotPermitted(_))), "{error:?}");
    // What it printed is not what was asked for.
    world
        .op
        .with(|it| it.trouble("group list", "", 1, What::Says("hello".to_owned(), 0)));
    let error = account.group_by_name("G").await;
    assert!(matches!(error, Err(Error::Protocol(_))), "{error:?}");
}

async fn an_unknown_complaint_hides_nobody() {
    let world = World::new();
    let account = world.account();
    let ann = invite(&account, "ann@example.com").await;
    let group = account
        .create_group("G", &Attempt::new("g"))
        .await
        .unwrap()
        .id;
    let strange = || What::Says("[ERROR] 2031/01/02 the moon is new".to_owned(), 1);
    world.op.with(|it| {
        it.trouble("user get", "", 99, strange());
        it.trouble("group get", "", 99, strange());
    });
    let of_ann = account.member(&ann).await;
    assert_eq!(
        of_ann,
        Err(Error::Protocol("op user get: the moon is new".to_owned()))
    );
    assert!(account.member_by_email("ann@example.com").await.is_err());
    assert!(account.group(&group).await.is_err());
    // The list says that there is nobody.
    assert_eq!(account.member_by_email("bob@example.com").await, Ok(None));
    let nobody: MemberId = "NOBODYAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
    assert_eq!(account.member(&nobody).await, Ok(None));
    let none: GroupId = "nobodyaaaaaaaaaaaaaaaaaaaa".parse().unwrap();
    assert_eq!(account.group(&none).await, Ok(None));
}

async fn memberships_go_on() {
    let world = World::new();
    let account = world.account();
    let group = account
        .create_group("G", &Attempt::new("g"))
        .await
        .unwrap()
        .id;
    let ids: Vec<MemberId> = world.op.with(|it| {
        let add = |n| it.add(&format!("p{n}@example.com"), "P", "ACTIVE");
        let ids: Vec<String> = (0..24).map(add).collect();
        it.trouble(
            "group user grant",
            &ids[9],
            1,
            What::Says("[ERROR] (502) Bad Gateway".to_owned(), 1),
        );
        ids.iter().map(|id| id.parse().unwrap()).collect()
    });
    let stopped = account.grant(&group, &ids).await;
    assert!(
        matches!(stopped, Err(Error::Unavailable { .. })),
        "{stopped:?}"
    );
    let inside = account.group(&group).await.unwrap().unwrap().member_count;
    assert!((1..24).contains(&inside), "{inside}");
    let rest = account.grant(&group, &ids).await;
    assert_eq!(rest, Ok(24 - inside as usize));
}

async fn one_sign_in_for_all() {
    let world = World::new();
    let account = Arc::new(world.account());
    let callers = (0..10).map(|_| {
        let account = Arc::clone(&account);
        tokio::spawn(async move { account.member_by_email("nobody@example.com").await })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), Ok(None));
    }
    // Whoever gives up leaves the outcome to the next.
    account.sign_out().await;
    let gives_up = Duration::from_millis(1);
    let _ = tokio::time::timeout(gives_up, account.identity()).await;
    account.identity().await.unwrap();
    world.op.with(|it| {
        for (command, times) in [("--version", 1), ("account add", 1), ("account list", 1)] {
            assert_eq!(it.count(command), times, "{command}");
        }
        assert_eq!(it.count("signin"), 2);
        assert_eq!(it.count("signout"), 1);
    });
}

async fn a_session_that_ends_is_renewed() {
    let world = World::new();
    let account = world.account();
    account.identity().await.unwrap();
    let endings: [fn(&World); 3] = [
        |world| world.op.with(|it| it.end_sessions()),
        |world| {
            world.op.with(|it| {
                let text = "[ERROR] 2026/01/02 You are not currently signed in.".to_owned();
                it.trouble("user get", "", 1, What::Says(text, 1));
            });
        },
        |world| {
            world.op.with(|it| {
                let text = "[ERROR] 2026/01/02 401: Authentication required.".to_owned();
                it.trouble("user get", "", 1, What::Says(text, 1));
            });
        },
    ];
    for (n, end) in endings.into_iter().enumerate() {
        end(&world);
        assert_eq!(account.member_by_email("no@example.com").await, Ok(None));
        assert_eq!(world.op.with(|it| it.count("signin")), n + 2);
    }
    // One that ends again at once is no session.
    world.op.with(|it| it.idle = -1.0);
    let ended = account.member_by_email("no@example.com").await;
    assert!(matches!(ended, Err(Error::Unavailable { .. })), "{ended:?}");
}

async fn a_refusal_is_not_repeated() {
    for (text, refused) in [
        ("(401) Unauthorized: invalid credentials", true),
        ("two-factor authentication is required", true),
        ("(502) Bad Gateway", false),
        ("the moon is new", false),
    ] {
        let world = World::new();
        let account = world.account();
        let says = What::Says(format!("[ERROR] 2026/01/02 {text}"), 1);
        world.op.with(|it| it.trouble("signin", "", 1, says));
        let error = account.identity().await.unwrap_err();
        assert_eq!(
            matches!(error, Error::CredentialsRefused(_)),
            refused,
            "{error:?}"
        );
        assert_eq!(account.identity().await, Err(error), "{text}");
        assert_eq!(world.op.with(|it| it.count("signin")), 1, "{text}");
        if !refused {
            until("tried again", async || account.identity().await.ok()).await;
        }
    }
    // What is wrong from the start shows no secret, whatever the program says.
    let world = World::new();
    let says = format!("[ERROR] 2026/01/02 (401) {} is wrong", crate::op::PASSWORD);
    world
        .op
        .with(|it| it.trouble("account add", "", 1, What::Says(says, 1)));
    let error = world.account().identity().await.unwrap_err();
    assert_eq!(
        error,
        Error::CredentialsRefused("(401) … is wrong".to_owned())
    );
}

async fn trouble_at_sign_in() {
    let world = World::new();
    let account = Arc::new(world.account());
    let says = || What::Says("[ERROR] 2026/01/02 dial tcp: no such host".to_owned(), 1);
    world
        .op
        .with(|it| it.trouble("account add", "", usize::MAX, says()));
    let callers = (0..10).map(|_| {
        let account = Arc::clone(&account);
        tokio::spawn(async move { account.identity().await })
    });
    for caller in callers.collect::<Vec<_>>() {
        let failed = caller.await.unwrap();
        assert!(
            matches!(failed, Err(Error::Unavailable { .. })),
            "{failed:?}"
        );
    }
    assert_eq!(world.op.with(|it| it.count("account add")), 1);
}

async fn a_signal() {
    let world = World::new();
    let account = world.account();
    account.identity().await.unwrap();
    world
        .op
        .with(|it| it.trouble("user get", "", 1, What::IsKilled));
    let failed = account.member_by_email("x@example.com").await;
    assert!(
        matches!(failed, Err(Error::Unavailable { .. })),
        "{failed:?}"
    );
    assert_eq!(account.member_by_email("x@example.com").await, Ok(None));
}

async fn a_place_that_is_gone() {
    let world = World::new();
    let account = world.account();
    account.identity().await.unwrap();
    let home = world.op.with(|it| it.calls[0].home.clone());
    std::fs::remove_dir_all(home).unwrap();
    assert_eq!(account.member_by_email("x@example.com").await, Ok(None));
    assert_eq!(world.op.with(|it| it.count("account add")), 2);
}

async fn no_key() {
    let world = World::new();
    let account = world.account();
    let emails = ["ann@example.com", "bob@example.com", "cay@example.com"];
    let mut ids = Vec::new();
    for email in emails {
        ids.push(invite(&account, email).await);
        world
            .op
            .with(|it| it.sign_up(email, &format!("key of {email}")));
    }
    let says = |text: &str| What::Says(format!("[ERROR] 2026/01/02 {text}"), 1);
    world.op.with(|it| {
        let get = "user get --fingerprint";
        let never = usize::MAX;
        it.trouble(get, ids[0].as_str(), never, says("the moon is new"));
        it.trouble(get, ids[1].as_str(), never, says("(403) Forbidden"));
    });
    let waiting = account
        .members(&[MemberState::TransferAccepted], &Page::first(9))
        .await
        .unwrap();
    let with_key = |id: &MemberId| {
        let mut all = waiting.items.iter();
        all.find(|one| one.id == *id)
            .unwrap()
            .key_fingerprint
            .clone()
    };
    assert_eq!([0, 1].map(|n| with_key(&ids[n])), [None, None]);
    let key = with_key(&ids[2]).unwrap();
    // Nobody is let in by a key that was not seen, and everybody can be kept out.
    for id in &ids[..2] {
        let member = account.member(id).await.unwrap().unwrap();
        assert_eq!(member.key_fingerprint, None);
        assert_eq!(account.confirm(id, &key).await, Err(Error::KeyChanged));
        account.suspend(id).await.unwrap();
    }
    account.confirm(&ids[2], &key).await.unwrap();
}

async fn unknown_owners() {
    let world = World::new();
    let account = world.account();
    let ann = invite(&account, "ann@example.com").await;
    let group = account.create_group("G", &Attempt::new("g")).await.unwrap();
    account
        .grant(&group.id, std::slice::from_ref(&ann))
        .await
        .unwrap();
    let page = Page::first(9);
    assert!(account.group_members(&group.id, &page).await.is_ok());
    world
        .op
        .with(|it| it.group("Owners").unwrap().name = "Eigentümer".to_owned());
    let ids: Vec<MemberId> = std::iter::repeat_n(ann, 9).collect();
    for failed in [
        account.group_members(&group.id, &page).await.err(),
        account.members_by_id(&ids).await.err(),
    ] {
        assert!(
            matches!(&failed, Some(Error::Protocol(text)) if text.contains("Owners")),
            "{failed:?}"
        );
    }
}

async fn out_already() {
    let world = World::new();
    let account = world.account();
    let ann = invite(&account, "ann@example.com").await;
    let group = account.create_group("G", &Attempt::new("g")).await.unwrap();
    let ann = [ann];
    account.grant(&group.id, &ann).await.unwrap();
    let says = What::Says(
        "[ERROR] 2026/01/02 the accessor doesn't have any permissions".to_owned(),
        1,
    );
    world
        .op
        .with(|it| it.trouble("group user revoke", "", 1, says));
    assert_eq!(account.revoke(&group.id, &ann).await, Ok(1));
}

async fn one_request() {
    let world = World::new();
    let whole = world.account();
    whole.identity().await.unwrap();
    let (page, count) = (Page::first(9), || world.op.with(|it| it.count("user list")));
    // Side by side too.
    let account = whole.for_one_request().unwrap();
    let (first, second) = tokio::join!(account.members(&[], &page), account.members(&[], &page));
    assert_eq!(first, second);
    assert_eq!(count(), 1);
    let (ann, attempt) = (invitation("ann@example.com", "Ann"), Attempt::new("a"));
    let ann = account.invite(&ann, &attempt).await.unwrap();
    let after = account.members(&[], &page).await.unwrap();
    assert_eq!((after.total, count()), (3, 2));
    // People are always looked at; another request begins with nothing.
    world
        .op
        .with(|it| it.person("Ann").unwrap().name = "Anna".to_owned());
    let seen = account.member(&ann.id).await.unwrap().unwrap();
    assert_eq!(seen.name, "Anna");
    let next = whole.for_one_request().unwrap();
    assert!(next.members(&[], &page).await.is_ok());
    assert_eq!(count(), 3);
    // What has no end, such as a sweep, remembers nothing.
    for _ in 0..2 {
        assert!(whole.members(&[], &page).await.is_ok());
    }
    assert_eq!(count(), 5);
}

async fn what_hangs_is_ended() {
    let world = World::new();
    let account = world.account();
    account.identity().await.unwrap();
    let hung = || -> Vec<u32> {
        let about_x = |call: &&Call| call.arguments.iter().any(|one| one == "x@example.com");
        world.op.with(|it| {
            it.calls
                .iter()
                .filter(about_x)
                .map(|call| call.pid)
                .collect()
        })
    };
    world
        .op
        .with(|it| it.trouble("user get", "x@example.com", usize::MAX, What::Hangs));
    let account = account.with_deadline(Duration::from_millis(500));
    until("started in time", async || {
        let late = account.member_by_email("x@example.com").await;
        assert!(matches!(late, Err(Error::Unavailable { .. })), "{late:?}");
        (!hung().is_empty()).then_some(())
    })
    .await;
    // Whoever does not wait ends it too.
    let account = Arc::new(account.with_deadline(Duration::from_secs(20)));
    let (patient, before) = (Arc::clone(&account), hung().len());
    let waiting = tokio::spawn(async move { patient.member_by_email("x@example.com").await });
    until("started", async || (hung().len() > before).then_some(())).await;
    waiting.abort();
    until("ended", async || {
        hung().into_iter().all(|pid| !is_running(pid)).then_some(())
    })
    .await;
    world.op.with(|it| it.troubles.clear());
    assert_eq!(account.member_by_email("x@example.com").await, Ok(None));
}

fn is_running(pid: u32) -> bool {
    signal(pid, "-0")
}

fn signal(pid: u32, signal: &str) -> bool {
    let kill = format!("kill {signal} {pid} 2>/dev/null");
    let killed = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    killed.unwrap().success()
}

async fn whoever_is_left_behind() {
    let world = World::new();
    let account = world.account().with_deadline(Duration::from_secs(15));
    for command in ["signin", "user list"] {
        world
            .op
            .with(|it| it.trouble(command, "", 1, What::LeavesBehind));
    }
    let people = account.members(&[], &Page::first(9)).await.unwrap();
    assert_eq!(people.total, 2);
    for pid in world.op.with(|it| it.left_behind.clone()) {
        assert!(signal(pid, "-KILL"));
    }
}

async fn not_too_many_at_a_time() {
    let world = World::new();
    let account = Arc::new(world.account());
    account.identity().await.unwrap();
    world.op.with(|it| it.pace = 100);
    let callers = (0..24).map(|_| {
        let account = Arc::clone(&account);
        tokio::spawn(async move { account.member_by_email("nobody@example.com").await })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), Ok(None));
    }
    let most = world.op.with(|it| it.most_running);
    assert!((2..=8).contains(&most), "{most}");
}

async fn other_versions() {
    for (version, warning, works) in [
        ("1.12.9", None, false),
        (
            "2.0.0",
            Some("[WARN] 2026/01/02 a new version is there"),
            true,
        ),
        (
            "2.99.0-beta.01",
            Some("WARNING: config file is old\n\n"),
            true,
        ),
        ("3.0.0", None, true),
    ] {
        let world = World::new();
        world.op.with(|it| {
            it.version = version.to_owned();
            it.warning = warning.map(str::to_owned);
        });
        let answer = world.account().identity().await;
        assert_eq!(answer.is_ok(), works, "{version}: {answer:?}");
        if let Err(error) = answer {
            assert!(matches!(error, Error::Unsupported(_)), "{error:?}");
            assert_eq!(world.op.with(|it| it.count("account add")), 0);
        }
    }
    let missing = OpAccount::new(sign_in(), Program::new("/nowhere/op"));
    let error = missing.identity().await.unwrap_err().to_string();
    assert!(error.contains("SCIM_BRIDGE_OP"), "{error}");
}

async fn nothing_is_left_behind() {
    let world = World::new();
    let account = world.account();
    account.identity().await.unwrap();
    let home = world.op.with(|it| it.calls[0].home.clone());
    assert!(home.is_dir());
    account.sign_out().await;
    drop(account);
    until("removed", async || (!home.exists()).then_some(())).await;
}
