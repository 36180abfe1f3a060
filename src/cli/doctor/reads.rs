//! How answers to reads are judged.

use std::time::Duration;

use serde_json::Value;

use super::{
    finding::{Finding, Verdict},
    visit::{Answer, JSON, SCIM},
};
use crate::{cli::terminal::plain, scim::discovery::CONFIG_URN};

const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// The slowest answer that no gateway and no provider minds, and the median that nobody notices.
const SLOWEST: Duration = Duration::from_secs(10);
const MEDIAN: Duration = Duration::from_secs(2);

/// The resources of a list that is one (RFC 7644, section 3.4.2).
pub fn resources(answer: &Answer) -> Result<&[Value], Finding> {
    answer.expect(200)?;
    if !answer.is_of(SCIM) && !answer.is_of(JSON) {
        return Err(answer.unexpected());
    }
    let list = &answer.body;
    let resources = list["Resources"].as_array().map_or(&[][..], Vec::as_slice);
    if list["schemas"][0] != LIST_URN || !list["totalResults"].is_u64() {
        return Err(Finding::failed("the answer is no SCIM list"));
    }
    Ok(resources)
}

/// Nobody and nothing has such a name.
pub fn nothing_found(answer: &Answer) -> Verdict {
    match resources(answer)? {
        [] if answer.body["totalResults"] == 0 => Ok("200 with an empty list".to_owned()),
        found => Err(Finding::failed(format!(
            "{} resources where none has this name: the filter is not heeded",
            found.len()
        ))),
    }
}

/// A page: no longer than asked, each resource with its id and its name.
pub fn page(answer: &Answer, longest: usize, name: &str) -> Verdict {
    let found = resources(answer)?;
    if found.len() > longest {
        return Err(Finding::failed(format!(
            "{} resources where {longest} were asked for",
            found.len()
        )));
    }
    if let Some(odd) = found
        .iter()
        .find(|one| !one["id"].is_string() || !one[name].is_string())
    {
        return Err(Finding::failed(format!(
            "the resource with the id {} lacks its id or {name}",
            odd["id"]
        )));
    }
    Ok(format!(
        "{} of {}",
        found.len(),
        answer.body["totalResults"]
    ))
}

/// What the bridge says of itself (RFC 7643, section 5).
pub fn config(answer: &Answer) -> Verdict {
    let config = &answer.expect(200)?.body;
    for (what, holds) in [
        ("its schema", config["schemas"][0] == CONFIG_URN),
        ("PATCH", config["patch"]["supported"] == true),
        ("filters", config["filter"]["supported"] == true),
        (
            "bearer tokens",
            config["authenticationSchemes"][0]["type"] == "oauthbearertoken",
        ),
    ] {
        if !holds {
            return Err(Finding::failed(format!("it does not speak of {what}")));
        }
    }
    Ok("PATCH, filters and bearer tokens".to_owned())
}

/// Nothing is there, and the answer is an error that providers can show.
pub fn error(answer: &Answer) -> Verdict {
    answer.expect(404)?;
    match answer.is_scim_error() {
        true => Ok("404 as a SCIM error".to_owned()),
        false => Err(Finding::failed(format!(
            "answered {}, which is no SCIM error",
            answer.shown()
        ))),
    }
}

/// What is long comes packed, if the client can unpack it.
pub fn packed(answer: &Answer) -> Verdict {
    answer.expect(200)?;
    match answer.is_packed() {
        true => Ok("packed with gzip".to_owned()),
        false => Err(Finding::warning("not packed, though it may be")),
    }
}

/// How long answers took, however many there are.
pub fn latency(mut took: Vec<Duration>) -> Verdict {
    took.sort();
    let (Some(median), Some(slowest)) = (took.get(took.len() / 2), took.last()) else {
        return Err(Finding::skipped("nothing was asked"));
    };
    let seen = format!(
        "median {} ms, slowest {} ms of {}",
        median.as_millis(),
        slowest.as_millis(),
        took.len()
    );
    match *slowest > SLOWEST || *median > MEDIAN {
        true => Err(Finding::warning(seen)),
        false => Ok(seen),
    }
}

/// What `/health` answers: the parts that are not healthy, and what to do about them.
pub fn health(answer: &Answer) -> Verdict {
    // A bridge that is down says so with 503. What is not there is not spoken of.
    let health = &answer.body;
    let text = |value: &Value| plain(value.as_str().unwrap_or_default());
    let reports = health["reports"].as_array();
    let Some(reports) = reports.filter(|reports| !reports.is_empty()) else {
        return Err(answer.unexpected());
    };
    let provider = &health["activity"]["provider"];
    let visited = match provider["lastRequest"].as_str() {
        Some(_) => format!(
            "; last request of a provider at {} ({})",
            text(&provider["lastRequest"]),
            provider["kind"]
                .as_str()
                .map_or("of no known kind".to_owned(), |_| text(&provider["kind"])),
        ),
        None => String::new(),
    };
    let state = text(&health["state"]);
    let seen = format!("{state}, version {}{visited}", text(&health["version"]));
    let ill = reports.iter().filter(|report| report["state"] != "healthy");
    let (mut reasons, mut remedies) = (vec![seen.clone()], Vec::new());
    for report in ill {
        reasons.push(format!(
            "{} is {}: {}",
            text(&report["source"]),
            text(&report["state"]),
            text(&report["reason"])
        ));
        remedies.push(text(&report["remedy"]));
    }
    let finding = match state.as_str() {
        "healthy" => return Ok(seen),
        "down" => Finding::failed(reasons.join("\n")),
        _ => Finding::warning(reasons.join("\n")),
    };
    remedies.retain(|remedy| !remedy.is_empty());
    remedies.dedup();
    Err(match remedies.is_empty() {
        true => finding,
        false => finding.fix(remedies.join("\n")),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::State;

    #[test]
    fn slowness_is_spoken_of() {
        let ms = |list: &[u64]| list.iter().map(|ms| Duration::from_millis(*ms)).collect();
        assert_eq!(
            latency(ms(&[30, 10, 20])).unwrap(),
            "median 20 ms, slowest 30 ms of 3"
        );
        // The first request may meet a cold start.
        assert!(latency(ms(&[9000, 10, 20])).is_ok());
        for slow in [&[11_000, 10, 20][..], &[2100, 2200, 2300]] {
            assert_eq!(latency(ms(slow)).unwrap_err().state, State::Warning);
        }
    }
}
