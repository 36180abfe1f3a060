//! The table: its address, its requests, and what its errors mean.

use std::{collections::HashMap, fmt, str::FromStr};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        delete_item::DeleteItemError, put_item::PutItemError,
        transact_write_items::TransactWriteItemsError, update_item::UpdateItemError,
    },
    types::{
        AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
        TransactWriteItem,
    },
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::sync::OnceCell;
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use crate::{
    outbound::aws::{Aws, Cause, cause, is_identity, is_passing},
    state::{Error, Result, records::pause},
};

/// The service's name in `AWS_ENDPOINT_URL_…`.
const SERVICE: &str = "DYNAMODB";

/// The most keys of one BatchGetItem.
const BATCH: usize = 100;

/// How often a transaction that met another one, or keys that were left out, are tried.
const TRIES: u32 = 6;

/// The index of what has to be looked at from time to time.
const WORK: &str = "work";

/// The attributes of an item.
pub(super) type Item = HashMap<String, AttributeValue>;

/// The ARN of a DynamoDB table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableArn {
    text: String,
    region: String,
    name: String,
}

/// Why a text is no table's ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "has to be the ARN of a DynamoDB table, like \
     arn:aws:dynamodb:eu-west-1:123456789012:table/NAME"
)]
pub struct NotATable;

impl FromStr for TableArn {
    type Err = NotATable;

    fn from_str(text: &str) -> std::result::Result<Self, NotATable> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().unwrap_or_default();
        let [_, partition, service, region, account, table] = std::array::from_fn(|_| next());
        let name = table.strip_prefix("table/").unwrap_or_default();
        let of = |text: &str, also: &[u8]| {
            !text.is_empty()
                && (text.bytes()).all(|byte| byte.is_ascii_alphanumeric() || also.contains(&byte))
        };
        // The region becomes part of a host's name.
        let whole = text.starts_with("arn:")
            && (partition == "aws" || partition.starts_with("aws-"))
            && of(partition, b"-")
            && service == "dynamodb"
            && of(region, b"-")
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && of(name, b"_.-");
        if !whole {
            return Err(NotATable);
        }
        Ok(Self {
            text: text.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for TableArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An item's place in the table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) partition: String,
    pub(super) sort: String,
}

impl Key {
    pub(super) fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self {
            partition: partition.into(),
            sort: sort.into(),
        }
    }

    pub(super) fn item(&self) -> Item {
        HashMap::from([
            ("pk".to_owned(), text(&self.partition)),
            ("sk".to_owned(), text(&self.sort)),
        ])
    }

    fn of(item: &Item) -> Option<Self> {
        Some(Self::new(get_text(item, "pk")?, get_text(item, "sk")?))
    }
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn get_text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn get_number(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// A condition on the item that is written, and the values that it names.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) expression: &'static str,
    pub(super) values: Vec<(&'static str, AttributeValue)>,
}

impl Condition {
    pub(super) fn new(expression: &'static str) -> Self {
        Self {
            expression,
            values: Vec::new(),
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.values.push((name, value));
        self
    }

    pub(super) fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        let values = self.values.iter();
        let values: HashMap<_, _> = values
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        (!values.is_empty()).then_some(values)
    }
}

/// What came of a conditional write.
pub(super) enum Written {
    /// It is written; for an update, this is how it is now.
    Done(Item),
    /// The condition did not hold: this is what is there.
    Refused(Item),
}

/// One partition's items, or those of the index `work`, in the order of their sort keys.
pub(super) struct Range<'a> {
    pub(super) partition: &'a str,
    /// Only what comes after this sort key.
    pub(super) after: Option<&'a str>,
    /// Only what comes no later than this one.
    pub(super) until: Option<&'a str>,
    pub(super) limit: usize,
    pub(super) in_work: bool,
}

/// One table, whose client is made when it is first needed.
pub(super) struct Table {
    aws: Aws,
    arn: TableArn,
    client: OnceCell<Client>,
}

impl Table {
    pub(super) fn new(
        arn: TableArn,
        http: reqwest::Client,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            aws: Aws::new(http, lookup, &[SERVICE]),
            arn,
            client: OnceCell::new(),
        }
    }

    async fn client(&self) -> Result<&Client> {
        self.client
            .get_or_try_init(|| async {
                let config = self.aws.config(SERVICE, &self.arn.region).await;
                let config = config.map_err(|reason| self.unavailable(reason))?;
                Ok(Client::new(&config))
            })
            .await
    }

    fn unavailable(&self, reason: impl fmt::Display) -> Error {
        Error::Unavailable(format!("{}: {reason}", self.arn))
    }

    /// One item, as it is after all writes that were answered before.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Item>> {
        let request = self
            .client()
            .await?
            .get_item()
            .table_name(&self.arn.name)
            .consistent_read(true)
            .set_key(Some(key.item()));
        let answer = quietly(request.send()).await;
        Ok(answer.map_err(|error| self.error(&error))?.item)
    }

    /// Those of some items that are there.
    pub(super) async fn get_all(&self, keys: &[Key]) -> Result<HashMap<Key, Item>> {
        let client = self.client().await?;
        let mut found = HashMap::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let mut wanted: Vec<Item> = batch.iter().map(Key::item).collect();
            // The service refuses a key that is asked for twice.
            let mut seen = std::collections::HashSet::new();
            wanted.retain(|item| Key::of(item).is_some_and(|key| seen.insert(key)));
            for attempt in 0.. {
                let keys = KeysAndAttributes::builder()
                    .set_keys(Some(wanted))
                    .consistent_read(true)
                    .build();
                let keys = keys.map_err(|error| self.unavailable(error))?;
                let request = client.batch_get_item().request_items(&self.arn.name, keys);
                let answer = quietly(request.send()).await;
                let answer = answer.map_err(|error| self.error(&error))?;
                let items = answer.responses.unwrap_or_default().into_values().flatten();
                found.extend(items.filter_map(|item| Some((Key::of(&item)?, item))));
                // What did not fit into an answer of 16 MB, or was throttled.
                let left = answer.unprocessed_keys.unwrap_or_default().into_values();
                wanted = left.flat_map(|keys| keys.keys).collect();
                if wanted.is_empty() {
                    break;
                }
                if attempt == TRIES {
                    return Err(self.unavailable("it is too busy to read everything"));
                }
                pause(attempt).await;
            }
        }
        Ok(found)
    }

    /// Writes a whole item if the condition holds for what is there.
    pub(super) async fn put(&self, item: Item, condition: Option<&Condition>) -> Result<Written> {
        let mut request = self
            .client()
            .await?
            .put_item()
            .table_name(&self.arn.name)
            .set_item(Some(item));
        if let Some(condition) = condition {
            request = request
                .condition_expression(condition.expression)
                .set_expression_attribute_values(condition.values())
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
        }
        match quietly(request.send()).await {
            Ok(_) => Ok(Written::Done(Item::new())),
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    PutItemError::ConditionalCheckFailedException(_)
                ) =>
            {
                match refused.into_err() {
                    PutItemError::ConditionalCheckFailedException(error) => {
                        Ok(Written::Refused(error.item.unwrap_or_default()))
                    }
                    _ => Ok(Written::Refused(Item::new())),
                }
            }
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Changes an item, or makes it, if the condition holds; `update` names its values like the
    /// condition does.
    pub(super) async fn update(
        &self,
        key: &Key,
        update: &'static str,
        condition: &Condition,
    ) -> Result<Written> {
        let request = self
            .client()
            .await?
            .update_item()
            .table_name(&self.arn.name)
            .set_key(Some(key.item()))
            .update_expression(update)
            .condition_expression(condition.expression)
            .set_expression_attribute_values(condition.values())
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match quietly(request.send()).await {
            Ok(answer) => Ok(Written::Done(answer.attributes.unwrap_or_default())),
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    UpdateItemError::ConditionalCheckFailedException(_)
                ) =>
            {
                match refused.into_err() {
                    UpdateItemError::ConditionalCheckFailedException(error) => {
                        Ok(Written::Refused(error.item.unwrap_or_default()))
                    }
                    _ => Ok(Written::Refused(Item::new())),
                }
            }
            Err(error) => Err(self.error(&error)),
        }
    }

    pub(super) async fn delete(&self, key: &Key) -> Result<()> {
        let request = self
            .client()
            .await?
            .delete_item()
            .table_name(&self.arn.name)
            .set_key(Some(key.item()));
        let answer = quietly(request.send()).await;
        answer.map_err(|error| self.error(&error))?;
        Ok(())
    }

    /// Deletes an item for which the condition holds; whether it did.
    pub(super) async fn delete_if(&self, key: &Key, condition: &Condition) -> Result<bool> {
        let request = self
            .client()
            .await?
            .delete_item()
            .table_name(&self.arn.name)
            .set_key(Some(key.item()))
            .condition_expression(condition.expression)
            .set_expression_attribute_values(condition.values());
        match quietly(request.send()).await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(refused))
                if matches!(
                    refused.err(),
                    DeleteItemError::ConditionalCheckFailedException(_)
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(self.error(&error)),
        }
    }

    /// Writes all or nothing. The answer is the place of the first write whose condition did not
    /// hold, if there is one.
    pub(super) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<Option<usize>> {
        let client = self.client().await?;
        for attempt in 0..TRIES {
            let request = client.transact_write_items();
            let request = request.set_transact_items(Some(writes.clone()));
            let error = match quietly(request.send()).await {
                Ok(_) => return Ok(None),
                Err(error) => error,
            };
            let SdkError::ServiceError(refused) = &error else {
                return Err(self.error(&error));
            };
            let TransactWriteItemsError::TransactionCanceledException(cancelled) = refused.err()
            else {
                return Err(self.error(&error));
            };
            let reasons = cancelled.cancellation_reasons().iter();
            let codes: Vec<&str> = reasons.map(|one| one.code().unwrap_or_default()).collect();
            if let Some(place) = codes
                .iter()
                .position(|code| *code == "ConditionalCheckFailed")
            {
                return Ok(Some(place));
            }
            // Another transaction was at the same items, or the table is too busy.
            if !codes.iter().any(|code| {
                *code == "TransactionConflict" || is_passing(0, &format!("{code}Exception"))
            }) {
                return Err(self.error(&error));
            }
            pause(attempt).await;
        }
        Err(self.unavailable("others write the same items all the time"))
    }

    /// The keys and attributes of a range's first items.
    pub(super) async fn query(&self, range: &Range<'_>) -> Result<Vec<Item>> {
        let client = self.client().await?;
        let (partition, sort) = match range.in_work {
            true => ("work", "place"),
            false => ("pk", "sk"),
        };
        let mut found: Vec<Item> = Vec::new();
        let mut start = None;
        loop {
            let left = range.limit.saturating_sub(found.len());
            if left == 0 {
                return Ok(found);
            }
            let mut condition = "#partition = :partition".to_owned();
            let mut names = HashMap::from([("#partition".to_owned(), partition.to_owned())]);
            let mut values = HashMap::from([(":partition".to_owned(), text(range.partition))]);
            // One condition on the sort key is all that a query takes.
            match (range.after, range.until) {
                (Some(after), _) => {
                    condition += " AND #sort > :after";
                    values.insert(":after".to_owned(), text(after));
                }
                (None, Some(until)) => {
                    condition += " AND #sort <= :until";
                    values.insert(":until".to_owned(), text(until));
                }
                (None, None) => {}
            }
            if range.after.is_some() || range.until.is_some() {
                names.insert("#sort".to_owned(), sort.to_owned());
            }
            let request = client
                .query()
                .table_name(&self.arn.name)
                .set_index_name(range.in_work.then(|| WORK.to_owned()))
                // An index cannot be read otherwise than as it was a moment ago.
                .consistent_read(!range.in_work)
                .key_condition_expression(condition)
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(Some(values))
                .set_exclusive_start_key(start)
                .limit(i32::try_from(left).unwrap_or(i32::MAX));
            let answer = quietly(request.send()).await;
            let answer = answer.map_err(|error| self.error(&error))?;
            found.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.arn.name
    }

    fn error<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let refused = |reason: String| Error::Refused(format!("{}: {reason}", self.arn));
        let reason = match cause(error) {
            Cause::NoCredentials(reason)
            | Cause::Unreachable(reason)
            | Cause::Unsendable(reason) => reason,
            Cause::Refused { code, .. } if code == "ResourceNotFoundException" => {
                let reason = "there is no such table, or not this index of it: check the ARN";
                return refused(reason.to_owned());
            }
            // The text names the action and the role that lacks it.
            Cause::Refused { code, message, .. } if code == "AccessDeniedException" => {
                return refused(format!("{code}: {message}"));
            }
            Cause::Refused { status, code, .. } if is_passing(status, &code) => {
                format!("it answers {code}")
            }
            Cause::Refused { status, code, .. } if is_identity(status, &code) => {
                let remedy = "check the AWS credentials and this machine's clock";
                return refused(format!("it answers {code}: {remedy}"));
            }
            Cause::Refused { code, .. } => format!("it answers {code}"),
            Cause::Strange(status) => {
                format!("it answers {status}, and not as DynamoDB does: check AWS_ENDPOINT_URL")
            }
        };
        self.unavailable(reason)
    }
}

/// At `trace` the SDK would log whole bodies, which hold people's names and addresses.
async fn quietly<T>(request: impl Future<Output = T>) -> T {
    request.with_subscriber(NoSubscriber::default()).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_by_its_arn() {
        let arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/scim-bridge_1.x";
        let table: TableArn = arn.parse().unwrap();
        assert_eq!(
            (table.to_string().as_str(), &*table.region),
            (arn, "eu-west-1")
        );
        for other in [
            "scim-bridge",
            "arn:aws:dynamodb:eu-west-1:123456789012:scim-bridge",
            "arn:aws:dynamodb:eu-west-1:1234:table/scim-bridge",
            "arn:aws:dynamodb:x.example/:123456789012:table/a",
            "arn:aws:dynamodb:eu-west-1:123456789012:table/a/index/b",
            "arn:aws:secretsmanager:eu-west-1:123456789012:table/a",
            "arn:aws:dynamodb:eu-west-1:123456789012:table/",
        ] {
            assert_eq!(other.parse::<TableArn>(), Err(NotATable), "{other}");
        }
    }
}
