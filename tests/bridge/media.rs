//! What goes over the wire: methods, media types, packing, HTTP/2, request ids.

use std::io::{Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Answer, Bridge, Call, GROUP, Provider, USER, World};

async fn send(bridge: &Bridge, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let call = Call {
        method,
        path,
        token: Some(&bridge.token),
        headers,
        body: None,
    };
    bridge.send(call).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_says_which_methods_it_takes() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let id = bridge.invite("ann@example.com").await;
    let one = "GET,HEAD,PUT,PATCH,DELETE";
    for (path, allowed) in [
        ("/Users", "GET,HEAD,POST"),
        (&format!("/Users/{id}"), one),
        ("/Groups", "GET,HEAD,POST"),
        ("/Groups/x", one),
        ("/Users/.search", "POST"),
        ("/Groups/.search", "POST"),
        ("/.search", "POST"),
        ("/Bulk", "POST"),
        ("/ServiceProviderConfig", "GET,HEAD"),
        ("/ResourceTypes", "GET,HEAD"),
        ("/ResourceTypes/User", "GET,HEAD"),
        ("/Schemas", "GET,HEAD"),
        (&format!("/Schemas/{USER}"), "GET,HEAD"),
    ] {
        let sorted = |answer: &Answer| {
            let mut methods: Vec<_> = answer.headers["allow"]
                .to_str()
                .unwrap()
                .split(',')
                .map(str::to_owned)
                .collect();
            methods.sort();
            methods
        };
        let mut expected: Vec<_> = allowed.split(',').map(str::to_owned).collect();
        expected.sort();
        let options = send(&bridge, Method::OPTIONS, path, &[]).await;
        assert_eq!(options.status, 204, "{path}");
        assert_eq!(sorted(&options), expected, "{path}");
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::TRACE,
        ] {
            if !expected.contains(&method.to_string()) {
                let answer = send(&bridge, method, path, &[]).await;
                answer.error(405, None);
                assert_eq!(sorted(&answer), expected, "{path}");
            }
        }
    }
    let path = format!("/Users/{id}");
    let (get, head) = (
        bridge.get(&path).await,
        send(&bridge, Method::HEAD, &path, &[]).await,
    );
    assert_eq!((head.status, head.text.as_str()), (get.status, ""));
    assert_eq!(head.headers["etag"], get.headers["etag"]);
    assert_eq!(head.headers["content-type"], get.headers["content-type"]);
    for method in [Method::GET, Method::PATCH] {
        send(&bridge, method, "/Me", &[]).await.error(501, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_is_given_whole_or_not_at_all() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    for path in [
        "/ServiceProviderConfig",
        "/ResourceTypes",
        "/ResourceTypes/Group",
        "/Schemas",
        &format!("/Schemas/{GROUP}"),
    ] {
        bridge
            .get(&format!("{path}?filter=name+eq+%22User%22"))
            .await
            .error(403, None);
        let shown = bridge
            .get(&format!("{path}?count=1&startIndex=x&sortBy=y"))
            .await
            .ok();
        assert_eq!(shown, bridge.get(path).await.ok());
    }
    let config = bridge.get("/ServiceProviderConfig").await.ok();
    assert_eq!(
        config["pagination"],
        json!({"cursor": true, "index": true, "defaultPaginationMethod": "index",
               "defaultPageSize": 1000, "maxPageSize": 1000, "cursorTimeout": 3600})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_called_what_the_client_accepts() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    for (accept, expected) in [
        ("application/scim+json", "application/scim+json"),
        ("application/json", "application/json"),
        ("application/json, */*", "application/scim+json"),
        ("text/html", "application/scim+json"),
    ] {
        for path in ["/Users", "/Users/unknown"] {
            let answer = send(&bridge, Method::GET, path, &[("accept", accept)]).await;
            assert_eq!(answer.headers["content-type"], expected, "{accept}");
        }
    }
    let mut ids = std::collections::BTreeSet::new();
    for path in [
        "/Users",
        "/Users/unknown",
        "/nothing",
        "/Me",
        "/Users?count=x",
    ] {
        let answer = bridge.get(path).await;
        ids.insert(answer.headers["x-request-id"].to_str().unwrap().to_owned());
    }
    assert_eq!(ids.len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_may_be_packed_both_ways() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let url = |path: &str| format!("{}{path}", bridge.tenant);
    let post = async |body: Vec<u8>, coding: &str| {
        let request = world.client.post(url("/Users")).bearer_auth(&bridge.token);
        let request = request.header("content-type", "application/scim+json");
        let answer = request
            .header("content-encoding", coding)
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status, body)
    };
    let ann = json!({"schemas": [USER], "userName": "ann@example.com"}).to_string();
    let (status, created) = post(packed(ann.as_bytes()), "gzip").await;
    assert_eq!(
        (status, &created["userName"]),
        (201, &json!("ann@example.com"))
    );
    // What is small on the wire may be large behind it. So small that all of it is sent before the
    // answer comes.
    let bomb = packed(&vec![b' '; 4 * 1024 * 1024]);
    assert!(bomb.len() < 8_000);
    let (status, refused) = post(bomb, "gzip").await;
    assert_eq!((status, &refused["status"]), (413, &json!("413")));
    let (status, refused) = post(ann.clone().into_bytes(), "gzip").await;
    assert_eq!(
        (status, &refused["scimType"]),
        (400, &json!("invalidSyntax"))
    );
    let (status, _) = post(ann.clone().into_bytes(), "br").await;
    assert_eq!(status, 415);
    let (status, _) = post(ann.clone().into_bytes(), "identity").await;
    assert_eq!(status, 409);
    // Something on the way took the header away.
    let (status, refused) = post(packed(ann.as_bytes()), "identity").await;
    assert_eq!(status, 415, "{refused}");
    let (status, _) = post(packed(ann.as_bytes()), "X-GZIP").await;
    assert_eq!(status, 409);

    let get = async |path: &str, coding: &str| {
        let request = world.client.get(url(path)).bearer_auth(&bridge.token);
        let answer = request
            .header("accept-encoding", coding)
            .send()
            .await
            .unwrap();
        let packed = answer.headers().get("content-encoding").cloned();
        (packed, answer.bytes().await.unwrap())
    };
    let (coding, body) = get("/Schemas", "gzip, br").await;
    assert_eq!(coding.unwrap(), "gzip");
    let mut text = String::new();
    GzDecoder::new(body.as_ref())
        .read_to_string(&mut text)
        .unwrap();
    // Who accepts nothing gets it as it is: by then the request may have been carried out.
    for coding in ["identity", "br", "identity;q=0", "*;q=0"] {
        let (plain, body) = get("/Schemas", coding).await;
        assert_eq!((plain, text.as_bytes()), (None, body.as_ref()), "{coding}");
    }
    assert_eq!(
        get("/Groups", "gzip").await.0,
        None,
        "too small to be worth it"
    );
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// RFC 9113, section 3.3: who knows that the server speaks HTTP/2 just begins with it.
#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_without_being_asked_for() {
    let world = World::new().await;
    let bridge = world.bridge(&[]).await;
    let address = bridge
        .tenant
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    // GET http://a/ping in HPACK (RFC 7541): two headers by their number, two with a value.
    let headers = b"\x82\x86\x04\x05/ping\x01\x01a";
    let mut request = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    request.extend(frame(4, 0, 0, &[]));
    request.extend(frame(1, 0b101, 1, headers));
    stream.write_all(&request).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        if head[3] == 1 {
            assert_eq!(payload[0], 0x88, ":status 200");
            break;
        }
    }
}
