//! What is only known by doing it: a test person and a test group, made, changed and removed.
//!
//! Whatever happens in between, the last two steps look for both by name and remove them. A person
//! who was not made here is never touched: it is told by its `externalId`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    finding::{Finding, Verdict},
    reads,
    steps::random_name,
    visit::{Ask, Visit},
};
use crate::scim::schema::{GROUP_URN, USER_URN};

/// What people see in the account.
const PERSON: &str = "scim-bridge doctor";
const RENAMED: &str = "scim-bridge doctor (test)";
const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// The test person and the test group.
pub struct Deep {
    /// The person's address, to which an invitation is mailed.
    pub email: String,
    /// The group's name, which no other has.
    pub group: String,
    user_id: Option<String>,
    group_id: Option<String>,
    /// Whether a person, or a group, was asked for.
    tried: (bool, bool),
    /// What is left in the account, for the person who has to know.
    pub left: Vec<String>,
}

impl Deep {
    pub fn new(email: String) -> Result<Self, Finding> {
        Ok(Self {
            email,
            group: format!("{PERSON} {}", &random_name()?[..8]),
            user_id: None,
            group_id: None,
            tried: (false, false),
            left: Vec::new(),
        })
    }

    fn external_id(&self) -> String {
        format!("scim-bridge-doctor:{}", self.email)
    }

    fn user(&self) -> Value {
        json!({
            "schemas": [USER_URN], "userName": self.email, "externalId": self.external_id(),
            "displayName": PERSON, "active": true,
            "emails": [{"type": "work", "value": self.email, "primary": true}],
        })
    }
}

impl Visit {
    fn test(&mut self) -> Result<&mut Deep, Finding> {
        self.deep
            .as_mut()
            .ok_or_else(|| Finding::skipped("not asked for"))
    }

    /// The resource with this name, if there is one.
    async fn resource(
        &self,
        endpoint: &str,
        name: &str,
        is: &str,
    ) -> Result<Option<Value>, Finding> {
        let is = is.replace('\\', "\\\\").replace('"', "\\\"");
        let encoded: String = is.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/{endpoint}?filter={name} eq %22{encoded}%22&startIndex=1&count=2");
        let answer = self.get(&path).await?;
        Ok(reads::resources(&answer)?.first().cloned())
    }

    /// Its id.
    async fn named(&self, endpoint: &str, name: &str, is: &str) -> Result<Option<String>, Finding> {
        let found = self.resource(endpoint, name, is).await?;
        found.map(|resource| id_of(&resource)).transpose()
    }

    /// The id of the person with this address, and the `externalId`.
    async fn user_named(&self, email: &str) -> Result<Option<(String, String)>, Finding> {
        let Some(user) = self.resource("Users", "userName", email).await? else {
            return Ok(None);
        };
        let external_id = user["externalId"].as_str().unwrap_or_default();
        Ok(Some((id_of(&user)?, external_id.to_owned())))
    }

    async fn patch(&self, path: &str, operation: Value) -> Result<(), Finding> {
        let body = json!({"schemas": [PATCH_URN], "Operations": [operation]});
        let answer = self.send(Method::PATCH, path, body).await?;
        match answer.status {
            200 | 204 => Ok(()),
            _ => Err(answer.unexpected()),
        }
    }

    /// 204, or 404 where it is gone already.
    async fn delete(&self, path: &str) -> Result<(), Finding> {
        let ask = Ask {
            method: Method::DELETE,
            ..self.read(path)
        };
        let answer = self.ask(ask).await?;
        match answer.status {
            204 | 404 => Ok(()),
            _ => Err(answer.unexpected()),
        }
    }

    /// Invites the test person, or takes them in again whom an earlier run left.
    pub async fn test_user(&mut self) -> Verdict {
        let (email, external_id, user) = {
            let test = self.test()?;
            (test.email.clone(), test.external_id(), test.user())
        };
        if let Some((id, made_for)) = self.user_named(&email).await? {
            if made_for != external_id {
                return Err(Finding::failed(format!(
                    "{email} is a person of the account, who is left alone"
                )));
            }
            self.test()?.tried.0 = true;
            self.test()?.user_id = Some(id.clone());
            let active = json!({"op": "Replace", "path": "active", "value": "True"});
            self.patch(&format!("/Users/{id}"), active).await?;
            return Ok(format!("{email}, left by an earlier run, is active again"));
        }
        self.test()?.tried.0 = true;
        let answer = self.send(Method::POST, "/Users", user).await?;
        self.test()?.user_id = Some(id_of(&answer.expect(201)?.body)?);
        Ok(format!("{email} is invited"))
    }

    /// Invites them once more, which must not work, and renames them as Entra ID does.
    pub async fn test_change(&mut self) -> Verdict {
        let user = self.test()?.user();
        let again = self.send(Method::POST, "/Users", user).await?;
        again.expect(409)?;
        let path = format!("/Users/{}", self.user_id()?);
        let rename = json!({"op": "Replace", "path": "displayName", "value": RENAMED});
        self.patch(&path, rename).await?;
        let answer = self.get(&path).await?;
        match &answer.expect(200)?.body["displayName"] {
            name if name == RENAMED => {
                Ok("409 to a second invitation; a new name is kept".to_owned())
            }
            name => Err(Finding::failed(format!(
                "after the change the name is {name}"
            ))),
        }
    }

    /// Makes the group, puts the person into it and takes them out, as Entra ID and JumpCloud do.
    pub async fn test_group(&mut self) -> Verdict {
        let name = self.test()?.group.clone();
        self.test()?.tried.1 = true;
        let group = json!({"schemas": [GROUP_URN], "displayName": name, "members": []});
        let answer = self.send(Method::POST, "/Groups", group).await?;
        self.test()?.group_id = Some(id_of(&answer.expect(201)?.body)?);
        if self.named("Groups", "displayName", &name).await?.is_none() {
            return Err(Finding::failed(format!("{name:?} is made, and not found")));
        }
        let (user, group) = (self.user_id()?, self.group_id()?);
        let path = format!("/Groups/{group}");
        let search = format!("/Groups?filter=id eq \"{group}\" and members eq \"{user}\"");
        for (operation, members) in [("Add", 1), ("Remove", 0)] {
            let change = json!({"op": operation, "path": "members", "value": [{"value": user}]});
            self.patch(&path, change).await?;
            let answer = self.get(&search).await?;
            if reads::resources(&answer)?.len() != members {
                return Err(Finding::failed(format!(
                    "after {operation} the membership is not as it should be"
                )));
            }
        }
        Ok(format!(
            "{name:?} is made and found; the person put in, and taken out"
        ))
    }

    /// Removes the group, if it is there.
    pub async fn test_group_removed(&mut self) -> Verdict {
        let (name, tried) = (self.test()?.group.clone(), self.test()?.tried.1);
        let removed = match tried {
            true => self.remove_group(&name).await,
            false => Removed::nothing("there is no test group"),
        };
        self.test()?.left.extend(removed.left);
        removed.verdict
    }

    async fn remove_group(&self, name: &str) -> Removed {
        let by_hand = format!("perhaps the group {name:?}: look, and delete it by hand");
        let id = match self.group_id() {
            Ok(id) => Ok(Some(id)),
            // Its making may be done, and the answer lost.
            Err(_) => self.named("Groups", "displayName", name).await,
        };
        let path = match id {
            Ok(Some(id)) => format!("/Groups/{id}"),
            Ok(None) => return Removed::nothing("there is no test group"),
            Err(finding) => return Removed::perhaps(finding, by_hand),
        };
        let deleted = self.delete(&path).await;
        match self.get(&path).await {
            Ok(answer) if answer.status == 404 => Removed {
                verdict: deleted.map(|()| format!("{name:?} is deleted")),
                left: None,
            },
            Ok(answer) => {
                let finding = deleted.err().unwrap_or_else(|| answer.unexpected());
                Removed::perhaps(finding, by_hand)
            }
            Err(finding) => Removed::perhaps(finding, by_hand),
        }
    }

    /// Removes the person, which is to suspend them.
    pub async fn test_user_removed(&mut self) -> Verdict {
        let test = self.test()?;
        let (email, external_id, tried) = (test.email.clone(), test.external_id(), test.tried.0);
        let removed = match tried {
            true => self.remove_user(&email, &external_id).await,
            false => Removed::nothing("there is no test person"),
        };
        self.test()?.left.extend(removed.left);
        removed.verdict
    }

    async fn remove_user(&self, email: &str, external_id: &str) -> Removed {
        let by_hand = format!("perhaps {email}, active: look, and suspend the person by hand");
        let id = match self.user_id() {
            Ok(id) => Ok(Some(id)),
            Err(_) => self.user_named(email).await.map(|user| {
                let ours = user.filter(|(_, made_for)| made_for == external_id);
                ours.map(|(id, _)| id)
            }),
        };
        let path = match id {
            Ok(Some(id)) => format!("/Users/{id}"),
            Ok(None) => return Removed::nothing("there is no test person"),
            Err(finding) => return Removed::perhaps(finding, by_hand),
        };
        let deleted = self.delete(&path).await;
        match self.get(&path).await {
            Ok(answer) if answer.status == 404 => Removed {
                verdict: deleted.map(|()| format!("{email} is gone")),
                left: None,
            },
            Ok(answer) if answer.body["active"] == false => Removed {
                verdict: deleted.map(|()| format!("{email} is suspended")),
                left: Some(format!(
                    "{email}, suspended: a bridge deletes nobody at once. Delete the person in \
                     the account if there is to be no other such test"
                )),
            },
            Ok(answer) => {
                let finding = deleted.err().unwrap_or_else(|| answer.unexpected());
                Removed::perhaps(finding, by_hand)
            }
            Err(finding) => Removed::perhaps(finding, by_hand),
        }
    }

    fn user_id(&self) -> Result<String, Finding> {
        let id = self.deep.as_ref().and_then(|test| test.user_id.clone());
        id.ok_or_else(|| Finding::skipped("there is no test person"))
    }

    fn group_id(&self) -> Result<String, Finding> {
        let id = self.deep.as_ref().and_then(|test| test.group_id.clone());
        id.ok_or_else(|| Finding::skipped("there is no test group"))
    }
}

/// What came of a removal.
struct Removed {
    verdict: Verdict,
    /// What is left in the account.
    left: Option<String>,
}

impl Removed {
    /// There is nothing to remove.
    fn nothing(why: &str) -> Self {
        Self {
            verdict: Err(Finding::skipped(why)),
            left: None,
        }
    }

    /// Nobody knows whether it is still there.
    fn perhaps(finding: Finding, left: String) -> Self {
        Self {
            verdict: Err(finding),
            left: Some(left),
        }
    }
}

/// An id that can stand in a path: what a stranger answers is not trusted with more.
fn id_of(resource: &Value) -> Result<String, Finding> {
    let plain =
        |id: &&str| !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let id = resource["id"].as_str().filter(plain);
    id.map(str::to_owned)
        .ok_or_else(|| Finding::failed("the resource has no usable id"))
}
