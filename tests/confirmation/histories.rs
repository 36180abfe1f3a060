//! Random histories: a provider's requests, sign-ups, sweeps and crashes in any order, at two
//! bridges, and what has to hold after every one of them.

use std::collections::BTreeSet;

use scim_bridge::{
    account::{Account, MemberState},
    bridge::{Bridge, Context, Deprovisioning, Error, Settings},
    scim::{list::ListQuery, version::Conditions},
};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    support::{Place, Somebody, delay},
    tap::{Cut, Tap},
};

const DELAY: i64 = 300;
const PEOPLE: usize = 5;
const GROUPS: [&str; 3] = ["Finance", "Legal", "Sales"];
const STEPS: usize = 70;

#[tokio::test(flavor = "multi_thread")]
async fn what_has_to_hold_holds_in_any_order() {
    for seed in 0..4 {
        history(seed, Deprovisioning::Suspend, 100).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_if_people_leave_their_groups_meanwhile() {
    for seed in 100..104 {
        history(seed, Deprovisioning::LeaveGroups, 100).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_if_the_guard_refuses_removals() {
    for seed in 200..204 {
        history(seed, Deprovisioning::Suspend, 2).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_holds_if_who_is_out_is_deleted() {
    for seed in 300..304 {
        let at_once = Deprovisioning::DeleteAfter(Duration::ZERO);
        history(seed, at_once, 100).await;
    }
}

/// SplitMix64: the same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// What the provider believes of a person, and what the test knows.
struct Known {
    name: String,
    id: String,
    /// The provider's last word, whatever came of it.
    wanted: bool,
    /// The provider was told that they are out.
    out: bool,
    groups: BTreeSet<usize>,
    signed_up: Option<(Somebody, i64)>,
    confirmed: bool,
    /// Deleted by the policy.
    gone: bool,
}

struct History {
    place: Place,
    settings: Settings,
    bridges: [Bridge; 2],
    groups: Vec<String>,
    people: Vec<Known>,
    /// The bridges' own clock tells when a provider said something: this one goes on from it.
    begun: OffsetDateTime,
    now: i64,
    dice: Dice,
    /// For whoever has to understand a failure.
    told: Vec<String>,
}

fn context() -> Context {
    Context {
        base: "https://bridge.example".to_owned(),
        query: ListQuery::minimal(),
        conditions: Conditions::default(),
    }
}

fn patch(operation: Value) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [operation],
    })
}

async fn history(seed: u64, deprovisioning: Deprovisioning, removals: u32) {
    let place = Place::new().await;
    let mut settings = delay(DELAY);
    settings.deprovisioning = deprovisioning;
    settings.guards.removals = removals;
    settings.guards.removals_percent = 0;
    let bridges = [
        place.bridge(settings.clone()),
        place.bridge(settings.clone()),
    ];
    let mut groups = Vec::new();
    for name in GROUPS {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name,
        });
        let made = bridges[0].create_group(&body, &context()).await.unwrap();
        groups.push(made.location.rsplit('/').next().unwrap().to_owned());
    }
    let mut history = History {
        place,
        settings,
        bridges,
        groups,
        people: Vec::new(),
        begun: OffsetDateTime::now_utc(),
        now: 0,
        dice: Dice(seed),
        told: vec![format!("seed {seed}")],
    };
    for _ in 0..STEPS {
        history.step().await;
        history.check().await;
    }
    history.settle().await;
}

impl History {
    fn clock(&self) -> OffsetDateTime {
        self.begun + Duration::seconds(self.now)
    }

    async fn step(&mut self) {
        let act = self.dice.below(12);
        if self.people.len() < PEOPLE && (act == 0 || self.people.is_empty()) {
            return self.invite().await;
        }
        let who = self.dice.below(self.people.len());
        if self.people[who].gone && act <= 6 {
            return;
        }
        match act {
            0 | 1 => {
                let wanted = self.dice.below(3) > 0;
                self.say(who, wanted).await;
            }
            2..=4 => {
                let (group, is_in) = (self.dice.below(GROUPS.len()), self.dice.below(3) > 0);
                self.move_in_group(who, group, is_in).await;
            }
            5 | 6 => self.sign_up(who).await,
            7 | 8 => {
                let seconds = self.dice.below(200);
                self.told.push(format!("{seconds} s pass"));
                self.now += i64::try_from(seconds).unwrap();
            }
            _ => self.sweep().await,
        }
    }

    async fn invite(&mut self) {
        let name = format!("p{}", self.people.len());
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": format!("{name}@example.com"),
            "displayName": name,
        });
        let made = self.bridges[0]
            .create_user(&body, &context())
            .await
            .unwrap();
        let id = made.location.rsplit('/').next().unwrap().to_owned();
        self.told.push(format!("invite {name}"));
        self.people.push(Known {
            name,
            id,
            wanted: true,
            out: false,
            groups: BTreeSet::new(),
            signed_up: None,
            confirmed: false,
            gone: false,
        });
    }

    /// The provider wants somebody in, or out.
    async fn say(&mut self, who: usize, wanted: bool) {
        let id = self.people[who].id.clone();
        let body = patch(json!({"op": "replace", "path": "active", "value": wanted}));
        let asked = context();
        let done = self
            .until_answered(
                &format!("{} is to be active: {wanted}", self.people[who].name),
                async |bridge| bridge.patch_user(&id, &body, &asked).await.map(drop),
            )
            .await;
        let known = &mut self.people[who];
        known.wanted = wanted;
        known.out = !wanted && done;
    }

    async fn move_in_group(&mut self, who: usize, group: usize, is_in: bool) {
        let (id, path) = (self.people[who].id.clone(), self.groups[group].clone());
        let operation = match is_in {
            true => json!({"op": "add", "path": "members", "value": [{"value": id}]}),
            false => json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")}),
        };
        let (body, asked) = (patch(operation), context());
        let told = format!("{} in {}: {is_in}", self.people[who].name, GROUPS[group]);
        let done = self
            .until_answered(&told, async |bridge| {
                bridge.patch_group(&path, &body, &asked).await.map(drop)
            })
            .await;
        assert!(done, "{:#?}", self.told);
        match is_in {
            true => self.people[who].groups.insert(group),
            false => self.people[who].groups.remove(&group),
        };
    }

    /// Sends a request until there is an answer: now and then the bridge dies of it. Whether it was
    /// done, or the guard refused it.
    async fn until_answered(
        &mut self,
        told: &str,
        request: impl AsyncFn(&Bridge) -> Result<(), Error>,
    ) -> bool {
        for _ in 0..self.dice.below(3) {
            let tap = self.tap();
            let bridge = self.place.tapped(self.settings.clone(), &tap, &tap);
            tokio::select! {
                answer = request(&bridge) => return self.answered(told, answer),
                () = tap.reached() => self.told.push(format!("{told}: cut off")),
            }
        }
        let bridge = self.bridges[self.dice.below(2)].clone();
        let answer = request(&bridge).await;
        self.answered(told, answer)
    }

    fn answered(&mut self, told: &str, answer: Result<(), Error>) -> bool {
        self.told.push(format!("{told}: {answer:?}"));
        match answer {
            Ok(()) => true,
            Err(error) => {
                assert!(
                    error.to_string().contains("removal guard"),
                    "{:#?}",
                    self.told
                );
                false
            }
        }
    }

    fn tap(&mut self) -> std::sync::Arc<Tap> {
        let call = 1 + self.dice.below(8);
        let cut = match self.dice.below(2) {
            0 => Cut::Before(call),
            _ => Cut::After(call),
        };
        Tap::new(cut, std::time::Duration::ZERO)
    }

    async fn sign_up(&mut self, who: usize) {
        let known = &mut self.people[who];
        // Whoever is suspended cannot accept the invitation.
        if known.signed_up.is_some() || known.out {
            return;
        }
        let somebody = self.place.accepts(&known.name, &known.id).await;
        known.signed_up = Some((somebody, self.now));
        self.told.push(format!("{} signs up", known.name));
    }

    async fn sweep(&mut self) {
        if self.dice.below(3) == 0 {
            let tap = self.tap();
            let bridge = self.place.tapped(self.settings.clone(), &tap, &tap);
            tokio::select! {
                swept = bridge.sweep(self.clock()) => {
                    self.told.push(format!("at {}: {swept:?}", self.now));
                }
                () = tap.reached() => self.told.push(format!("at {}: cut off", self.now)),
            }
            return;
        }
        // Both at once.
        let [one, two] = &self.bridges;
        let now = self.clock();
        let swept = tokio::join!(one.sweep(now), two.sweep(now));
        self.told.push(format!("at {}: {swept:?}", self.now));
        assert!(swept.0.is_ok() && swept.1.is_ok(), "{:#?}", self.told);
    }

    async fn check(&mut self) {
        for known in &mut self.people {
            let id = known.id.parse().unwrap();
            let member = self.place.account.member(&id).await.unwrap();
            let Some(member) = member else {
                let may_go = matches!(self.settings.deprovisioning, Deprovisioning::DeleteAfter(_));
                assert!(
                    may_go && known.out,
                    "{} is lost: {:#?}",
                    known.name,
                    self.told
                );
                known.gone = true;
                continue;
            };
            let state = member.state;
            if known.out {
                assert!(
                    state.is_inactive(),
                    "{} is in: {:#?}",
                    known.name,
                    self.told
                );
            }
            let Some((somebody, signed_up)) = &known.signed_up else {
                continue;
            };
            let times = self.place.confirmed(somebody);
            assert!(
                times <= 1,
                "{} is confirmed twice: {:#?}",
                known.name,
                self.told
            );
            if times == 1 && !known.confirmed {
                known.confirmed = true;
                let in_time = self.now >= signed_up + DELAY;
                assert!(
                    in_time,
                    "{} is confirmed too early: {:#?}",
                    known.name, self.told
                );
                assert!(
                    known.wanted,
                    "{} is not wanted: {:#?}",
                    known.name, self.told
                );
            }
        }
    }

    /// When nothing happens any more, everybody ends where they belong.
    async fn settle(&mut self) {
        for who in 0..self.people.len() {
            if self.people[who].gone {
                continue;
            }
            self.sign_up(who).await;
            let wanted = self.people[who].wanted;
            self.say(who, wanted).await;
        }
        for _ in 0..4 {
            // Past any delay, lease and pause.
            self.now += 4000;
            self.bridges[0].sweep(self.clock()).await.unwrap();
            self.check().await;
        }
        for known in self.people.iter().filter(|known| !known.gone) {
            let id = known.id.parse().unwrap();
            let state = self.place.account.member(&id).await.unwrap().unwrap().state;
            let (Some((somebody, _)), true) = (&known.signed_up, known.wanted) else {
                assert_ne!(state, MemberState::TransferStarted, "{:#?}", self.told);
                continue;
            };
            assert_eq!(
                state,
                MemberState::Active,
                "{}: {:#?}",
                known.name,
                self.told
            );
            let mut opened = self.place.opens(somebody).await;
            opened.retain(|name| name != "Team Members");
            opened.sort_unstable();
            let belongs: Vec<&str> = known.groups.iter().map(|group| GROUPS[*group]).collect();
            assert_eq!(opened, belongs, "{}: {:#?}", known.name, self.told);
        }
    }
}
