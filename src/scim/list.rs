//! Queries for lists, and their answers. RFC 7644 sections 3.4.2 and 3.4.3.

use serde_json::{Map, Value, json};

use super::error::Error;
use super::filter::Filter;
use super::lookup;
use super::policy::Policy;
use super::projection::Projection;
use super::schema::ResourceSchema;
use super::sort::{Direction, Sort};

/// The schema URN of a list answer.
pub const LIST_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// The schema URN of a search body.
pub const SEARCH_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What a client wants to see of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Number of the first result wanted; counting starts at 1.
    pub start_index: u64,
    /// How many results at most; never above the cap.
    pub count: u64,
    /// The cursor, if cursor paging is wanted; empty asks for the first page. RFC 9865.
    pub cursor: Option<String>,
    filter: Option<String>,
    sort_by: Option<String>,
    direction: Direction,
    attributes: Vec<String>,
    excluded_attributes: Vec<String>,
}

impl ListQuery {
    /// Reads a URL's query. Names are read in any case, unknown ones passed over. Lists of
    /// attributes that are given twice are joined. Without `count` there are `cap` results.
    pub fn from_pairs(pairs: &[(String, String)], cap: u64) -> Result<Self, Error> {
        let all = |name: &str| -> Vec<&String> {
            let named = pairs
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value).collect()
        };
        for name in [
            "startIndex",
            "count",
            "cursor",
            "filter",
            "sortBy",
            "sortOrder",
        ] {
            if let [first, rest @ ..] = &all(name)[..]
                && rest.iter().any(|other| other != first)
            {
                // To drop one of two filters would widen the answer.
                return Err(Error::invalid_value(format!(
                    "'{name}' is there more than once, with different values."
                )));
            }
        }
        let find = |name: &str| all(name).into_iter().next();
        let listed = |name: &str| {
            let texts: Vec<&str> = all(name).into_iter().map(String::as_str).collect();
            texts.join(",")
        };
        let cursor = find("cursor").cloned();
        Ok(Self {
            start_index: start_index(find("startIndex").map(|text| integer("startIndex", text)))?,
            count: count(
                find("count").map(|text| integer("count", text)),
                cap,
                cursor.is_some(),
            )?,
            cursor,
            filter: find("filter").cloned(),
            sort_by: find("sortBy").cloned(),
            direction: direction(find("sortOrder").map(String::as_str))?,
            attributes: names(&listed("attributes")),
            excluded_attributes: names(&listed("excludedAttributes")),
        })
    }

    /// Reads the body of `POST /.search`. RFC 7644 section 3.4.3.
    pub fn from_search(body: &Value, cap: u64) -> Result<Self, Error> {
        let members = body
            .as_object()
            .ok_or_else(|| Error::invalid_syntax("A search must be a JSON object."))?;
        let is_search = lookup::assigned(members, "schemas")
            .and_then(Value::as_array)
            .is_some_and(|urns| {
                urns.iter()
                    .filter_map(Value::as_str)
                    .any(|urn| urn.eq_ignore_ascii_case(SEARCH_REQUEST_URN))
            });
        if !is_search {
            return Err(Error::invalid_syntax(format!(
                "'schemas' must contain {SEARCH_REQUEST_URN}."
            )));
        }
        let number = |name: &str| {
            lookup::assigned(members, name).map(|value| match value {
                Value::Number(number) => integer(name, &number.to_string()),
                Value::String(text) => integer(name, text),
                _ => Err(not_a_number(name)),
            })
        };
        let cursor = string(members, "cursor")?;
        Ok(Self {
            start_index: start_index(number("startIndex"))?,
            count: count(number("count"), cap, cursor.is_some())?,
            cursor,
            filter: string(members, "filter")?,
            sort_by: string(members, "sortBy")?,
            direction: direction(string(members, "sortOrder")?.as_deref())?,
            attributes: strings(members, "attributes")?,
            excluded_attributes: strings(members, "excludedAttributes")?,
        })
    }

    /// Wants of a resource no more than every answer has.
    pub fn minimal() -> Self {
        Self {
            start_index: 1,
            count: 0,
            cursor: None,
            filter: None,
            sort_by: None,
            direction: Direction::Ascending,
            attributes: vec!["id".to_owned()],
            excluded_attributes: Vec::new(),
        }
    }

    /// What decides which results there are and in which order: a cursor is good for this only.
    /// Page size and attributes may change on the way.
    pub fn selection(&self) -> String {
        format!("{:?} {:?} {:?}", self.filter, self.sort_by, self.direction)
    }

    /// The filter, read for this kind of resource.
    pub fn filter(
        &self,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Option<Filter>, Error> {
        self.filter
            .as_deref()
            .map(|text| Filter::parse(text, schema, policy))
            .transpose()
    }

    /// The order, for this kind of resource; `None` if none was asked for.
    pub fn sort(
        &self,
        schema: &'static ResourceSchema,
        policy: &Policy,
    ) -> Result<Option<Sort>, Error> {
        self.sort_by
            .as_deref()
            .map(|text| Sort::parse(text, self.direction, schema, policy))
            .transpose()
    }

    /// Which attributes to give.
    pub fn projection(&self, schema: &'static ResourceSchema, policy: &Policy) -> Projection {
        Projection::new(&self.attributes, &self.excluded_attributes, schema, policy)
    }
}

/// RFC 7644 section 3.4.2.4, table 6: less than 1 is read as 1.
fn start_index(given: Option<Result<i64, Error>>) -> Result<u64, Error> {
    let given = given.transpose()?.unwrap_or(1);
    Ok(u64::try_from(given).unwrap_or(0).max(1))
}

/// RFC 7644 section 3.4.2.4, table 6: a negative count is read as 0; a server may give fewer
/// results than asked for. RFC 9865 section 2: pages found by cursor have at least one result.
fn count(given: Option<Result<i64, Error>>, cap: u64, by_cursor: bool) -> Result<u64, Error> {
    let given = given
        .transpose()?
        .map_or(cap, |given| u64::try_from(given).unwrap_or(0).min(cap));
    match given {
        0 if by_cursor => Err(Error::invalid_count(format!(
            "With 'cursor', 'count' must be between 1 and {cap}."
        ))),
        given => Ok(given),
    }
}

/// A whole number; beyond the machine's range it counts as the end of the range.
fn integer(name: &str, text: &str) -> Result<i64, Error> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_a_number(name));
    }
    let limit = if text.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Ok(text.parse().unwrap_or(limit))
}

fn not_a_number(name: &str) -> Error {
    Error::invalid_value(format!("'{name}' must be a whole number."))
}

/// RFC 7644 section 3.4.2.3: ascending unless said otherwise.
fn direction(given: Option<&str>) -> Result<Direction, Error> {
    match given {
        None | Some("") => Ok(Direction::Ascending),
        Some(text) if text.eq_ignore_ascii_case("ascending") => Ok(Direction::Ascending),
        Some(text) if text.eq_ignore_ascii_case("descending") => Ok(Direction::Descending),
        Some(_) => Err(Error::invalid_value(
            "'sortOrder' is 'ascending' or 'descending'.",
        )),
    }
}

/// RFC 7644 section 3.9: names parted by commas.
fn names(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn string(members: &Map<String, Value>, name: &str) -> Result<Option<String>, Error> {
    match lookup::assigned(members, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Error::invalid_value(format!("'{name}' must be a string."))),
    }
}

fn strings(members: &Map<String, Value>, name: &str) -> Result<Vec<String>, Error> {
    let wrong = || Error::invalid_value(format!("'{name}' must be a list of strings."));
    match lookup::assigned(members, name) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(names(text)),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

/// A page of results out of `total`. RFC 7644 section 3.4.2.
pub fn list_response(resources: Vec<Value>, total: u64, start_index: u64) -> Value {
    json!({
        "schemas": [LIST_RESPONSE_URN],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// A page found by cursor; without `next` it is the last. RFC 9865 section 2.
pub fn cursor_response(resources: Vec<Value>, total: u64, next: Option<&str>) -> Value {
    let mut body = json!({
        "schemas": [LIST_RESPONSE_URN],
        "totalResults": total,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    });
    if let (Some(next), Some(members)) = (next, body.as_object_mut()) {
        members.insert("nextCursor".to_owned(), Value::from(next));
    }
    body
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::error::ScimType;
    use super::super::schema::{GROUP, USER};
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ListQuery, Error> {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        ListQuery::from_pairs(&pairs, 100)
    }

    #[test]
    fn what_is_given_twice_is_joined_or_refused() {
        let query = read(&[("attributes", "a,b"), ("ATTRIBUTES", "c")]).unwrap();
        assert_eq!(query.attributes, ["a", "b", "c"]);
        assert!(read(&[("filter", "a pr"), ("filter", "a pr")]).is_ok());
        for name in ["filter", "sortBy", "count", "startIndex", "cursor"] {
            let error = read(&[(name, "1"), (name, "2")]).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{name}");
        }
    }

    #[test]
    fn page_numbers_are_bounded() {
        for (pairs, start_index, count) in [
            (vec![], 1, 100),
            (vec![("startIndex", "0"), ("count", "-3")], 1, 0),
            (vec![("startindex", "101"), ("COUNT", "100000")], 101, 100),
            (vec![("count", "0")], 1, 0),
            (
                vec![
                    ("count", "99999999999999999999"),
                    ("startIndex", "-99999999999999999999"),
                ],
                1,
                100,
            ),
        ] {
            let query = read(&pairs).unwrap();
            assert_eq!(
                (query.start_index, query.count),
                (start_index, count),
                "{pairs:?}"
            );
        }
        for text in ["x", "1.5", "", "1e2", "0x1"] {
            assert_eq!(
                read(&[("count", text)]).unwrap_err().scim_type,
                Some(ScimType::InvalidValue)
            );
        }
    }

    #[test]
    fn a_page_found_by_cursor_has_results() {
        let first = read(&[("cursor", ""), ("count", "7")]).unwrap();
        assert_eq!((first.cursor.as_deref(), first.count), (Some(""), 7));
        for count in ["0", "-1"] {
            let error = read(&[("cursor", "x"), ("count", count)]).unwrap_err();
            assert_eq!(error.scim_type, Some(ScimType::InvalidCount));
        }
    }

    #[test]
    fn a_selection_is_filter_and_order() {
        let one = read(&[("filter", "id pr"), ("count", "1"), ("attributes", "id")]).unwrap();
        let same = read(&[("count", "2"), ("Filter", "id pr"), ("cursor", "x")]).unwrap();
        assert_eq!(one.selection(), same.selection());
        for other in [
            &[("filter", "id pr"), ("sortBy", "id")][..],
            &[("filter", "id pr"), ("sortOrder", "descending")],
            &[("filter", "id PR")],
        ] {
            let other = read(other).unwrap();
            assert_ne!(one.selection(), other.selection());
        }
    }

    #[test]
    fn unknown_parameters_are_passed_over() {
        assert_eq!(
            read(&[("aadOptscim062020", "")]).unwrap(),
            read(&[]).unwrap()
        );
    }

    #[test]
    fn a_filter_is_read_for_its_resource() {
        let query = read(&[("Filter", "members eq \"u\"")]).unwrap();
        assert!(query.filter(&GROUP, &Policy::strict()).unwrap().is_some());
        assert!(query.filter(&USER, &Policy::strict()).is_err());
        assert!(
            read(&[("filter", "")])
                .unwrap()
                .filter(&USER, &Policy::strict())
                .is_err()
        );
    }

    #[test]
    fn a_search_body_says_the_same() {
        let body = json!({
            "schemas": [SEARCH_REQUEST_URN], "filter": "userName pr", "startIndex": 0, "count": 10,
            "attributes": ["userName"], "sortBy": "userName", "sortOrder": "descending", "excludedAttributes": null
        });
        let query = ListQuery::from_search(&body, 100).unwrap();
        let same = read(&[
            ("filter", "userName pr"),
            ("count", "10"),
            ("attributes", "userName"),
            ("sortBy", "userName"),
            ("sortOrder", "descending"),
        ]);
        assert_eq!(query, same.unwrap());
        assert!(ListQuery::from_search(&json!({}), 100).is_err());
        assert!(
            ListQuery::from_search(&json!({"schemas": [SEARCH_REQUEST_URN], "count": 1.5}), 100)
                .is_err()
        );
    }

    #[test]
    fn answers_count_what_they_hold() {
        let answer = list_response(vec![json!({"id": "a"})], 7, 3);
        assert_eq!(answer["itemsPerPage"], 1);
        assert_eq!(answer["totalResults"], 7);
        assert_eq!(answer["startIndex"], 3);
    }
}
