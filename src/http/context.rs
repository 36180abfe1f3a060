//! What of a request's URL and headers its answer depends on.

use axum::{
    extract::{FromRequestParts, Query},
    http::{
        HeaderMap, HeaderName, Uri,
        header::{IF_MATCH, IF_NONE_MATCH},
        request::Parts,
    },
};

use super::base::Base;
use crate::{
    bridge::{Context, MAX_RESULTS},
    scim::{self, list::ListQuery, version::Conditions},
};

/// A request's context.
pub struct Asked(pub Context);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = scim::Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, scim::Error> {
        let Base(base) = Base::from_request_parts(parts, state).await?;
        let if_match = header(&parts.headers, &IF_MATCH);
        let if_none_match = header(&parts.headers, &IF_NONE_MATCH);
        Ok(Self(Context {
            base,
            query: ListQuery::from_pairs(&pairs(&parts.uri)?, MAX_RESULTS)?,
            conditions: Conditions::from_headers(if_match.as_deref(), if_none_match.as_deref()),
        }))
    }
}

/// A discovery document is given whole. RFC 7644, section 4: a filter on it is refused, and what
/// else is asked for passed over.
pub struct Unfiltered;

impl<S: Send + Sync> FromRequestParts<S> for Unfiltered {
    type Rejection = scim::Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, scim::Error> {
        let filtered = |(name, _): &(String, String)| name.eq_ignore_ascii_case("filter");
        if pairs(&parts.uri)?.iter().any(filtered) {
            return Err(scim::Error::forbidden(
                "what the server says about itself cannot be filtered: ask without 'filter'",
            ));
        }
        Ok(Self)
    }
}

/// A header that may be sent in several lines, as one list.
fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    // What is no text names no version of ours.
    let texts = lines.iter().map(|line| line.to_str().unwrap_or_default());
    (!lines.is_empty()).then(|| texts.collect::<Vec<_>>().join(","))
}

fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, scim::Error> {
    let uri = with_plain_pluses(uri);
    let Query(pairs) = Query::try_from_uri(&uri).map_err(|error| {
        scim::Error::invalid_syntax(format!("the URL's query cannot be read: {error}"))
    })?;
    Ok(pairs)
}

/// A client writes blanks either as `+` or as `%20`. Where it writes `%20`, a `+` is meant as one:
/// many addresses have it, and not every client encodes it.
fn with_plain_pluses(uri: &Uri) -> Uri {
    match uri.query() {
        Some(query) if query.contains("%20") && query.contains('+') => {
            let query = query.replace('+', "%2B");
            let same = format!("{}?{query}", uri.path());
            same.parse().unwrap_or_else(|_| uri.clone())
        }
        _ => uri.clone(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_is_a_blank_only_where_blanks_are_written_so() {
        let filter = |uri: &str| {
            let uri = with_plain_pluses(&uri.parse().unwrap());
            let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).unwrap();
            pairs[0].1.clone()
        };
        assert_eq!(filter("/Users?filter=a+eq+%22b%22"), "a eq \"b\"");
        assert_eq!(filter("/Users?filter=a%20eq%20%22b+c%22"), "a eq \"b+c\"");
        assert_eq!(filter("/Users?filter=a+eq+%22b%2Bc%22"), "a eq \"b+c\"");
    }
}
