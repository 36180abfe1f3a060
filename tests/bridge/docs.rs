//! The documentation is held to the program: messages, settings, links.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
    fs, mem,
    path::{Path, PathBuf},
    process::Command,
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use scim_bridge::{
    config::{COMMAND_SETTINGS, SETTINGS, Setting},
    scim,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const ERRORS: &str = "docs/errors.md";
const CONFIGURATION: &str = "docs/configuration.md";
/// Writes what is generated, instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

#[test]
fn every_message_is_explained() {
    let mut said = Messages::new();
    for file in files(&Path::new(ROOT).join("src"), "rs") {
        // The sandbox speaks to the bridge and to developers only.
        if !file.components().any(|part| part.as_os_str() == "sandbox") {
            let source = fs::read_to_string(&file).unwrap();
            find_messages(source.parse().unwrap(), None, &mut said);
        }
    }
    let mut explained = rows(&fs::read_to_string(Path::new(ROOT).join(ERRORS)).unwrap());
    let mut wrong = String::new();
    for (message, statuses) in said {
        let status: Vec<_> = statuses.into_iter().collect();
        let status = status.join(", ");
        let found = explained.remove(&message);
        if !found.is_some_and(|found| status.is_empty() || found == status) {
            writeln!(wrong, "missing: | {message} | {status} |").unwrap();
        }
    }
    for message in explained.keys() {
        writeln!(wrong, "nobody says any more: {message}").unwrap();
    }
    assert!(
        wrong.is_empty(),
        "{ERRORS} has to be brought up to date:\n{wrong}"
    );
}

#[test]
fn the_reference_of_settings_is_current() {
    let mut page = String::from(
        "# Settings\n\n\
         Every setting is an environment variable. An empty one counts as not set; one that cannot be used ends\n\
         the program with a sentence that names it, and never repeats its value. This page is made of\n\
         `src/config.rs` (`UPDATE_DOCS=1 cargo test --test bridge docs::`), and a test fails when it is out of\n\
         date; `scim-bridge serve --help` says the same.\n\n\
         ## The bridge\n\n",
    );
    page += &table(SETTINGS);
    page += "\n## Commands\n\n\
         Commands read those settings of the bridge that they need: where scimsession, sweep key and state are,\n\
         and, where they tell of delays and limits, the rules. These are read by nothing but commands. Secrets\n\
         are taken from here, from standard input or at the terminal; never from an argument.\n\n";
    page += &table(COMMAND_SETTINGS);
    let path = Path::new(ROOT).join(CONFIGURATION);
    if std::env::var_os(UPDATE).is_some() {
        fs::write(&path, &page).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == page,
        "{CONFIGURATION} is out of date: run this with {UPDATE}=1 and commit the file"
    );
}

#[test]
fn every_setting_is_declared() {
    let declared: BTreeSet<_> = [SETTINGS, COMMAND_SETTINGS]
        .concat()
        .iter()
        .map(|setting| setting.name)
        .collect();
    for file in files(&Path::new(ROOT).join("src"), "rs") {
        let source = fs::read_to_string(&file).unwrap();
        for text in texts(source.parse().unwrap()) {
            let name = text.strip_prefix("SCIM_BRIDGE_").unwrap_or_default();
            if !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
                let place = file.display();
                assert!(
                    declared.contains(&*text),
                    "{place} reads {text}: see src/config.rs"
                );
            }
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    let pages = files(Path::new(ROOT), "md");
    let anchors: HashMap<_, _> = pages
        .iter()
        .map(|page| (page.clone(), anchors(&fs::read_to_string(page).unwrap())))
        .collect();
    let mut links = 0;
    let mut broken = String::new();
    for page in &pages {
        let text = prose(&fs::read_to_string(page).unwrap());
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.starts_with("https://") {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                _ => page.parent().unwrap().join(path),
            };
            let leads = target.canonicalize().is_ok_and(|target| {
                anchor.is_empty() || anchors.get(&target).is_some_and(|all| all.contains(anchor))
            });
            if !leads {
                writeln!(broken, "{}: {link}", page.display()).unwrap();
            }
        }
    }
    assert!(links > 0);
    assert!(broken.is_empty(), "links that lead nowhere:\n{broken}");
}

#[test]
fn every_command_exists() {
    let mut helps = HashMap::new();
    let mut help = |words: &[&str]| -> String {
        let known = helps.entry(words.join(" ")).or_insert_with(|| {
            let mut program = Command::new(env!("CARGO_BIN_EXE_scim-bridge"));
            let output = program.args(words).arg("--help").output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        });
        known.clone()
    };
    let mut wrong = String::new();
    for page in files(Path::new(ROOT), "md") {
        for command in commands(&fs::read_to_string(&page).unwrap()) {
            let words: Vec<_> = command.split_whitespace().collect();
            let is_name = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
            let names = words.iter().take_while(|word| is_name(word)).count();
            if names == 0 || words[0].starts_with('-') {
                continue;
            }
            let mut depth = 1;
            let mut known = help(&words[..depth]);
            while known.contains("Commands:") && depth < names {
                depth += 1;
                known = help(&words[..depth]);
            }
            let mut flags = words.iter().filter(|word| word.starts_with("--"));
            // Where there is no such command, nothing is on standard output.
            let good = !known.is_empty() && flags.all(|flag| known.contains(flag));
            if !good {
                writeln!(wrong, "{}: scim-bridge {command}", page.display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "not as the command line has it:\n{wrong}");
}

// ---- Messages in the source ----

/// Calls that are given a message, by the end of their names.
const SAID_BY: [&str; 17] = [
    "Failure::usage",
    "Failure::failed",
    "Error::Protected",
    "Error::NotPermitted",
    "Error::InvalidValue",
    "Error::Unsupported",
    "Error::CredentialsRefused",
    "Problem::Denied",
    "Problem::Missing",
    "Problem::Unreachable",
    "Problem::Unusable",
    "finding",
    "invalid",
    "not_a_source",
    "stranger",
    "unauthorized",
    "unusable",
];

/// Functions that put messages together for a call somewhere else. A `Failure { .. }` says its own.
const SAID_IN: [&str; 3] = ["deprovisioning", "remedy", "why_unmanaged"];

/// Messages with `…` where something is filled in, and their statuses where they show.
type Messages = BTreeMap<String, BTreeSet<String>>;

/// Finds messages in `tokens`, which stand in the body of a function, if in any.
fn find_messages(tokens: TokenStream, body: Option<&TokenStream>, said: &mut Messages) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let (mut in_tests, mut function) = (false, None);
    for (at, token) in tokens.iter().enumerate() {
        let before = &tokens[..at];
        let group = match token {
            TokenTree::Group(group) => group,
            TokenTree::Punct(end) if end.as_char() == ';' => {
                (in_tests, function) = (false, None);
                continue;
            }
            TokenTree::Ident(name) if ends_with(before, "fn") => {
                function = Some(name.to_string());
                continue;
            }
            _ => continue,
        };
        match group.delimiter() {
            Delimiter::Bracket if ends_with(before, "#") => {
                let attribute = group.stream().to_string().replace(' ', "");
                in_tests |= attribute == "cfg(test)";
                if attribute.starts_with("error(") {
                    note(sentences(group.stream()), None, said);
                }
                continue;
            }
            Delimiter::Brace => {
                let name = function.take();
                if mem::take(&mut in_tests) {
                    continue;
                }
                let says = name.as_ref().map_or_else(
                    || ends_with(before, "Failure"),
                    |name| SAID_IN.contains(&&**name),
                );
                if says {
                    note(sentences(group.stream()), None, said);
                }
                if name.is_some() {
                    find_messages(group.stream(), Some(&group.stream()), said);
                    continue;
                }
            }
            Delimiter::Parenthesis if function.is_none() => {
                if let Some(status) = status_of_call(before) {
                    match (sentences(group.stream()), body) {
                        // The text was put together before the call.
                        (none, Some(body)) if none.is_empty() && status.is_some() => {
                            note(sentences(body.clone()), None, said);
                        }
                        (some, _) => note(some, status, said),
                    }
                }
            }
            _ => {}
        }
        find_messages(group.stream(), body, said);
    }
}

fn note(sentences: Vec<String>, status: Option<String>, said: &mut Messages) {
    for sentence in sentences {
        let sentence = sentence.trim().to_owned();
        said.entry(sentence).or_default().extend(status.clone());
    }
}

/// Whether what stands before arguments is a call that is given a message, and with which status.
fn status_of_call(before: &[TokenTree]) -> Option<Option<String>> {
    let from = before.len().saturating_sub(4);
    let name: String = before[from..].iter().map(ToString::to_string).collect();
    if let Some((_, constructor)) = name
        .rsplit_once("Error::")
        .or_else(|| name.rsplit_once("Self::"))
        && let Some(status) = status(constructor)
    {
        return Some(Some(status));
    }
    SAID_BY
        .iter()
        .any(|call| name.ends_with(call))
        .then_some(None)
}

/// What an answer made by this constructor of `scim::Error` has as status and keyword.
fn status(constructor: &str) -> Option<String> {
    use scim::Error as E;
    let error = match constructor {
        "invalid_filter" => E::invalid_filter(""),
        "too_many" => E::too_many(""),
        "uniqueness" => E::uniqueness(""),
        "mutability" => E::mutability(""),
        "invalid_syntax" => E::invalid_syntax(""),
        "invalid_path" => E::invalid_path(""),
        "no_target" => E::no_target(""),
        "invalid_value" => E::invalid_value(""),
        "invalid_version" => E::invalid_version(""),
        "sensitive" => E::sensitive(""),
        "invalid_cursor" => E::invalid_cursor(""),
        "expired_cursor" => E::expired_cursor(""),
        "invalid_count" => E::invalid_count(""),
        "unauthorized" => E::unauthorized(""),
        "forbidden" => E::forbidden(""),
        "not_found" => E::not_found(""),
        "method_not_allowed" => E::method_not_allowed(""),
        "not_acceptable" => E::not_acceptable(""),
        "conflict" => E::conflict(""),
        "precondition_failed" => E::precondition_failed(""),
        "length_required" => E::length_required(""),
        "request_timeout" => E::request_timeout(""),
        "uri_too_long" => E::uri_too_long(""),
        "headers_too_large" => E::headers_too_large(""),
        "too_large" => E::too_large(""),
        "unsupported_media_type" => E::unsupported_media_type(""),
        "too_many_requests" => E::too_many_requests(""),
        "internal" => E::internal(""),
        "not_implemented" => E::not_implemented(""),
        "unavailable" => E::unavailable(""),
        _ => return None,
    };
    Some(match error.scim_type {
        Some(keyword) => format!("{} `{keyword}`", error.status),
        None => error.status.to_string(),
    })
}

fn ends_with(tokens: &[TokenTree], text: &str) -> bool {
    tokens.last().is_some_and(|last| last.to_string() == text)
}

/// The texts among `tokens` that have words beside what is filled in.
fn sentences(tokens: TokenStream) -> Vec<String> {
    let mut all = texts(tokens);
    for text in &mut all {
        let mut parts = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
        while let Some(from) = parts.find('{') {
            let to = parts[from..]
                .find('}')
                .map_or(parts.len(), |to| from + to + 1);
            parts.replace_range(from..to, "…");
        }
        *text = parts.replace('\u{1}', "{").replace('\u{2}', "}");
    }
    let words = |text: &str| {
        text.split(' ')
            .filter(|word| word.len() > 1 && word.is_ascii())
            .count()
    };
    all.retain(|text| words(text) > 1);
    all
}

/// The texts among `tokens`, outside attributes.
fn texts(tokens: TokenStream) -> Vec<String> {
    let mut all = Vec::new();
    let mut attribute = false;
    for token in tokens {
        match &token {
            TokenTree::Group(_) if attribute => {}
            TokenTree::Group(group) => all.extend(texts(group.stream())),
            TokenTree::Literal(literal) => all.extend(plain(&literal.to_string())),
            _ => {}
        }
        attribute = token.to_string() == "#";
    }
    all
}

/// What a string literal stands for.
fn plain(literal: &str) -> Option<String> {
    let mut chars = literal
        .strip_prefix('"')?
        .strip_suffix('"')?
        .chars()
        .peekable();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some('n')) => {
                chars.next();
                text.push(' ');
            }
            ('\\', Some(_)) => text.extend(chars.next()),
            _ => text.push(c),
        }
    }
    Some(text)
}

// ---- Pages ----

/// The first two cells of every row below a table's head.
fn rows(page: &str) -> BTreeMap<String, String> {
    let lines: Vec<_> = page.lines().collect();
    let is_row = |line: &str| line.starts_with("| ") && !line.starts_with("| ---");
    let of_head = |at: usize| {
        lines
            .get(at + 1)
            .is_some_and(|next| next.starts_with("| ---"))
    };
    lines
        .iter()
        .enumerate()
        .filter(|(at, line)| is_row(line) && !of_head(*at))
        .map(|(_, line)| {
            let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
            let mut cell = || cells.next().unwrap_or_default().to_owned();
            (cell(), cell())
        })
        .collect()
}

fn table(settings: &[Setting]) -> String {
    let mut rows =
        String::from("| variable | meaning | values | default |\n| --- | --- | --- | --- |\n");
    for Setting {
        name,
        meaning,
        values,
        default,
    } in settings
    {
        writeln!(rows, "| `{name}` | {meaning} | {values} | {default} |").unwrap();
    }
    rows
}

/// What stands behind `scim-bridge` in code, in lines and in blocks.
fn commands(page: &str) -> Vec<String> {
    let page = page.replace("\\\n", " ");
    let blocks = page.split("```").skip(1).step_by(2).flat_map(str::lines);
    let prose = prose(&page);
    let spans = prose.split('`').skip(1).step_by(2);
    blocks
        .chain(spans)
        .filter_map(|code| code.split_once("scim-bridge "))
        .map(|(_, rest)| rest.split(['#', '|', '&', ')']).next().unwrap_or_default())
        .map(|command| command.replace('\n', " ").trim().to_owned())
        .collect()
}

/// A page without its blocks of code.
fn prose(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// What can follow `#` in links to a page: its headings in lower case, without punctuation.
fn anchors(page: &str) -> BTreeSet<String> {
    prose(page)
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|heading| {
            let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            heading
                .chars()
                .filter(kept)
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

/// All files below a folder with this extension, but for what is made or hidden.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                all.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|found| found == extension) {
            all.push(path);
        }
    }
    all.sort();
    all
}
