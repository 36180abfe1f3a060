//! API Gateway in both its dialects, and function URLs: requests as events, and answers back.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};

use crate::support::{Answer, Call};

/// What stands in front of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// An HTTP API with payload format 2.0.
    HttpApi,
    /// A REST API, whose stage is called `scim` too.
    RestApi,
    FunctionUrl,
}

const HOST: &str = "abcdefghij.execute-api.eu-west-1.amazonaws.com";
const FUNCTION_URL: &str = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws";

impl Front {
    /// Where a provider would send its requests.
    pub fn tenant(self) -> String {
        match self {
            Self::HttpApi => format!("https://{HOST}/scim/v2"),
            Self::RestApi => format!("https://{HOST}/scim/scim/v2"),
            Self::FunctionUrl => format!("https://{FUNCTION_URL}/scim/v2"),
        }
    }

    /// The event for a request to a path below `/scim/v2`, or to one that begins with `//`.
    pub fn event(self, call: &Call<'_>) -> Value {
        let path = match call.path.strip_prefix('/') {
            Some(whole) if whole.starts_with('/') => whole.to_owned(),
            _ => format!("/scim/v2{}", call.path),
        };
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let host = match self {
            Self::FunctionUrl => FUNCTION_URL,
            _ => HOST,
        };
        let mut headers = BTreeMap::from([
            ("host".to_owned(), host.to_owned()),
            ("x-forwarded-proto".to_owned(), "https".to_owned()),
            ("x-forwarded-port".to_owned(), "443".to_owned()),
            ("x-forwarded-for".to_owned(), "192.0.2.1".to_owned()),
        ]);
        for (name, value) in call.headers {
            headers.insert((*name).to_owned(), (*value).to_owned());
        }
        if let Some(token) = call.token {
            headers.insert("authorization".to_owned(), format!("Bearer {token}"));
        }
        // An HTTP API passes text on as it is only for media types that it knows as text.
        let plain = call.body.clone();
        let packed = plain.as_ref().map(|text| BASE64.encode(text.as_bytes()));
        match self {
            Self::RestApi => self.rest(call, path, query, &headers, plain),
            _ => {
                let decoded = percent_decoded(path);
                json!({
                    "version": "2.0",
                    "routeKey": "$default",
                    "rawPath": decoded,
                    "rawQueryString": query,
                    "headers": headers,
                    "requestContext": {
                        "accountId": "123456789012",
                        "apiId": "abcdefghij",
                        "domainName": host,
                        "domainPrefix": "abcdefghij",
                        "http": {
                            "method": call.method.as_str(),
                            "path": decoded,
                            "protocol": "HTTP/1.1",
                            "sourceIp": "192.0.2.1",
                            "userAgent": "test",
                        },
                        "requestId": "JKJaXmPLvHcESHA=",
                        "routeKey": "$default",
                        "stage": "$default",
                        "time": "10/Mar/2026:05:16:23 +0000",
                        "timeEpoch": 1_773_119_783_000_u64,
                    },
                    "body": packed,
                    "isBase64Encoded": packed.is_some(),
                })
            }
        }
    }

    fn rest(
        self,
        call: &Call<'_>,
        path: &str,
        query: &str,
        headers: &BTreeMap<String, String>,
        body: Option<String>,
    ) -> Value {
        let pairs: BTreeMap<String, String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (percent_decoded(name), percent_decoded(value)))
            .collect();
        let many = |single: &BTreeMap<String, String>| -> BTreeMap<String, [String; 1]> {
            let pairs = single.iter();
            pairs
                .map(|(name, value)| (name.clone(), [value.clone()]))
                .collect()
        };
        json!({
            "resource": "/{proxy+}",
            "path": path,
            "httpMethod": call.method.as_str(),
            "headers": headers,
            "multiValueHeaders": many(headers),
            "queryStringParameters": pairs,
            "multiValueQueryStringParameters": many(&pairs),
            "pathParameters": { "proxy": path.trim_start_matches('/') },
            "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "abcdefghij",
                "domainName": HOST,
                "domainPrefix": "abcdefghij",
                "extendedRequestId": "JKJaXmPLvHcESHA=",
                "httpMethod": call.method.as_str(),
                "identity": { "sourceIp": "192.0.2.1", "userAgent": "test" },
                "path": format!("/scim{path}"),
                "protocol": "HTTP/1.1",
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
                "requestTime": "10/Mar/2026:05:16:23 +0000",
                "requestTimeEpoch": 1_773_119_783_000_u64,
                "resourceId": "abc123",
                "resourcePath": "/{proxy+}",
                "stage": "scim",
            },
            "body": body,
            "isBase64Encoded": false,
        })
    }
}

/// What the client gets of a function's answer.
pub fn decode(answer: &Value) -> Answer {
    let status = answer["statusCode"].as_u64().unwrap();
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &Value| {
        let name: HeaderName = name.parse().unwrap();
        headers.append(
            name,
            HeaderValue::from_str(value.as_str().unwrap()).unwrap(),
        );
    };
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        add(name, value);
    }
    for (name, values) in answer["multiValueHeaders"]
        .as_object()
        .into_iter()
        .flatten()
    {
        for value in values.as_array().unwrap() {
            add(name, value);
        }
    }
    let body = answer["body"].as_str().unwrap_or_default();
    let bytes = match answer["isBase64Encoded"].as_bool().unwrap() {
        true => BASE64.decode(body.as_bytes()).unwrap(),
        false => body.as_bytes().to_vec(),
    };
    let status = StatusCode::from_u16(status.try_into().unwrap()).unwrap();
    Answer::new(status, headers, bytes)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| u8::from_str_radix(&text[at + 1..at + 3], 16));
        match code {
            Some(Ok(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap()
}
