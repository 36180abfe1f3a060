//! Accounts with a bridge, made when a case first asks and shared by those that do not disturb
//! each other: each case has people and groups of its own.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use scim_bridge::account::{Account, Attempt, GroupId, Invitation, Member, MemberId};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::support::{Answer, Bridge, GROUP, Provider, USER, World};

/// How many people the crowd has, without the owner and the Provision Manager.
pub const CROWD: usize = 2000;

#[derive(Default)]
pub struct Places {
    open: OnceCell<Place>,
    limited: OnceCell<Place>,
    shut: OnceCell<Place>,
    crowd: OnceCell<(Place, Vec<String>)>,
}

impl Places {
    /// Everybody may be invited, and all the cases together remove more people than a guard likes.
    pub async fn open(&self) -> &Place {
        // The cases run at the same time, and one of them makes 200 requests at once.
        let settings = &[
            ("SCIM_BRIDGE_GUARD_PEOPLE", "1000"),
            ("SCIM_BRIDGE_CONCURRENCY", "400"),
        ];
        self.open.get_or_init(|| Place::new(settings)).await
    }

    /// Only people at example.com may be invited.
    pub async fn limited(&self) -> &Place {
        let settings = &[("SCIM_BRIDGE_ALLOWED_DOMAINS", "example.com")];
        self.limited.get_or_init(|| Place::new(settings)).await
    }

    /// Nobody has the token, and nothing else moves the bridge to ask the account.
    pub async fn shut(&self) -> &Place {
        let settings = &[("SCIM_BRIDGE_SWEEP_KEY", "")];
        self.shut.get_or_init(|| Place::new(settings)).await
    }

    /// So many people that they fill pages, with their ids; nobody comes or goes. The last of
    /// them is suspended.
    pub async fn crowd(&self) -> (&Place, &[String]) {
        let (place, ids) = self.crowd.get_or_init(crowd).await;
        (place, ids)
    }
}

async fn crowd() -> (Place, Vec<String>) {
    let place = Place::new(&[]).await;
    let account = Arc::new(place.world.provision_manager());
    let invitations = (0..CROWD).map(|number| {
        let account = Arc::clone(&account);
        async move {
            let invitation = Invitation {
                email: format!("person{number}@crowd.example"),
                name: format!("Person {number}"),
                language: None,
            };
            let attempt = Attempt::new(format!("crowd {number}"));
            let member = account.invite(&invitation, &attempt).await.unwrap();
            member.id.to_string()
        }
    });
    let ids: Vec<String> = stream::iter(invitations).buffered(8).collect().await;
    let last = ids.last().unwrap();
    let gone = place.bridge.delete(&format!("/Users/{last}")).await;
    assert_eq!(gone.status, 204);
    (place, ids)
}

/// An account and a bridge to it.
pub struct Place {
    // Ends before the account does.
    pub bridge: Bridge,
    pub world: World,
}

impl Place {
    pub async fn new(settings: &[(&str, &str)]) -> Self {
        let world = World::new().await;
        let bridge = world.bridge(settings).await;
        Self { bridge, world }
    }

    /// Somebody new, active, with this address; the path of the resource.
    pub async fn person(&self, email: &str) -> String {
        path("/Users", &self.bridge.invite(email).await)
    }

    /// A new managed group with these people; its path.
    pub async fn group(&self, name: &str, people: &[&str]) -> String {
        let members: Vec<Value> = people.iter().map(|path| member(path)).collect();
        let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
        path(
            "/Groups",
            &self.bridge.post("/Groups", body).await.created(),
        )
    }

    /// What is at a path.
    pub async fn read(&self, path: &str) -> Value {
        self.bridge.get(path).await.ok()
    }

    /// A PATCH that has to be done; what is at the path then.
    pub async fn patched(&self, path: &str, operations: Value) -> Value {
        let answer = self.bridge.patch(path, operations.clone()).await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 200 | 204), "{operations}: {}", answer.text);
        self.read(path).await
    }

    /// The paths of a group's members, in order.
    pub async fn members(&self, group: &str) -> Vec<String> {
        let group = self.read(&format!("{group}?attributes=members")).await;
        let members = group["members"].as_array().cloned().unwrap_or_default();
        let mut paths: Vec<String> = members
            .iter()
            .map(|member| path("/Users", member["value"].as_str().unwrap()))
            .collect();
        paths.sort();
        paths
    }

    #[track_caller]
    pub fn assert_members(&self, found: &[String], wanted: &[&str]) {
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }

    /// A group that the account has and the bridge does not manage; its path.
    pub async fn unmanaged_group(&self, name: &str) -> String {
        let attempt = Attempt::new(format!("elsewhere: {name}"));
        let account = self.world.provision_manager();
        let group = account.create_group(name, &attempt).await.unwrap();
        path("/Groups", group.id.as_str())
    }

    /// The account's own view of somebody.
    pub async fn in_account(&self, path: &str) -> Member {
        let id: MemberId = id(path).parse().unwrap();
        let account = self.world.provision_manager();
        account.member(&id).await.unwrap().unwrap()
    }

    /// The account's own view of a group's name.
    pub async fn name_in_account(&self, path: &str) -> String {
        let id: GroupId = id(path).parse().unwrap();
        let account = self.world.provision_manager();
        account.group(&id).await.unwrap().unwrap().name
    }

    /// How often something happened to a group or a person, by the account's own record.
    pub async fn happened(&self, event: &str, path: &str) -> usize {
        let (sandbox, id) = (self.world.sandbox.clone(), Some(id(path).to_owned()));
        let events = tokio::task::spawn_blocking(move || sandbox.events().unwrap());
        let events = events.await.unwrap();
        let of = events.iter().filter(|known| known.kind == event);
        of.filter(|known| known.group == id || known.member == id)
            .count()
    }

    /// How many invitations somebody got.
    pub async fn invitations(&self, email: &str) -> usize {
        let (sandbox, email) = (self.world.sandbox.clone(), email.to_owned());
        let mail = tokio::task::spawn_blocking(move || sandbox.mail(&email).unwrap());
        mail.await.unwrap().len()
    }

    /// Where SCIM begins without any prefix.
    pub fn origin(&self) -> &str {
        self.bridge.tenant.trim_end_matches("/scim/v2")
    }
}

pub fn path(endpoint: &str, id: &str) -> String {
    format!("{endpoint}/{id}")
}

/// The id at the end of a path.
pub fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Somebody as a member of a group, no more said than needed.
pub fn member(path: &str) -> Value {
    json!({ "value": id(path) })
}

/// A person as a provider without any habits sends them.
pub fn plain(email: &str) -> Value {
    json!({"schemas": [USER], "userName": email, "displayName": email, "active": true})
}

/// The rows of a list, which says of itself what is true.
#[track_caller]
pub fn rows(answer: Answer) -> Vec<Value> {
    let list = answer.ok();
    let rows = list["Resources"].as_array().cloned().unwrap_or_default();
    assert_eq!(list["itemsPerPage"], rows.len());
    assert!(list["totalResults"].as_u64() >= Some(rows.len() as u64));
    assert!(list["startIndex"].as_u64() >= Some(1));
    rows
}
