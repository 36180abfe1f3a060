//! What App Service has in front of the host.

use axum::{
    extract::Request,
    http::{HeaderValue, header::HOST},
};

/// The app as its callers know it.
pub const PUBLIC: &str = "bridge.azurewebsites.net";
/// And as the front end does.
const INTERNAL: &str = "10.0.0.4:8080";
/// The caller, with the port that it asks from.
const CALLER: &str = "192.0.2.1:51234";
/// Where the host sees requests come from.
pub const PEER: &str = "169.254.129.1";

/// Whatever a caller says itself of these is overwritten, but for who came before it.
pub fn pass(request: &mut Request, id: &str) {
    let target = request.uri().path_and_query().unwrap().as_str().to_owned();
    let headers = request.headers_mut();
    let value = |text: &str| HeaderValue::from_str(text).unwrap();
    let before = headers.get("x-forwarded-for");
    let before = before.map(|before| format!("{},", before.to_str().unwrap()));
    let chain = before.unwrap_or_default() + CALLER;
    let asked = headers.insert(HOST, value(INTERNAL)).unwrap();
    headers.insert("disguised-host", asked);
    headers.insert("x-forwarded-for", value(&chain));
    for (name, text) in [
        ("client-ip", CALLER),
        ("max-forwards", "10"),
        ("was-default-hostname", PUBLIC),
        ("x-appservice-proto", "https"),
        ("x-arr-log-id", id),
        ("x-arr-ssl", "2048|256|CN=Example CA|CN=*.azurewebsites.net"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-tlsversion", "1.3"),
        ("x-original-url", &target),
        ("x-site-deployment-id", "bridge"),
        ("x-waws-unencoded-url", &target),
    ] {
        headers.insert(name, value(text));
    }
}
