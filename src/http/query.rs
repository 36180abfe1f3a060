//! The query part of a request.

use axum::{
    extract::{FromRequestParts, Query},
    http::{Uri, request::Parts},
};

use crate::{
    bridge::MAX_RESULTS,
    scim::{self, list::ListQuery},
};

/// What a client wants to see of one resource or of a list.
pub struct ScimQuery(pub ListQuery);

impl<S: Send + Sync> FromRequestParts<S> for ScimQuery {
    type Rejection = scim::Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, scim::Error> {
        let uri = with_plain_pluses(&parts.uri);
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri)
            .map_err(|error| scim::Error::invalid_syntax(format!("query: {error}")))?;
        ListQuery::from_pairs(&pairs, MAX_RESULTS).map(Self)
    }
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
