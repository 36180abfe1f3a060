//! Azure Key Vault, and the identities that it is read with.

use crate::{
    azure_stand_in::{Azure, CLIENT_ID, Service},
    support::{Kind, Place, kind},
};

#[tokio::test]
async fn every_identity_reads_and_writes_versions_with_one_token() {
    for service in [Service::ManagedIdentity, Service::Authority] {
        let azure = Azure::start().await;
        let place = Place::new(&match service {
            Service::ManagedIdentity => azure.managed_identity(),
            _ => azure.service_principal(),
        });
        let secret = azure.secret("scimsession");
        let first = place.write(&secret, "HUSHHUSH-1").await.unwrap();
        let second = place.write(&secret, "HUSHHUSH-2").await.unwrap();
        assert_ne!(first, second);
        let (text, version) = place.read(&secret).await.unwrap();
        assert_eq!((text.as_str(), &version), ("HUSHHUSH-2", &second));
        let old = format!("{secret}/{first}");
        let (text, version) = place.read(&old).await.unwrap();
        assert_eq!((text.as_str(), &version), ("HUSHHUSH-1", &first));
        let error = place.write(&old, "HUSHHUSH").await.unwrap_err();
        assert_eq!(kind(&error), Kind::Unusable, "{error}");
        assert_eq!(azure.issued(), 1);
        assert_eq!(azure.count(|seen| seen.service == service), 1);
        // Only the very first request was without a token, and carried nothing.
        let bare =
            |seen: &crate::azure_stand_in::Seen| seen.service == Service::Vault && !seen.token;
        assert_eq!(azure.count(bare), 1);
        assert_eq!(azure.count(|seen| bare(seen) && seen.body > 0), 0);
    }
}

#[tokio::test]
async fn a_user_assigned_identity_is_named() {
    let azure = Azure::start().await;
    for (client_id, expected) in [(CLIENT_ID, Kind::Missing), ("another", Kind::Denied)] {
        let mut environment = azure.managed_identity();
        environment.push(("AZURE_CLIENT_ID", client_id));
        let place = Place::new(&environment);
        let error = place.read(&azure.secret("none")).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
    }
}

#[tokio::test]
async fn a_vault_gets_no_token_for_another_service() {
    for challenge in [
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://management.azure.com""#,
        r#"Bearer authorization="https://login.microsoftonline.com/t", scope="https://vault.azure.net/.default""#,
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://127.0.0.1""#,
        r#"Bearer authorization="https://login.microsoftonline.com/t""#,
        "Basic realm=\"vault\"",
    ] {
        let azure = Azure::start().await;
        azure.challenge(challenge);
        let place = Place::new(&azure.managed_identity());
        let secret = azure.secret("scimsession");
        let error = place.read(&secret).await.unwrap_err();
        assert_eq!(kind(&error), Kind::Denied, "{error}");
        let error = place.write(&secret, "HUSHHUSH").await.unwrap_err();
        assert_eq!(kind(&error), Kind::Denied, "{error}");
        assert_eq!(azure.issued(), 0);
        assert_eq!(azure.count(|seen| seen.token || seen.body > 0), 0);
    }
}

#[tokio::test]
async fn a_challenge_may_name_a_scope() {
    let azure = Azure::start().await;
    azure.challenge(
        r#"bearer Scope="http://127.0.0.1/.default",Authorization="https://a.example/t""#,
    );
    let place = Place::new(&azure.managed_identity());
    place
        .write(&azure.secret("scoped"), "HUSHHUSH")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_client_secret_is_not_shown_to_an_authority_that_only_the_vault_names() {
    let azure = Azure::start().await;
    let environment = azure.service_principal();
    let place = Place::new(&environment[1..]);
    let error = place.read(&azure.secret("scimsession")).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Denied, "{error}");
    assert!(
        error.to_string().contains("AZURE_AUTHORITY_HOST"),
        "{error}"
    );
    assert_eq!(azure.count(|seen| seen.service == Service::Authority), 0);
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_when_it_is_refused() {
    let azure = Azure::start().await;
    let place = Place::new(&azure.service_principal());
    let secret = azure.secret("scimsession");
    azure.lifetime(time::Duration::MINUTE);
    place.write(&secret, "HUSHHUSH").await.unwrap();
    place.read(&secret).await.unwrap();
    assert_eq!(azure.issued(), 2);
    azure.lifetime(time::Duration::HOUR);
    place.read(&secret).await.unwrap();
    place.read(&secret).await.unwrap();
    assert_eq!(azure.issued(), 3);
    azure.revoke();
    place.write(&secret, "HUSHHUSH-2").await.unwrap();
    assert_eq!(place.read(&secret).await.unwrap().0, "HUSHHUSH-2");
    assert_eq!(azure.issued(), 4);
    // Tokens that the vault never takes are asked for once more, not for ever.
    azure.revoke();
    azure.lifetime(-time::Duration::HOUR);
    let error = place.read(&secret).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Denied, "{error}");
    assert_eq!(azure.issued(), 5);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for service in [Service::Vault, Service::ManagedIdentity] {
        let azure = Azure::start().await;
        let place = Place::new(&azure.managed_identity());
        azure.fail(service, &[(429, Some(1)), (503, None)]);
        let secret = azure.secret("scimsession");
        place.write(&secret, "HUSHHUSH").await.unwrap();
        assert_eq!(azure.issued(), 1);
    }
}

#[tokio::test]
async fn what_does_not_pass_in_time_is_out_of_reach() {
    for service in [Service::Vault, Service::Authority] {
        let azure = Azure::start().await;
        let place = Place::new(&azure.service_principal());
        let secret = azure.secret("scimsession");
        azure.fail(service, &[(429, Some(60))]);
        let error = place.read(&secret).await.unwrap_err();
        assert_eq!(kind(&error), Kind::Unreachable, "{error}");
        assert!(error.to_string().contains("60 s"), "{error}");
        assert_eq!(azure.count(|seen| seen.service == service), 1);
        azure.fail(service, &[(500, None); 100]);
        let error = place.read(&secret).await.unwrap_err();
        assert_eq!(kind(&error), Kind::Unreachable, "{error}");
        assert!(error.to_string().contains("500"), "{error}");
    }
    let azure = Azure::start().await;
    let place = Place::new(&azure.managed_identity());
    let secret = azure.secret("scimsession");
    azure.server.abort();
    let error = place.read(&secret).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unreachable, "{error}");
}

#[tokio::test]
async fn every_refusal_has_its_meaning() {
    let azure = Azure::start().await;
    let place = Place::new(&azure.managed_identity());
    for name in ["deleted", "disabled", "forbidden"] {
        place.write(&azure.secret(name), "HUSHHUSH").await.unwrap();
    }
    azure.delete("deleted");
    azure.disable("disabled");
    azure.forbid("forbidden");
    for (name, expected, reason) in [
        ("none", Kind::Missing, "no such secret"),
        ("deleted", Kind::Missing, "no such secret"),
        (
            "deleted/00000000000000000000000000000001",
            Kind::Missing,
            "no such secret",
        ),
        ("disabled", Kind::Missing, "disabled"),
        (
            "forbidden",
            Kind::Denied,
            "ForbiddenByRbac: The caller app/1 may not",
        ),
    ] {
        let error = place.read(&azure.secret(name)).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    for (name, expected, reason) in [
        ("deleted", Kind::Missing, "recover"),
        ("forbidden", Kind::Denied, "Key Vault Secrets Officer"),
    ] {
        let error = place
            .write(&azure.secret(name), "HUSHHUSH")
            .await
            .unwrap_err();
        assert_eq!(kind(&error), expected, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[tokio::test]
async fn an_identity_that_is_not_accepted_is_told_why() {
    let azure = Azure::start().await;
    let mut wrong_header = azure.managed_identity();
    wrong_header[1].1 = "HUSHHUSH-wrong";
    let mut wrong_secret = azure.service_principal();
    wrong_secret[3].1 = "HUSHHUSH-wrong";
    for (environment, reason) in [
        (wrong_header, "401"),
        (wrong_secret, "invalid_client AADSTS7000215"),
    ] {
        let place = Place::new(&environment);
        let error = place.read(&azure.secret("scimsession")).await.unwrap_err();
        assert_eq!(kind(&error), Kind::Denied, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn on_one_machine_the_azure_cli_is_asked() {
    use std::os::unix::fs::PermissionsExt;

    let azure = Azure::start().await;
    let secret = azure.secret("scimsession");
    let dir = tempfile::tempdir().unwrap();
    let place = Place::new(&[("PATH", dir.path().to_str().unwrap())]);
    let error = place.read(&secret).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Denied, "{error}");
    for name in ["AZURE_TENANT_ID", "managed identity", "az login"] {
        assert!(error.to_string().contains(name), "{error}");
    }
    let az = |script: &str| {
        let path = dir.path().join("az");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    };
    az("echo 'Please run az login to setup account.' >&2; exit 1");
    let error = place.read(&secret).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unreachable, "{error}");
    assert!(error.to_string().contains("Please run az login"), "{error}");
    let token = azure.token();
    az(&format!(
        "[ \"$*\" = 'account get-access-token --output json --resource http://127.0.0.1' ] && \
         echo '{{ \"accessToken\": \"{token}\", \"expires_on\": 4102444800 }}'"
    ));
    place.write(&secret, "HUSHHUSH").await.unwrap();
    assert_eq!(place.read(&secret).await.unwrap().0, "HUSHHUSH");
}
