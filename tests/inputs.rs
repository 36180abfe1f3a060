//! Seeds of inputs, whole and damaged, against what holds for every input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "support/inputs.rs"]
mod inputs;

use std::path::Path;

use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

/// The seeds of a kind of input.
fn corpus(kind: &str) -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus");
    let files = std::fs::read_dir(directory.join(kind)).unwrap();
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    // Otherwise a failure would not come back with its seed.
    paths.sort();
    assert!(paths.len() > 5, "{kind}");
    let read = |path| std::fs::read_to_string(path).unwrap();
    paths.into_iter().map(read).collect()
}

#[derive(Clone, Debug)]
enum Damage {
    Remove(usize),
    Repeat(usize),
    Insert(String),
}

/// A piece of what stands in some seed.
fn piece(seeds: Vec<String>) -> impl Strategy<Value = String> {
    (select(seeds), any::<Index>(), 1..30usize).prop_map(|(seed, from, length)| {
        let seed: Vec<char> = seed.chars().collect();
        let from = from.index(seed.len());
        seed.into_iter().skip(from).take(length).collect()
    })
}

fn damage(seeds: Vec<String>) -> impl Strategy<Value = Damage> {
    let signs = select(vec![
        "\"", "\\", "[", "]", "(", ")", "{", "}", ",", ":", ".", " ", "\t", "é", "\u{0}",
        "\u{feff}", "null", "true", "-1e9", " and ", " or ", "not ", " eq ", " pr", "U1",
        "members", "value",
    ]);
    prop_oneof![
        (1..20usize).prop_map(Damage::Remove),
        (1..40usize).prop_map(Damage::Repeat),
        signs.prop_map(|sign| Damage::Insert(sign.to_owned())),
        piece(seeds).prop_map(Damage::Insert),
        any::<char>().prop_map(|sign| Damage::Insert(sign.into())),
    ]
}

/// Seeds, as they are or damaged in a few places.
fn damaged(kind: &str) -> impl Strategy<Value = String> {
    let seeds = corpus(kind);
    let places = vec((any::<Index>(), damage(seeds.clone())), 0..5);
    (select(seeds), places).prop_map(|(seed, places)| {
        let mut text: Vec<char> = seed.chars().collect();
        for (place, damage) in places {
            let at = place.index(text.len() + 1);
            match damage {
                Damage::Remove(length) => drop(text.drain(at..text.len().min(at + length))),
                Damage::Repeat(length) => {
                    let again = text[at..text.len().min(at + length)].to_vec();
                    text.splice(at..at, again);
                }
                Damage::Insert(new) => drop(text.splice(at..at, new.chars())),
            }
        }
        text.into_iter().collect()
    })
}

fn some(kind: &str) -> impl Strategy<Value = String> {
    prop_oneof![9 => damaged(kind), 1 => any::<String>()]
}

#[test]
fn seeds_hold() {
    for seed in corpus("filter") {
        inputs::filter(&seed);
    }
    for seed in corpus("path") {
        inputs::path(&seed);
    }
    for seed in corpus("patch") {
        inputs::patch(seed.as_bytes());
    }
    for seed in corpus("resource") {
        inputs::resource(seed.as_bytes());
    }
    for seed in corpus("bulk") {
        inputs::bulk(seed.as_bytes());
    }
}

proptest! {
    // What fails once becomes a seed, not a line in a file of random numbers.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn filters_hold(text in some("filter")) {
        inputs::filter(&text);
    }

    #[test]
    fn paths_hold(text in some("path")) {
        inputs::path(&text);
    }

    #[test]
    fn patches_hold(body in some("patch")) {
        inputs::patch(body.as_bytes());
    }

    #[test]
    fn resources_hold(body in some("resource")) {
        inputs::resource(body.as_bytes());
    }

    #[test]
    fn bulk_requests_hold(body in some("bulk")) {
        inputs::bulk(body.as_bytes());
    }

    #[test]
    fn bytes_are_no_danger(body in vec(any::<u8>(), 0..300)) {
        inputs::patch(&body);
        inputs::resource(&body);
        inputs::bulk(&body);
    }
}
