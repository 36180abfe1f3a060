//! Which identity provider a client is: for people to read, and nothing depends on it.

use axum::http::{HeaderMap, header::USER_AGENT};

const ENTRA: &str = "Microsoft Entra ID";

/// A header that Entra ID's provisioning sends; a `User-Agent` it may not send at all.
const ENTRA_HEADER: &str = "adscimversion";

/// What `scim-bridge doctor` calls itself, which is no provider.
pub const DOCTOR: &str = "scim-bridge-doctor";

/// What stands in a `User-Agent`, in lower case, and whose it is. Okta documents its own (`Okta SCIM
/// Client 1.0.0`) and Google's is known (`Google-Auto-Provisioning`); of the others none is
/// documented, and a client that gives one of these names is taken at its word.
const NAMES: [(&str, &str); 8] = [
    ("okta", "Okta"),
    ("onelogin", "OneLogin"),
    ("jumpcloud", "JumpCloud"),
    ("rippling", "Rippling"),
    ("google", "Google Workspace"),
    ("entra", ENTRA),
    ("azure", ENTRA),
    ("microsoft", ENTRA),
];

/// What the Azure Functions host adds to the `User-Agent` of all that it passes on.
const FUNCTIONS_HOST: &str = "azure-functions-host/";

/// Whether only the doctor calls.
pub fn is_doctor(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|text| text.to_str().ok());
    agent.is_some_and(|agent| agent.starts_with(DOCTOR))
}

/// The provider that sends these headers, if they tell.
pub fn of(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(ENTRA_HEADER) {
        return Some(ENTRA);
    }
    kind(headers.get(USER_AGENT)?.to_str().ok()?)
}

/// The provider whose `User-Agent` this is, if it tells.
pub fn kind(user_agent: &str) -> Option<&'static str> {
    let agent = user_agent.to_lowercase();
    let words = agent.split_ascii_whitespace();
    let mut own = words.filter(|word| !word.starts_with(FUNCTIONS_HOST));
    own.find_map(|word| {
        let mut names = NAMES.iter();
        let (_, provider) = names.find(|(name, _)| word.contains(name))?;
        Some(*provider)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_by_what_it_calls_itself() {
        for (agent, provider) in [
            ("Okta SCIM Client 1.0.0", Some("Okta")),
            ("Google-Auto-Provisioning", Some("Google Workspace")),
            ("OneLogin SCIM", Some("OneLogin")),
            ("JumpCloud/2.0", Some("JumpCloud")),
            ("rippling", Some("Rippling")),
            ("azure-logic-apps/1.0", Some(ENTRA)),
            ("curl/8.5.0", None),
            ("", None),
            // In front of the bridge on Azure, whoever called.
            ("curl/8.5.0 Azure-Functions-Host/4.1044.400.0", None),
            ("Azure-Functions-Host/4.1044.400.0", None),
            (
                "Okta SCIM Client 1.0.0 Azure-Functions-Host/4.1044.400.0",
                Some("Okta"),
            ),
        ] {
            assert_eq!(kind(agent), provider, "{agent}");
        }
    }

    #[test]
    fn entra_id_is_known_without_a_name() {
        let mut headers = HeaderMap::new();
        assert_eq!(of(&headers), None);
        headers.insert(USER_AGENT, "curl/8.5.0".parse().unwrap());
        assert_eq!(of(&headers), None);
        headers.insert(ENTRA_HEADER, "2020-06-17".parse().unwrap());
        assert_eq!(of(&headers), Some(ENTRA));
    }
}
