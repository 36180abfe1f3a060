//! `benches/RESULTS.md`: one section for each program, replaced whole by each run.

use std::{fs, path::Path};

use super::machine;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/RESULTS.md");
const HEAD: &str = "# Results\n\nWritten by `make bench`, `bench-peers`, `bench-soak`, `bench-cold` and \
                    `bench-micro`; see [docs/performance.md](../docs/performance.md) for what is measured and \
                    how. Ratios within one section are of one run and can be compared; absolute figures are of \
                    that machine.\n";

/// Puts the section of this name in place of the one before it, and prints it.
pub fn write(name: &str, title: &str, text: &str) {
    let (begin, end) = (
        format!("<!-- {name} -->"),
        format!("<!-- end of {name} -->"),
    );
    let facts = machine::facts();
    let section = format!(
        "{begin}\n## {title}\n\n{facts}\n\n{}\n{end}\n",
        text.trim_end()
    );
    println!("{section}");
    let before = fs::read_to_string(Path::new(FILE)).unwrap_or_else(|_| HEAD.to_owned());
    let after = match (before.find(&begin), before.find(&end)) {
        (Some(from), Some(to)) => {
            let rest = before[to + end.len()..].trim_start_matches('\n');
            let gap = if rest.is_empty() { "" } else { "\n" };
            format!("{}{section}{gap}{rest}", &before[..from])
        }
        _ => format!("{}\n\n{section}", before.trim_end()),
    };
    fs::write(FILE, after).unwrap();
}

/// A Markdown table; the first column is text, the others are figures.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: &[&str]| format!("| {} |\n", cells.join(" | "));
    let rule: Vec<&str> = (0..head.len())
        .map(|at| if at == 0 { "---" } else { "---:" })
        .collect();
    let mut table = line(head) + &line(&rule);
    for row in rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        table += &line(&cells);
    }
    table
}
