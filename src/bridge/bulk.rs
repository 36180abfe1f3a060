//! Many operations in one request, each done as if it had come alone.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Bridge, Context, Error, Resource, audit::asked};
use crate::scim::{
    self,
    bulk::{Action, BulkRequest, Entry, Operation, Outcome, bulk_response},
    list::ListQuery,
    schema::Kind,
    version::Conditions,
};

/// The most operations of one bulk request: what `ServiceProviderConfig` announces.
pub const MAX_BULK_OPERATIONS: usize = 1000;

/// What has not begun by then is left to the next request.
const BULK_TIME: Duration = Duration::from_secs(18);

/// How long the last one may still take, so that there is an answer about the others before any
/// gateway's limit.
const LAST_TIME: Duration = Duration::from_secs(5);

impl Bridge {
    /// `POST /Bulk`. One operation after another, as sent, except that what is referred to comes
    /// first; what is done stays done when a later one fails.
    ///
    /// # Errors
    /// 400 if the envelope is not that of a bulk request, 413 if there are too many operations.
    /// What goes wrong with an operation is in the answer.
    pub async fn bulk(&self, body: &Value, context: &Context) -> Result<Value, Error> {
        let request = BulkRequest::parse(body, MAX_BULK_OPERATIONS)?;
        let deadline = Instant::now() + BULK_TIME;
        let mut created: HashMap<&str, String> = HashMap::new();
        let mut outcomes = BTreeMap::new();
        let mut failures = 0;
        for (index, ready) in request.schedule() {
            let Some(entry) = request.entries.get(index) else {
                continue;
            };
            let operation = entry.operation.as_ref().ok();
            let location = || operation.and_then(|operation| operation.location(&context.base));
            let bridge = self.for_operation();
            let outcome = match ready {
                Ok(()) if Instant::now() < deadline => {
                    let outcome = bridge.carry_out(entry, &created, context);
                    let outcome = timeout_at(deadline + LAST_TIME, outcome).await;
                    outcome.unwrap_or_else(|_| failed(late(), location()))
                }
                Ok(()) => failed(late(), location()),
                Err(error) => failed(error.into(), location()),
            };
            if let Some(error) = &outcome.error {
                failures += 1;
                let (action, target) = operation.map_or(("bulk", "/Bulk"), named);
                // A store that is slow costs nobody the answer.
                let noted = bridge.not_done(action, target, error);
                let _ = timeout_at(deadline + LAST_TIME, noted).await;
            }
            if let (Some(name), Some(location)) = (&entry.bulk_id, &outcome.location)
                && outcome.status == 201
            {
                let id = location.rsplit('/').next().unwrap_or_default();
                created.insert(name, id.to_owned());
            }
            outcomes.insert(index, outcome);
            if request.fail_on_errors.is_some_and(|most| failures >= most) {
                break;
            }
        }
        let outcomes = outcomes
            .into_iter()
            .filter_map(|(index, outcome)| Some((request.entries.get(index)?, outcome)));
        Ok(bulk_response(outcomes))
    }

    async fn carry_out(
        &self,
        entry: &Entry,
        created: &HashMap<&str, String>,
        context: &Context,
    ) -> Outcome {
        let mut operation = match &entry.operation {
            Ok(operation) => operation.clone(),
            Err(error) => return failed(error.clone().into(), None),
        };
        let mut lost = false;
        operation.resolve(&mut |name| {
            let id = created.get(name).cloned();
            lost |= id.is_none();
            id
        });
        let location = operation.location(&context.base);
        if lost {
            let detail = "an operation that this one refers to was not done";
            return failed(scim::Error::conflict(detail).into(), location);
        }
        let context = Context {
            base: context.base.clone(),
            // An answer without the resources has no use for what they show.
            query: ListQuery::minimal(),
            conditions: Conditions::on_version(operation.version.as_deref()),
        };
        match self.act(operation, &context).await {
            Ok((status, resource)) => Outcome {
                status,
                version: resource.as_ref().map(|done| done.version.to_string()),
                location: resource.map(|done| done.location).or(location),
                error: None,
            },
            Err(error) => failed(error, location),
        }
    }

    /// The status that the operation would have had by itself, and what it made or changed.
    async fn act(
        &self,
        operation: Operation,
        context: &Context,
    ) -> Result<(u16, Option<Resource>), Error> {
        use Kind::{Group, User};
        Ok(match (operation.action, operation.kind) {
            (Action::Post(data), User) => (201, Some(self.create_user(&data, context).await?)),
            (Action::Post(data), Group) => (201, Some(self.create_group(&data, context).await?)),
            (Action::Put(id, data), User) => {
                (200, Some(self.replace_user(&id, &data, context).await?))
            }
            (Action::Put(id, data), Group) => {
                (200, Some(self.replace_group(&id, &data, context).await?))
            }
            (Action::Patch(id, data), User) => {
                (200, Some(self.patch_user(&id, &data, context).await?))
            }
            (Action::Patch(id, data), Group) => {
                (200, Some(self.patch_group(&id, &data, context).await?))
            }
            (Action::Delete(id), User) => {
                self.delete_user(&id, context).await?;
                (204, None)
            }
            (Action::Delete(id), Group) => {
                self.delete_group(&id, context).await?;
                (204, None)
            }
        })
    }
}

/// What an operation is called in the audit, and what it is about.
fn named(operation: &Operation) -> (&'static str, &str) {
    let kind = operation.kind;
    match &operation.action {
        Action::Post(_) => (asked("POST", kind), kind.schema().endpoint),
        Action::Put(id, _) => (asked("PUT", kind), id),
        Action::Patch(id, _) => (asked("PATCH", kind), id),
        Action::Delete(id) => (asked("DELETE", kind), id),
    }
}

fn late() -> Error {
    let detail = "the bulk request ran out of time at this operation: send it again";
    scim::Error::unavailable(detail).into()
}

fn failed(error: Error, location: Option<String>) -> Outcome {
    let status = error.outside.status;
    if let Some(inside) = &error.inside {
        tracing::warn!(status, inside, "bulk operation failed");
    }
    Outcome {
        status,
        location,
        version: None,
        error: Some(error.outside),
    }
}
