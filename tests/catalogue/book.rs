//! The cases as data, and the table that they make.

use std::{collections::BTreeMap, fmt::Write, path::Path, pin::Pin, sync::Arc, sync::Mutex};

use super::places::Places;

/// Where the table is kept, and how it is written anew.
const FILE: &str = "docs/conformance.md";
const UPDATE: &str = "UPDATE_CONFORMANCE";

const HEAD: &str = "# What providers do, and what the bridge does\n\n\
    Each line is a test of that name against a running bridge: `cargo test --test catalogue G01`.\n\
    The test run writes this file (`UPDATE_CONFORMANCE=1 cargo test --test catalogue`) and fails when it is\n\
    out of date.\n";

pub type Test = fn(Arc<Places>) -> Pin<Box<dyn Future<Output = ()>>>;

/// One thing that a provider does, and what has to happen.
pub struct Case {
    pub id: String,
    what: &'static str,
    pub seen: Seen,
    /// What the project decided where providers' habits or the RFC leave a choice.
    decision: Option<&'static str>,
    /// The feature without which the case fails.
    pub waits: Option<&'static str>,
}

/// Where a case is shown to hold.
#[derive(Clone, Copy)]
pub enum Seen {
    Here(Test),
    /// No request to a bridge can show it; where it is seen to instead.
    Elsewhere(&'static str),
}

impl Case {
    pub fn new(name: &str, what: &'static str, seen: Seen) -> Self {
        Self {
            id: name.to_uppercase(),
            what,
            seen,
            decision: None,
            waits: None,
        }
    }

    pub fn decided(self, decision: &'static str) -> Self {
        Self {
            decision: Some(decision),
            ..self
        }
    }

    /// The case fails until this feature is there. When it holds, the run fails until this is
    /// taken off.
    #[allow(dead_code, reason = "needed only while something is under way")]
    pub fn waits_for(self, feature: &'static str) -> Self {
        Self {
            waits: Some(feature),
            ..self
        }
    }
}

/// A case from an async function `g01(at: Arc<Places>)`, whose name is the id.
macro_rules! case {
    ($name:ident, $what:literal) => {
        $crate::book::Case::new(
            stringify!($name),
            $what,
            $crate::book::Seen::Here(|places| Box::pin($name(places))),
        )
    };
    ($name:ident, $what:literal, elsewhere: $place:literal) => {
        $crate::book::Case::new(
            stringify!($name),
            $what,
            $crate::book::Seen::Elsewhere($place),
        )
    };
}
pub(crate) use case;

pub struct Chapter {
    title: &'static str,
    pub cases: Vec<Case>,
}

impl Chapter {
    pub fn new(title: &'static str, cases: Vec<Case>) -> Self {
        Self { title, cases }
    }
}

/// What came of the cases that ran.
#[derive(Default)]
pub struct Book(Mutex<BTreeMap<String, bool>>);

impl Book {
    pub fn note(&self, id: String, holds: bool) {
        let twice = self.0.lock().unwrap().insert(id, holds);
        assert_eq!(twice, None, "two cases have one id");
    }

    /// Whether the committed table says what this run has shown. A run of some cases shows too
    /// little to tell.
    pub fn agrees_with_file(&self, chapters: &[Chapter]) -> bool {
        let outcomes = self.0.lock().unwrap();
        let mut table = HEAD.to_owned();
        let (mut hold, mut wait, mut elsewhere) = (0, 0, 0);
        for Chapter { title, cases } in chapters {
            write!(
                table,
                "\n## {title}\n\n| id | what | result |\n|---|---|---|\n"
            )
            .unwrap();
            for case in cases {
                let result = match (outcomes.get(&case.id), case.seen, case.waits) {
                    (_, Seen::Elsewhere(place), _) => {
                        elsewhere += 1;
                        format!("elsewhere: {place}")
                    }
                    (Some(true), ..) => {
                        hold += 1;
                        match case.decision {
                            Some(decision) => format!("holds; by decision: {decision}"),
                            None => "holds".to_owned(),
                        }
                    }
                    (Some(false), _, Some(feature)) => {
                        wait += 1;
                        format!("waits for {feature}")
                    }
                    _ => return true,
                };
                writeln!(table, "| {} | {} | {result} |", case.id, case.what).unwrap();
            }
        }
        println!("{hold} cases hold, {wait} wait for a feature, {elsewhere} are seen to elsewhere");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
        if std::env::var_os(UPDATE).is_some() {
            std::fs::write(&path, &table).unwrap();
        }
        let current = std::fs::read_to_string(&path).unwrap_or_default() == table;
        if !current {
            eprintln!(
                "{FILE} does not say what this run has shown: run it again with {UPDATE}=1 and \
                 commit the file"
            );
        }
        current
    }
}
