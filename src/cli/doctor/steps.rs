//! Checks that take more than one read.

use reqwest::{Method, Url, header::DATE};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::{
    finding::{Finding, Verdict},
    network::{self, certificate, unreachable},
    reads,
    visit::{Answer, Ask, JSON, SCIM, Visit, root},
};
use crate::{
    cli::{Status, terminal::plain},
    credentials::{BearerToken, SweepKey},
};

/// Beyond so many seconds two clocks are not the same, and are wrong.
const SKEWED: i64 = 30;
const WRONG: i64 = 300;
/// How often something is read to see how long it takes.
const READS: usize = 5;
/// Bytes of a body that every gateway should let through, and of one that the bridge refuses.
const LARGE: usize = 900_000;
const TOO_LARGE: usize = 2 * 1024 * 1024 + 1;
/// What stands behind the Tenant URL, and so never in it.
const ENDPOINTS: [&str; 7] = [
    "users",
    "groups",
    "schemas",
    "resourcetypes",
    "serviceproviderconfig",
    "ping",
    "health",
];

impl Visit {
    /// Whether the URL looks like one that providers can use.
    pub fn url(&self) -> Verdict {
        shape(&self.given, self.root())
    }

    pub async fn dns(&mut self) -> Verdict {
        let host = network::host(&self.given).to_owned();
        self.addresses = network::addresses(&self.given)
            .await
            .map_err(|error| unreachable(format!("{host} cannot be resolved: {}", error)))?;
        if network::is_address(&self.given) {
            return Err(Finding::skipped("the URL has an address and no name"));
        }
        let found: Vec<_> = self
            .addresses
            .iter()
            .map(|one| one.ip().to_string())
            .collect();
        Ok(format!("{host} is {}", found.join(", ")))
    }

    pub async fn connection(&mut self) -> Verdict {
        let (taking, refusing) = network::connect(&self.addresses).await;
        if taking.is_empty() {
            return Err(unreachable(refusing.join("; ")));
        }
        let seen = format!("{} of {} addresses", taking.len(), self.addresses.len());
        self.addresses = taking;
        // The name localhost has an address that servers seldom listen on.
        match refusing.is_empty() || network::is_here(&self.given) {
            true => Ok(seen),
            false => Err(Finding::warning(format!("{seen}; {}", refusing.join("; ")))),
        }
    }

    pub async fn tls(&mut self) -> Verdict {
        if self.given.scheme() == "http" {
            return Err(match network::is_here(&self.given) {
                true => Finding::skipped("plain HTTP, which stays on this machine"),
                false => Finding::failed(
                    "plain HTTP: anybody on the way could read the token, so it is not sent",
                )
                .fix(
                    "Put something that terminates TLS in front of the bridge, and enter its URL \
                     with https://",
                ),
            });
        }
        let Some(address) = self.addresses.first() else {
            return Err(unreachable("no address"));
        };
        let agreed = network::shake_hands(self.tls.clone(), &self.given, *address).await?;
        self.certificate_ends = agreed.ends;
        Ok(format!(
            "{}; the certificate is for this name and from an authority that is trusted",
            agreed.version
        ))
    }

    pub fn certificate(&self) -> Verdict {
        match self.given.scheme() {
            "https" => certificate(self.certificate_ends, OffsetDateTime::now_utc()),
            _ => Err(Finding::skipped("plain HTTP has none")),
        }
    }

    /// Who forgets the s in https must not be served.
    pub async fn plain_http(&self) -> Verdict {
        if self.given.scheme() != "https" || self.given.port().is_some() {
            return Err(Finding::skipped(
                "the URL is not https:// at its usual port",
            ));
        }
        let url = self.base.replacen("https", "http", 1) + "/ping";
        match self.ask(without_token(&url)).await {
            Err(_) => Ok("nothing answers http://".to_owned()),
            Ok(answer) if answer.status == 200 => Err(Finding::warning(format!(
                "http:// is answered too: {}",
                answer.shown()
            ))),
            Ok(answer) => Ok(format!("http:// is answered {}", answer.shown())),
        }
    }

    /// Whether a bridge is there at all: only then it is shown the token.
    pub async fn ping(&mut self) -> Verdict {
        let answer = self.ask(without_token("/ping")).await?;
        self.clock_ahead = ahead(&answer, OffsetDateTime::now_utc());
        if answer.status == 200 && answer.is("pong") {
            return Ok(format!("pong after {} ms", answer.took.as_millis()));
        }
        let finding = answer.unexpected();
        // Something is there: is it a bridge, somewhere else?
        let mut place = self.base.as_str();
        while let Some((shorter, last)) = place.rsplit_once('/')
            && !last.is_empty()
            && !shorter.ends_with('/')
        {
            place = shorter;
            let elsewhere = format!("{place}/ping");
            if let Ok(answer) = self.ask(without_token(&elsewhere)).await
                && answer.is("pong")
            {
                let right = format!("{}/scim/v2", root(place));
                return Err(finding.fix(format!("Enter {right}: a bridge answers there")));
            }
        }
        Err(finding)
    }

    pub fn clock(&self) -> Verdict {
        clock(self.clock_ahead)
    }

    /// Whether the token is whole, before anybody sees it.
    pub fn token_text(&self) -> Verdict {
        let refused = |seen: &str| Finding::failed(seen).status(Status::Refused);
        match self.token.parse::<BearerToken>() {
            Ok(_) => Ok("complete, with the right checksum".to_owned()),
            Err(_) if self.token.starts_with(SweepKey::PREFIX) => {
                Err(refused("this is a sweep key, which is not for providers"))
            }
            Err(error) => Err(refused(&error.to_string())),
        }
    }

    /// Nobody is let in without the token: not by the bridge, nor by what is in front of it.
    pub async fn shut_door(&self) -> Verdict {
        let made_up = BearerToken::generate()
            .map_err(|error| Finding::failed(error.to_string()))?
            .expose();
        for (who, token) in [
            ("a request without a token", None),
            ("a request with a made-up token", Some(made_up.as_str())),
        ] {
            let ask = Ask {
                token,
                ..self.read("/ServiceProviderConfig")
            };
            let answer = self.ask(ask).await?;
            if answer.status != 401 {
                let finding = match answer.status {
                    200..=299 => Finding::failed(format!("{who} is let in")).fix(
                        "Take away what adds a token on the way: whoever knows the URL could \
                         invite and suspend people",
                    ),
                    _ => answer.unexpected(),
                };
                return Err(finding);
            }
            if !answer.is_scim_error() {
                return Err(Finding::warning(format!(
                    "{who} is answered {}, which is no SCIM error",
                    answer.shown()
                )));
            }
        }
        Ok("401 as a SCIM error, without and with a made-up token".to_owned())
    }

    /// Whether the bridge takes the token, and for a provider's.
    pub async fn admission(&self) -> Verdict {
        let answer = self.get("/ServiceProviderConfig").await?;
        if answer.status == 403 && answer.is_scim_error() {
            return Err(answer.unexpected().fix(
                "Give the provider a token for provisioning: scim-bridge token add; this one is \
                 for a monitor",
            ));
        }
        answer.expect(200)?;
        Ok("the bridge takes it".to_owned())
    }

    /// Whether the documents of discovery fit each other (RFC 7644, section 4).
    pub async fn discovery(&self) -> Verdict {
        let types = self.get("/ResourceTypes").await?;
        let schemas = self.get("/Schemas").await?;
        let schemas = reads::resources(&schemas)?;
        let described = |urn: &Value| schemas.iter().any(|schema| &schema["id"] == urn);
        let types = reads::resources(&types)?;
        for (name, endpoint) in [("User", "/Users"), ("Group", "/Groups")] {
            let Some(one) = types.iter().find(|one| one["name"] == name) else {
                return Err(Finding::failed(format!("/ResourceTypes lacks {name}")));
            };
            if one["endpoint"] != endpoint {
                return Err(Finding::failed(format!("{name} is at {}", one["endpoint"])));
            }
            let extensions = one["schemaExtensions"].as_array();
            let extensions = extensions.into_iter().flatten().map(|one| &one["schema"]);
            for urn in extensions.chain([&one["schema"]]) {
                if !described(urn) {
                    return Err(Finding::failed(format!("/Schemas lacks {urn}")));
                }
            }
        }
        Ok(format!("{} types, {} schemas", types.len(), schemas.len()))
    }

    /// Whether the bridge knows its own URL.
    pub async fn location(&self) -> Verdict {
        let answer = self.get("/ServiceProviderConfig").await?;
        let location = answer.expect(200)?.body["meta"]["location"].as_str();
        let location = location.unwrap_or_default();
        match location.starts_with(&format!("{}/", self.base)) {
            true => Ok(format!("resources are at {}", self.base)),
            false => Err(Finding::warning(format!(
                "the bridge says that it is at {}",
                plain(location)
            ))
            .fix(format!(
                "Set SCIM_BRIDGE_PUBLIC_URL={}, or let what is in front of the bridge send Host \
                 and X-Forwarded-Proto as they came",
                self.root()
            ))),
        }
    }

    /// Whether every form of the URL that providers use leads to the same.
    pub async fn paths(&self) -> Verdict {
        let (base, root) = (&self.base, self.root());
        let forms = [
            format!("{root}/ServiceProviderConfig"),
            format!("{root}/scim/ServiceProviderConfig"),
            format!("{root}/scim/v2/ServiceProviderConfig"),
            format!("{base}/ServiceProviderConfig/"),
            format!("{base}//ServiceProviderConfig"),
        ];
        for place in [
            root.to_owned(),
            format!("{root}/scim"),
            format!("{root}/scim/v2"),
        ] {
            let answer = self.ask(without_token(&format!("{place}/ping"))).await?;
            // Somebody else may be there, who is to see no token.
            if answer.status != 200 || !answer.is("pong") {
                let seen = format!("{place}/ping is answered {}", answer.shown());
                return Err(Finding::warning(seen));
            }
        }
        for form in &forms {
            let answer = self.get(form).await?;
            if answer.status != 200 {
                let seen = format!("{form} is answered {}", answer.shown());
                return Err(Finding::warning(seen));
            }
        }
        Ok("with /scim/v2, /scim and without, with needless slashes".to_owned())
    }

    /// Whether the bodies of large groups get through.
    pub async fn large_body(&self) -> Verdict {
        let answer = self
            .send(Method::POST, "/Users/.search", search(LARGE))
            .await?;
        reads::nothing_found(&answer)?;
        Ok(format!("{LARGE} bytes get through"))
    }

    /// Whether a body that is too large is refused so that providers can show why.
    pub async fn too_large_body(&self) -> Verdict {
        let answer = self
            .send(Method::POST, "/Users/.search", search(TOO_LARGE))
            .await
            .map_err(|finding| Finding::warning(format!("no answer: {}", finding.seen)))?;
        match answer.status == 413 && answer.is_scim_error() {
            true => Ok("413 as a SCIM error".to_owned()),
            false => Err(Finding::warning(format!("answered {}", answer.shown()))),
        }
    }

    pub async fn latency(&self) -> Verdict {
        let mut took = Vec::new();
        for _ in 0..READS {
            let answer = self.get(&someone()?).await?;
            reads::nothing_found(&answer)?;
            took.push(answer.took);
        }
        reads::latency(took)
    }

    /// What OneLogin does: somebody who is not there, as an empty list or 404.
    pub async fn one_login(&self) -> Verdict {
        let path = someone()?;
        let ask = Ask {
            accept: JSON,
            ..self.read(&path)
        };
        let answer = self.ask(ask).await?;
        match answer.status {
            404 if answer.is_scim_error() => Ok("404".to_owned()),
            _ => reads::nothing_found(&answer),
        }
    }

    /// How the bridge finds itself. A monitor's token opens this too.
    pub async fn health(&self) -> Verdict {
        let answer = self.get("/health").await?;
        match answer.status {
            401 => Err(Finding::skipped("the token does not open it")),
            _ => reads::health(&answer),
        }
    }
}

/// A search by a name that nobody has.
fn someone() -> Result<String, Finding> {
    Ok(format!(
        "/Users?filter=userName eq \"{}\"&startIndex=1&count=100",
        random_name()?
    ))
}

/// A name that nobody and nothing has, as Microsoft Entra ID makes one.
pub fn random_name() -> Result<String, Finding> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Finding::failed(error.to_string()))?;
    let hex = data_encoding::HEXLOWER.encode(&random);
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

/// A search that finds nobody, in a body of so many bytes.
fn search(bytes: usize) -> String {
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName eq \"nobody@scim-bridge-doctor.invalid\"",
        "count": 1,
    });
    let search = search.to_string();
    let rest = bytes.saturating_sub(search.len());
    search + &" ".repeat(rest)
}

fn without_token(path: &str) -> Ask<'_> {
    Ask {
        method: Method::GET,
        path,
        token: None,
        accept: SCIM,
        packed: false,
        body: None,
    }
}

/// By how many seconds the sender of an answer is ahead of `now`.
fn ahead(answer: &Answer, now: OffsetDateTime) -> Option<i64> {
    let date = OffsetDateTime::parse(answer.header(DATE), &Rfc2822).ok()?;
    Some((date - now).whole_seconds())
}

fn clock(ahead: Option<i64>) -> Verdict {
    let Some(ahead) = ahead else {
        return Err(Finding::skipped("the answers have no Date"));
    };
    let seen = match ahead {
        -1..=1 => return Ok("the same time as here".to_owned()),
        2.. => format!("{ahead} seconds ahead of here"),
        _ => format!("{} seconds behind here", -ahead),
    };
    if ahead.abs() > WRONG {
        Err(Finding::failed(seen))
    } else if ahead.abs() > SKEWED {
        Err(Finding::warning(seen))
    } else {
        Ok(seen)
    }
}

/// Whether a URL looks like one that providers can use; `root` is what comes before `/scim/v2`.
fn shape(url: &Url, root: &str) -> Verdict {
    let path = url.path().trim_end_matches('/');
    let lower = path.to_lowercase();
    let last = lower.rsplit('/').next().unwrap_or_default();
    let wrong = |seen: String, right: String| Finding::failed(seen).fix(format!("Enter {right}"));
    let doubtful = |seen: String, fix: String| Err(Finding::warning(seen).fix(fix));
    if let Some(endpoint) = path.rsplit('/').next()
        && ENDPOINTS.contains(&last)
    {
        let right = url.as_str().split(&format!("/{endpoint}")).next();
        return Err(wrong(
            format!("it ends with /{endpoint}, which the provider adds itself"),
            right.unwrap_or_default().to_owned(),
        ));
    }
    let origin = url.origin().ascii_serialization();
    let right = || format!("{origin}/scim/v2");
    if path != lower && (lower.ends_with("/scim") || lower.ends_with("/scim/v2")) {
        return Err(wrong(
            format!("{path} is not written in small letters"),
            right(),
        ));
    }
    if last != "scim" && !lower.ends_with("/scim/v2") {
        let is_version = |text: &str| {
            let digits = text.strip_prefix('v').unwrap_or(text);
            !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        };
        if is_version(last) || last.starts_with("scim") {
            return Err(wrong(
                format!("{path} is none of a bridge's paths"),
                right(),
            ));
        }
    }
    if let Some(query) = url.query().filter(|query| *query != "aadOptscim062020") {
        // What is in it is not repeated: it may be a secret.
        return doubtful(
            format!("it ends with a query of {} characters", query.len()),
            "Take away what begins with the question mark".to_owned(),
        );
    }
    if url.path().ends_with('/') && !path.is_empty() {
        return doubtful(
            "it ends with a slash; OneLogin wants none".to_owned(),
            "Take it away: most providers add one of their own".to_owned(),
        );
    }
    if !path.ends_with("/scim") && !path.ends_with("/scim/v2") {
        return doubtful(
            "it does not end with /scim/v2".to_owned(),
            format!("Enter {root}/scim/v2: it is what the status page and the documentation name"),
        );
    }
    Ok(format!("{} at {path}", url.scheme()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::State;

    #[test]
    fn urls_with_typing_mistakes_are_told() {
        use State::{Failed, Warning};
        for (url, state, says) in [
            ("https://b.example/scim/v2", None, "/scim/v2"),
            (
                "https://b.example/scim/v2?aadOptscim062020",
                None,
                "/scim/v2",
            ),
            ("https://b.example/prod/scim", None, "/prod/scim"),
            ("https://b.example/scim/v2/", Some(Warning), "slash"),
            ("https://b.example/", Some(Warning), "/scim/v2"),
            ("https://b.example/prod", Some(Warning), "/scim/v2"),
            (
                "https://b.example/scim/v2?x=secret",
                Some(Warning),
                "8 characters",
            ),
            ("https://b.example/scim/v2/Users", Some(Failed), "/Users"),
            ("https://b.example/scim/v2/users/", Some(Failed), "/users"),
            ("https://b.example/SCIM/v2", Some(Failed), "small letters"),
            ("https://b.example/scim/v1", Some(Failed), "none of"),
            ("https://b.example/scim/2.0", Some(Failed), "none of"),
            ("https://b.example/v2", Some(Failed), "none of"),
            ("https://b.example/scimv2", Some(Failed), "none of"),
        ] {
            let (found, seen) = match shape(&url.parse().unwrap(), "https://b.example") {
                Ok(seen) => (None, seen),
                Err(finding) => (Some(finding.state), finding.seen),
            };
            assert_eq!(found, state, "{url}: {seen}");
            assert!(seen.contains(says), "{url}: {seen}");
            assert!(!seen.contains("secret"), "{seen}");
        }
    }

    #[test]
    fn clocks_may_differ_a_little() {
        for (ahead, state) in [
            (Some(0), None),
            (Some(-30), None),
            (Some(31), Some(State::Warning)),
            (Some(-300), Some(State::Warning)),
            (Some(301), Some(State::Failed)),
            (None, Some(State::Skipped)),
        ] {
            let found = clock(ahead).err().map(|finding| finding.state);
            assert_eq!(found, state, "{ahead:?}");
        }
    }

    #[test]
    fn a_body_is_as_large_as_it_says() {
        let body = search(LARGE);
        assert_eq!(body.len(), LARGE);
        assert!(serde_json::from_str::<Value>(&body).is_ok());
    }
}
