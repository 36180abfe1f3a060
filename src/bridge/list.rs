//! Lists: pages of everything, and what filters and orders make of it.
//!
//! Everything is read page by page. What has no filter and no order costs one page however long
//! the list is. A filter that is on no index, and every order, looks at all rows, but keeps no more
//! than the answer needs, and gives up when it takes too long.

use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Bridge, Context, Error, MAX_RESULTS, POLICY, groups, in_parallel, users};
use crate::{
    account::Start,
    scim::{
        self,
        filter::{Equality, Filter},
        schema::{Kind, ResourceSchema, SERVED_ANY},
        sort::Sort,
    },
};

/// How long a search may look for what it was asked for; below every gateway's limit.
const SEARCH_TIME: Duration = Duration::from_secs(15);

/// How many rows are kept to find a page of them in an order.
const MAX_SORTED: u64 = 10_000;

/// Rows of a page that may cost a request each: few enough to answer in time.
const MAX_COSTLY_ROWS: u64 = 100;

/// One page of a list.
#[derive(Debug)]
pub struct List {
    /// The resources, with the attributes that the client wants.
    pub resources: Vec<Value>,
    /// How many there are on all pages.
    pub total: u64,
    /// Where the next page begins, if there is one and this one was found by position.
    pub next: Option<Position>,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// With the row of this number, counted from 1.
    Index(u64),
    /// Behind the page before, or at the beginning.
    Cursor(Option<Position>),
}

/// A place in a list that stays the same place while rows come and go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Position {
    /// Behind the person with this key of the account's.
    Person(String),
    /// Behind the group with this id.
    Group(String),
    /// Behind this row of a search.
    Found(Key),
}

/// What rows of a search are ordered by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    id: String,
}

/// A person or a group.
pub(super) enum Row {
    Person(Box<users::Known>),
    Group(Box<groups::Known>),
}

impl Row {
    fn person(known: users::Known) -> Self {
        Self::Person(Box::new(known))
    }

    fn group(known: groups::Known) -> Self {
        Self::Group(Box::new(known))
    }
}

/// A page before it is made an answer.
#[derive(Default)]
struct Rows {
    rows: Vec<Row>,
    total: u64,
    next: Option<Position>,
}

impl Bridge {
    /// A page of the resources of these kinds, in an order that stays the same.
    ///
    /// # Errors
    /// 400 `invalidFilter` for what cannot be judged, `tooMany` for what takes too long.
    pub async fn list(
        &self,
        kinds: &[Kind],
        place: Place,
        context: &Context,
    ) -> Result<List, Error> {
        let search = Search::read(kinds, context)?;
        // Who asks whether one person is a member (Entra ID does, for each) is not sent all.
        let shown = match search.filter_speaks_of("members") {
            true => 0,
            false => groups::MEMBERS_SHOWN,
        };
        let costly = kinds.iter().any(|kind| match kind {
            Kind::User => users::shows_groups(context),
            Kind::Group => shown > 0 && groups::shows_members(context),
        });
        let most = match costly {
            true => MAX_COSTLY_ROWS,
            false => MAX_RESULTS,
        };
        // A server may return fewer than asked for (RFC 7644, section 3.4.2.4).
        let limit = usize::try_from(context.query.count.min(most)).unwrap_or(usize::MAX);
        let mut page = match search.is_everything() {
            true => self.page(kinds, place, limit).await?,
            false => self.search(kinds, &search, place, limit, context).await?,
        };
        let groups_shown = users::shows_groups(context);
        if groups_shown {
            let people = page.rows.iter_mut().filter_map(|row| match row {
                Row::Person(known) => Some(&mut **known),
                Row::Group(_) => None,
            });
            self.read_groups(people.collect()).await?;
        }
        let values = page.rows.iter().map(async |row| match row {
            Row::Person(known) => {
                let groups = known.groups.as_deref().filter(|_| groups_shown);
                Ok(known.to_resource(context, groups).value.unwrap_or_default())
            }
            Row::Group(known) => self.group_value(known, context, shown).await,
        });
        Ok(List {
            resources: in_parallel(values.collect()).await?,
            total: page.total,
            next: page.next,
        })
    }

    async fn page(&self, kinds: &[Kind], place: Place, limit: usize) -> Result<Rows, Error> {
        match place {
            Place::Index(first) => self.page_by_index(kinds, first - 1, limit).await,
            Place::Cursor(after) => self.page_by_cursor(kinds, after, limit).await,
        }
    }

    async fn page_by_index(
        &self,
        kinds: &[Kind],
        mut offset: u64,
        limit: usize,
    ) -> Result<Rows, Error> {
        let mut page = Rows::default();
        for kind in kinds {
            let room = limit - page.rows.len();
            let total = match kind {
                Kind::User => {
                    let (people, total, _) =
                        self.page_of_people(Start::Offset(offset), room).await?;
                    page.rows.extend(people.into_iter().map(Row::person));
                    total
                }
                Kind::Group => {
                    let (groups, total) = self.page_of_groups(offset, room).await?;
                    page.rows.extend(groups.into_iter().map(Row::group));
                    total
                }
            };
            offset = offset.saturating_sub(total);
            page.total += total;
        }
        Ok(page)
    }

    async fn page_by_cursor(
        &self,
        kinds: &[Kind],
        after: Option<Position>,
        limit: usize,
    ) -> Result<Rows, Error> {
        let mut page = Rows::default();
        for kind in kinds {
            let room = limit - page.rows.len();
            match kind {
                Kind::User => {
                    let (start, room) = match &after {
                        None => (Start::Offset(0), room),
                        Some(Position::Person(key)) => (Start::After(key.clone()), room),
                        // Past the people: only their number is of interest.
                        Some(_) => (Start::Offset(0), 0),
                    };
                    let (people, total, next) = self.page_of_people(start, room).await?;
                    page.rows.extend(people.into_iter().map(Row::person));
                    page.total += total;
                    page.next = next.map(Position::Person);
                }
                Kind::Group => {
                    let after = match &after {
                        Some(Position::Group(id)) => id.as_str(),
                        _ => "",
                    };
                    let room = if page.next.is_some() { 0 } else { room };
                    let offset = self.groups_up_to(after).await?;
                    let (groups, total) = self.page_of_groups(offset, room).await?;
                    let last = groups.last().map_or(after, groups::Known::id).to_owned();
                    if page.next.is_none() && offset + (groups.len() as u64) < total {
                        page.next = Some(Position::Group(last));
                    }
                    page.rows.extend(groups.into_iter().map(Row::group));
                    page.total += total;
                }
            }
        }
        Ok(page)
    }

    async fn search(
        &self,
        kinds: &[Kind],
        search: &Search,
        place: Place,
        limit: usize,
        context: &Context,
    ) -> Result<Rows, Error> {
        let mut picked = Picked::new(search.sort.as_ref(), place, limit)?;
        for kind in kinds {
            if search.is_impossible(kind.schema()) {
                continue;
            }
            match kind {
                Kind::User => {
                    self.find_people(search, &context.base, |known, value| {
                        picked.take(Row::person(known), value);
                    })
                    .await?;
                }
                Kind::Group => {
                    self.find_groups(search, &context.base, |known, value| {
                        picked.take(Row::group(known), value);
                    })
                    .await?;
                }
            }
        }
        let (rows, total, next) = picked.finish();
        Ok(Rows { rows, total, next })
    }
}

/// What a list is asked for, and until when it is looked for.
pub(super) struct Search {
    filter: Option<Filter>,
    sort: Option<Sort>,
    deadline: Instant,
}

impl Search {
    fn read(kinds: &[Kind], context: &Context) -> Result<Self, scim::Error> {
        let schema = match kinds {
            [kind] => kind.schema(),
            _ => &SERVED_ANY,
        };
        Ok(Self {
            filter: context.query.filter(schema, &POLICY)?,
            sort: context.query.sort(schema, &POLICY)?,
            deadline: Instant::now() + SEARCH_TIME,
        })
    }

    fn is_everything(&self) -> bool {
        self.filter.is_none() && self.sort.is_none()
    }

    /// Whether this resource is looked for.
    pub(super) fn matches(&self, resource: &Value) -> bool {
        let filter = self.filter.as_ref();
        filter.is_none_or(|filter| filter.matches(resource))
    }

    /// What has to be equal in everything that is looked for; nothing if that cannot be said.
    pub(super) fn equalities(&self) -> Vec<Equality> {
        let equalities = self.filter.as_ref().and_then(Filter::equalities);
        equalities.unwrap_or_default()
    }

    /// Whether nothing of this kind can be found: it lacks an attribute that has to be equal to
    /// something. Entra ID's question about `manager` is one.
    fn is_impossible(&self, schema: &ResourceSchema) -> bool {
        self.equalities().iter().any(|equality| {
            let path = equality.path;
            let lacks =
                path.extension().is_some() || schema.attribute(path.attribute().name).is_none();
            lacks && !equality.value.is_null()
        })
    }

    fn filter_speaks_of(&self, attribute: &str) -> bool {
        let paths = self.filter.iter().flat_map(Filter::attributes);
        paths
            .into_iter()
            .any(|path| path.attribute().name == attribute)
    }

    /// Whether an attribute has to be read to judge or order what has it.
    pub(super) fn needs(&self, attribute: &str) -> bool {
        let sorted = |sort: &Sort| sort.by.attribute().name == attribute;
        self.filter_speaks_of(attribute) || self.sort.as_ref().is_some_and(sorted)
    }

    /// Says no once the time is over.
    pub(super) fn check_time(&self) -> Result<(), scim::Error> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(scim::Error::too_many(format!(
            "the search looks at more than can be read in {} seconds: ask for one userName, \
             emails.value, externalId, id, displayName of a group or members.value with eq, or read \
             the list without filter and sortBy",
            SEARCH_TIME.as_secs()
        )))
    }
}

/// What of a search goes into the page.
struct Picked<'s, R> {
    sort: Option<&'s Sort>,
    place: Place,
    limit: usize,
    rows: Vec<(Key, R)>,
    total: u64,
}

impl<'s, R> Picked<'s, R> {
    fn new(sort: Option<&'s Sort>, place: Place, limit: usize) -> Result<Self, scim::Error> {
        if let (Some(_), Place::Index(first)) = (sort, &place)
            && first.saturating_add(limit as u64) > MAX_SORTED
        {
            return Err(scim::Error::too_many(format!(
                "sorted results end at number {MAX_SORTED}: narrow the search by a filter, or page \
                 by cursor"
            )));
        }
        Ok(Self {
            sort,
            place,
            limit,
            rows: Vec::new(),
            total: 0,
        })
    }

    fn take(&mut self, row: R, value: &Value) {
        self.total += 1;
        let key = Key {
            value: self.sort.and_then(|sort| sort.key(value)).cloned(),
            id: value["id"].as_str().unwrap_or_default().to_owned(),
        };
        match (&self.place, self.sort) {
            (Place::Index(first), None) => {
                if self.total >= *first && self.rows.len() < self.limit {
                    self.rows.push((key, row));
                }
                return;
            }
            (Place::Cursor(Some(Position::Found(after))), _)
                if self.compare(&key, after).is_le() =>
            {
                return;
            }
            _ => {}
        }
        self.rows.push((key, row));
        // Sorting now and then is as quick as keeping them sorted.
        if self.rows.len() > 2 * self.kept() + 100 {
            self.prune();
        }
    }

    /// How many of the first rows the page is cut from; by cursor one more, to see if there is one.
    fn kept(&self) -> usize {
        let before = match &self.place {
            Place::Index(first) => usize::try_from(first - 1).unwrap_or(usize::MAX),
            Place::Cursor(_) => 1,
        };
        before.saturating_add(self.limit)
    }

    fn prune(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.sort_by(|(left, _), (right, _)| self.compare(left, right));
        rows.truncate(self.kept());
        self.rows = rows;
    }

    fn compare(&self, left: &Key, right: &Key) -> Ordering {
        let by_value = |sort: &Sort| sort.compare(left.value.as_ref(), right.value.as_ref());
        let by_value = self.sort.map_or(Ordering::Equal, by_value);
        by_value.then_with(|| left.id.cmp(&right.id))
    }

    /// The rows of the page, how many there are in all, and where the next page begins.
    fn finish(mut self) -> (Vec<R>, u64, Option<Position>) {
        let mut next = None;
        match (&self.place, self.sort) {
            (Place::Index(_), None) => {}
            (Place::Index(first), Some(_)) => {
                let before = usize::try_from(first - 1).unwrap_or(usize::MAX);
                self.prune();
                self.rows.drain(..before.min(self.rows.len()));
            }
            (Place::Cursor(_), _) => {
                self.prune();
                if self.rows.len() > self.limit {
                    self.rows.truncate(self.limit);
                    let last = self.rows.last();
                    next = last.map(|(key, _)| Position::Found(key.clone()));
                }
            }
        }
        let rows = self.rows.into_iter().map(|(_, row)| row).collect();
        (rows, self.total, next)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::{
        error::ScimType,
        schema::SERVED_USER,
        sort::{Direction, Sort},
    };

    /// Numbers from 0 in an order of their own, with names that repeat.
    fn shuffled() -> impl Iterator<Item = (u64, Value)> {
        (0..5000).map(|n| {
            let number = n * 2111 % 5000;
            let name = number / 2;
            (
                number,
                json!({"id": format!("{number:04}"), "userName": format!("U{name:04}")}),
            )
        })
    }

    fn pick(sort: Option<&Sort>, place: Place, limit: usize) -> (Vec<u64>, Option<Position>) {
        let mut picked = Picked::new(sort, place, limit).unwrap();
        for (number, value) in shuffled() {
            picked.take(number, &value);
            assert!(picked.rows.len() <= 2 * picked.kept() + 100);
        }
        let (rows, total, next) = picked.finish();
        assert_eq!(total, 5000);
        (rows, next)
    }

    fn by_name(direction: Direction) -> Sort {
        Sort::parse("userName", direction, &SERVED_USER, &POLICY).unwrap()
    }

    #[test]
    fn rows_stay_as_they_come_unless_an_order_is_asked_for() {
        let all: Vec<u64> = shuffled().map(|(number, _)| number).collect();
        assert_eq!(pick(None, Place::Index(1), 3), (all[..3].to_vec(), None));
        assert_eq!(
            pick(None, Place::Index(4999), 9),
            (all[4998..].to_vec(), None)
        );
        assert_eq!(pick(None, Place::Index(5001), 9), (vec![], None));
        let up = by_name(Direction::Ascending);
        assert_eq!(
            pick(Some(&up), Place::Index(11), 3),
            (vec![10, 11, 12], None)
        );
        assert_eq!(pick(Some(&up), Place::Index(1), 0), (vec![], None));
        let down = by_name(Direction::Descending);
        // Of the same name the smaller id comes first, either way.
        assert_eq!(
            pick(Some(&down), Place::Index(1), 4),
            (vec![4998, 4999, 4996, 4997], None)
        );
    }

    #[test]
    fn cursors_lead_through_an_order() {
        for sort in [None, Some(by_name(Direction::Ascending))] {
            let (mut walked, mut after) = (Vec::new(), None);
            loop {
                let (rows, next) = pick(sort.as_ref(), Place::Cursor(after), 999);
                walked.extend(rows);
                after = next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(walked, (0..5000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_order_has_an_end_and_a_search_its_time() {
        let sort = by_name(Direction::Ascending);
        let far = Picked::<u64>::new(Some(&sort), Place::Index(MAX_SORTED), 10);
        assert_eq!(far.err().unwrap().scim_type, Some(ScimType::TooMany));
        let mut search = Search {
            filter: None,
            sort: None,
            deadline: Instant::now() + SEARCH_TIME,
        };
        assert_eq!(search.check_time(), Ok(()));
        search.deadline = Instant::now();
        let late = search.check_time().unwrap_err();
        assert_eq!(late.scim_type, Some(ScimType::TooMany));
    }
}
