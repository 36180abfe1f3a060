//! A browser, and somebody before it.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::tools;

/// What a browser of the kind that is needed is called.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// A browser. Ends when dropped.
pub struct Browser {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Browser {
    /// Starts one, or says loudly why not.
    pub fn start() -> Option<Self> {
        let modules = tools::node_modules("the status page in a browser")?;
        let Some(browser) = on_path() else {
            tools::skipped("the status page in a browser: there is no chromium on PATH");
            return None;
        };
        let mut process = Command::new("node")
            .arg(tools::root().join("tests/support/drive_page.mjs"))
            .arg(browser)
            .env("NODE_PATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self {
            input: process.stdin.take(),
            output: BufReader::new(process.stdout.take().unwrap()),
            process,
        })
    }

    /// Does one step, as `drive_page.mjs` names it, and gives what it found.
    #[track_caller]
    pub fn step(&mut self, step: &str, mut order: Value) -> Value {
        order["step"] = step.into();
        let mut line = String::new();
        // The account's server runs on these threads and has to go on.
        tokio::task::block_in_place(|| {
            writeln!(self.input.as_mut().unwrap(), "{order}").unwrap();
            self.output.read_line(&mut line).unwrap();
        });
        let answer: Value = serde_json::from_str(&line).expect("the browser has ended");
        assert_eq!(answer.get("error"), None, "{order}");
        answer["ok"].clone()
    }

    #[track_caller]
    pub fn open(&mut self, url: &str) {
        self.step("open", json!({ "url": url }));
    }

    #[track_caller]
    pub fn click(&mut self, at: &str) {
        self.step("click", json!({ "at": at }));
    }

    #[track_caller]
    pub fn press(&mut self, key: &str) {
        self.step("press", json!({ "key": key }));
    }

    /// What has the focus.
    #[track_caller]
    pub fn focus(&mut self) -> String {
        let focus = self.step("focus", json!({}));
        focus.as_str().unwrap().to_owned()
    }

    /// Waits until this shows the text, and gives all of its text.
    #[track_caller]
    pub fn until(&mut self, at: &str, text: &str) -> String {
        let shown = self.step("until", json!({ "at": at, "text": text }));
        shown.as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn shows(&mut self, at: &str) -> bool {
        self.step("shows", json!({ "at": at })) == true
    }

    /// The end of a test: nothing was wrong with the page all the while.
    #[track_caller]
    pub fn was_content(&mut self) {
        assert_eq!(self.step("wrong", json!({})), json!([]));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends by itself, and tidies up, when nobody speaks to it any more.
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

fn on_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let places: Vec<PathBuf> = env::split_paths(&path).collect();
    let mut candidates = NAMES
        .iter()
        .flat_map(|name| places.iter().map(move |place| place.join(name)));
    candidates.find(|candidate| candidate.is_file())
}
