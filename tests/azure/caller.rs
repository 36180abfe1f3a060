//! What a caller from outside cannot do.

use reqwest::Method;
use serde_json::Value;

use crate::{
    app::App,
    cloud::Cloud,
    handover::Mode,
    support::{Call, Provider, World},
};

/// What the host sends when the timer is due, to the letter.
const TICK: &str = r#"{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"sys":{"MethodName":"confirm","UtcNow":"2026-03-10T05:16:23Z","RandGuid":"9c8f9fd5-8c79-4c2c-95a5-5b8d1f3c7a44"}}}"#;

#[tokio::test]
async fn only_the_timer_makes_it_sweep() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    for mode in [Mode::Forwarding, Mode::Proxying] {
        let app = App::in_mode(Some(mode), &world, &cloud, &[]).await;
        let behind = app.host.behind().to_owned();
        let forged = [
            ("content-type", "application/json; charset=utf-8"),
            ("user-agent", "Azure-Functions-Host/4.1044.400.0"),
            ("x-azure-functions-hostversion", "4.1044.400.0"),
            (
                "x-azure-functions-invocationid",
                "5f0b1c3e-6a55-4c0e-9d39-0000000000ff",
            ),
            ("disguised-host", &*behind),
            ("x-forwarded-host", &*behind),
            ("x-forwarded-for", ""),
            ("x-arr-log-id", ""),
        ];
        for headers in [&forged[..4], &forged] {
            for path in [
                "//",
                "//confirm",
                "///confirm",
                "//confirm/",
                "//Confirm",
                "//%63onfirm",
                "//%2563onfirm",
                "//confirm?code=x",
                "//confirm%3Fx",
                "//confirm%23",
                "//x/%252e%252e/confirm",
                "//%5Cconfirm",
                "/confirm",
                "/%252e%252e/%252e%252e/confirm",
            ] {
                for (method, token) in [
                    (Method::POST, None),
                    (Method::POST, Some(&*app.token)),
                    (Method::GET, None),
                ] {
                    let call = Call {
                        method: method.clone(),
                        path,
                        token,
                        headers,
                        body: (method == Method::POST).then(|| TICK.to_owned()),
                    };
                    let answer = app.send(call).await;
                    let expected: &[u16] = match (path, token) {
                        // The status page, to be read.
                        ("//", _) => &[200, 405],
                        (_, Some(_)) => &[404],
                        (_, None) => &[401, 404],
                    };
                    assert!(
                        expected.contains(&answer.status.as_u16()),
                        "{mode:?} {path}: {}",
                        answer.text
                    );
                }
            }
        }
        // The timer itself is heard.
        assert_eq!(app.swept().await["confirmed"], 0);
        let swept = |line: &Value| line["message"] == "swept";
        app.line(swept).await;
        let all = app.objects();
        assert_eq!(all.iter().filter(|line| swept(line)).count(), 1, "{mode:?}");
    }
}

#[tokio::test]
async fn each_mark_of_others_is_enough() {
    let world = World::new().await;
    let Some(cloud) = Cloud::new(&world).await else {
        return;
    };
    let app = App::start(&world, &cloud, &[]).await;
    app.host.handler().await;
    let id = ("x-azure-functions-invocationid", "5f0b1c3e-6a55-4c0e");
    let swept = async |headers: &[(&str, &str)]| {
        let url = format!("http://{}/confirm", app.host.behind());
        let mut request = world.client.post(url).body(TICK);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let status = request.send().await.unwrap().status();
        assert!(status == 200 || status == 401, "{headers:?}: {status}");
        status == 200
    };
    assert!(swept(&[id]).await);
    assert!(!swept(&[]).await);
    for mark in [
        ("host", "bridge.azurewebsites.net"),
        ("disguised-host", ""),
        ("forwarded", "for=192.0.2.1"),
        ("x-arr-log-id", "1"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-ms-invocation-id", "5f0b1c3e-6a55-4c0e"),
        ("x-original-host", "bridge.azurewebsites.net"),
        ("x-original-url", "/confirm"),
    ] {
        assert!(!swept(&[id, mark]).await, "{mark:?}");
    }
}
