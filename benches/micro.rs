//! What single steps take. Without further words the table is printed; with `results` it becomes a
//! section of the results.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "support/samples.rs"]
mod samples;
#[path = "support/mod.rs"]
mod support;

use std::process::Command;

use divan::{Bencher, black_box};

fn main() {
    if !std::env::args().any(|word| word == "results") {
        divan::main();
        return;
    }
    // Divan only prints.
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--bench")
        .output()
        .unwrap();
    assert!(output.status.success());
    let table = String::from_utf8(output.stdout).unwrap();
    support::results::write(
        "micro",
        "Micro benchmarks",
        &format!("```text\n{}\n```", table.trim()),
    );
}

mod scim {
    use scim_bridge::scim::{json, user::User};

    use super::{Bencher, black_box, samples};

    #[divan::bench]
    fn parse_a_filter() -> impl Sized {
        samples::filter(black_box(samples::FILTER))
    }

    #[divan::bench]
    fn parse_a_long_filter() -> impl Sized {
        samples::filter(black_box(samples::LONG_FILTER))
    }

    #[divan::bench]
    fn ask_a_filter(bencher: Bencher) {
        ask(bencher, samples::FILTER);
    }

    #[divan::bench]
    fn ask_a_long_filter(bencher: Bencher) {
        ask(bencher, samples::LONG_FILTER);
    }

    fn ask(bencher: Bencher, text: &str) {
        let (filter, user) = (samples::filter(text), samples::resource(&samples::user()));
        assert!(filter.matches(&user));
        bencher.bench(|| filter.matches(black_box(&user)));
    }

    #[divan::bench]
    fn patch_a_user(bencher: Bencher) {
        let user = samples::resource(&samples::user());
        bencher.bench(|| samples::patched(black_box(&user)));
    }

    #[divan::bench]
    fn read_a_user() -> User {
        let body = json::parse(black_box(samples::USER).as_bytes()).unwrap();
        User::from_value(&body, &samples::POLICY).unwrap()
    }

    #[divan::bench]
    fn write_a_user(bencher: Bencher) {
        let user = samples::user();
        bencher.bench(|| samples::answer(black_box(&user)));
    }
}

mod credentials {
    use scim_bridge::credentials::ScimSession;

    use super::{Bencher, black_box, samples};

    #[divan::bench]
    fn read_a_scimsession(bencher: Bencher) {
        let text = samples::Opening::new().text;
        bencher.bench(|| ScimSession::parse(black_box(&text)).unwrap());
    }

    #[divan::bench]
    fn open_it_with_a_token(bencher: Bencher) {
        let opening = samples::Opening::new();
        bencher.bench(|| black_box(&opening).open());
    }
}

mod session {
    use super::{Bencher, black_box, samples};

    #[divan::bench]
    fn seal_1_kib(bencher: Bencher) {
        let (session, body) = (samples::session(), samples::body());
        bencher.bench(|| session.seal_bytes(black_box(&body)).unwrap());
    }

    #[divan::bench]
    fn open_1_kib(bencher: Bencher) {
        let session = samples::session();
        let sealed = session.seal_bytes(&samples::body()).unwrap();
        bencher.bench(|| session.open_bytes(black_box(&sealed)).unwrap());
    }

    #[divan::bench]
    fn sign_a_request(bencher: Bencher) {
        let session = samples::session();
        bencher.bench(|| session.sign("GET", black_box("example.1password.com"), "/api/v2/users"));
    }
}

mod sign_in {
    use scim_bridge::onepassword::{
        session::SessionKey,
        srp::{ClientEphemeral, Generation, PublicValue, ServerEphemeral, Verifier},
    };

    use super::{Bencher, samples};

    const X: [u8; 32] = [0xa5; 32];
    const ID: &str = samples::ID;

    struct Sides {
        verifier: Verifier,
        server: PublicValue,
    }

    impl Sides {
        fn new() -> Self {
            let verifier = Verifier::from_x(&X);
            let server = ServerEphemeral::generate(Generation::Two, ID, &verifier).unwrap();
            Self {
                server: server.public().clone(),
                verifier,
            }
        }

        fn key(&self, client: &ClientEphemeral) -> SessionKey {
            let key = client.session_key(Generation::Two, ID, &X, &self.verifier, &self.server);
            key.unwrap()
        }
    }

    #[divan::bench]
    fn g_to_the_a() -> impl Sized {
        ClientEphemeral::generate().unwrap()
    }

    #[divan::bench]
    fn last_exponentiation(bencher: Bencher) {
        let (sides, client) = (Sides::new(), ClientEphemeral::generate().unwrap());
        bencher.bench(|| sides.key(&client));
    }

    #[divan::bench]
    fn client_half(bencher: Bencher) {
        let sides = Sides::new();
        bencher.bench(|| sides.key(&ClientEphemeral::generate().unwrap()));
    }
}

mod group_key {
    use scim_bridge::onepassword::rsa::PublicKey;

    use super::{Bencher, black_box, samples};

    #[divan::bench]
    fn read_a_public_key(bencher: Bencher) {
        let text = serde_json::to_string(&samples::public_key()).unwrap();
        bencher.bench(|| serde_json::from_str::<PublicKey>(black_box(&text)).unwrap());
    }

    #[divan::bench]
    fn wrap_it_for_a_member(bencher: Bencher) {
        let (member, group) = (samples::public_key(), samples::group_key());
        bencher.bench(|| member.wrap(black_box(&group)).unwrap());
    }
}

/// Through the store's own door, against an answer from loopback: what a request costs is in it.
mod dynamodb {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::{TcpListener, TcpStream},
        sync::Arc,
    };

    use scim_bridge::{
        outbound,
        state::{Email, Person, Place, StateStore},
    };
    use serde_json::{Value, json};

    use super::{Bencher, samples};

    const TABLE: &str = "arn:aws:dynamodb:eu-west-1:123456789012:table/state";

    #[divan::bench]
    fn read_1_person(bencher: Bencher) {
        let table = Table::with(1);
        bencher.bench(|| table.run(table.store.person(&table.ids[0])));
    }

    #[divan::bench]
    fn read_100_people_at_once(bencher: Bencher) {
        let table = Table::with(100);
        let ids: Vec<&str> = table.ids.iter().map(String::as_str).collect();
        bencher.bench(|| table.run(table.store.people(&ids)));
    }

    #[divan::bench]
    fn write_1_person(bencher: Bencher) {
        let table = Table::with(1);
        let person = person();
        bencher.bench(|| table.run(table.store.put_person(&table.ids[0], &person, 0)));
    }

    struct Table {
        runtime: tokio::runtime::Runtime,
        store: Arc<dyn StateStore>,
        ids: Vec<String>,
    }

    impl Table {
        /// A table that has these people, and takes whatever is written.
        fn with(people: usize) -> Self {
            let ids: Vec<String> = (0..people).map(|at| format!("{at:026}")).collect();
            let record = serde_json::to_string(&person()).unwrap();
            let items: Vec<Value> = (ids.iter())
                .map(|id| {
                    json!({ "pk": { "S": format!("PERSON#{id}") }, "sk": { "S": "-" },
                        "record": { "S": record }, "version": { "N": "5" }, "format": { "N": "1" },
                        "name": { "S": "b3sfgyvbsah45byfiq7fmbjrac" } })
                })
                .collect();
            let answers = [
                ("GetItem", json!({ "Item": items[0] }).to_string()),
                (
                    "BatchGetItem",
                    json!({ "Responses": { "state": items }, "UnprocessedKeys": {} }).to_string(),
                ),
            ];
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let _ = serve(&stream.unwrap(), &answers);
                }
            });
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let place: Place = TABLE.parse().unwrap();
            let lookup = |name: &str| match name {
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("none".to_owned()),
                "AWS_ENDPOINT_URL" => Some(url.clone()),
                _ => None,
            };
            let store = place.open(outbound::client(None).unwrap(), lookup).unwrap();
            Self {
                runtime,
                store,
                ids,
            }
        }

        fn run<T, E: std::fmt::Debug>(&self, asked: impl Future<Output = Result<T, E>>) -> T {
            self.runtime.block_on(asked).unwrap()
        }
    }

    fn person() -> Person {
        let user = samples::user();
        Person {
            external_id: user.external_id,
            user_name: user.user_name,
            display_name: user.display_name,
            formatted: user.name.formatted,
            given_name: user.name.given_name,
            family_name: user.name.family_name,
            emails: vec![Email {
                value: "ann.archer@department.example.com".to_owned(),
                kind: Some("work".to_owned()),
                primary: Some(true),
                display: None,
            }],
            preferred_language: user.preferred_language,
            account_name: "Ann Archer".to_owned(),
            invited: true,
            removal: None,
            updated_at: samples::NOW,
        }
    }

    /// Answers the requests of one connection by what they ask for.
    fn serve(mut stream: &TcpStream, answers: &[(&str, String)]) -> std::io::Result<()> {
        let mut requests = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if requests.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let (mut length, mut operation) = (0, String::new());
            loop {
                line.clear();
                requests.read_line(&mut line)?;
                let Some((name, value)) = line.trim().split_once(": ") else {
                    break;
                };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().unwrap(),
                    "x-amz-target" => operation = value.rsplit('.').next().unwrap().to_owned(),
                    _ => {}
                }
            }
            requests.read_exact(&mut vec![0; length])?;
            let answer = answers.iter().find(|(name, _)| *name == operation);
            let answer = answer.map_or("{}", |(_, answer)| answer);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all((head + answer).as_bytes())?;
        }
    }
}
