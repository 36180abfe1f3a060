//! Row keys. Table Storage takes at most 1 KiB of UTF-16 and not `/`, `\`, `#`, `?` or control
//! characters; these keys also need no escaping in a URL or in a quoted text.

use crate::state::records::digest;

/// The most characters of a name in a key: two and what stands around them fit into 512.
const LONGEST: usize = 240;

/// A row key: names, in their order. Rows of the same first names are neighbours, and among them
/// those of an account's ids are in the ids' order.
pub(super) fn row(kind: &str, names: &[&str]) -> String {
    let mut row = kind.to_owned();
    for name in names {
        row.push(':');
        row.push_str(&escape(name));
    }
    row
}

/// What comes before all rows that begin with these names and have more.
pub(super) fn start_of(row: &str) -> String {
    format!("{row}:")
}

/// What comes after them.
pub(super) fn end_of(row: &str) -> String {
    // The sign after the colon.
    format!("{row};")
}

/// A name that has only letters, digits and a few signs; others are `_` with the two digits of
/// each byte. No two names become the same.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'@' => {
                escaped.push(char::from(byte));
            }
            _ => escaped.push_str(&format!("_{byte:02x}")),
        }
    }
    match escaped.len() {
        0..=LONGEST => escaped,
        _ => format!("~{}", digest(name)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_escaped_where_it_must_be() {
        let long = "a".repeat(LONGEST + 1);
        let digested = format!("out-of:~{}", digest(&long));
        for (names, expected) in [
            (&["ABC234"][..], "out-of:ABC234"),
            (&["ann@b-c.example", "A"], "out-of:ann@b-c.example:A"),
            (&["a_b:c/d"], "out-of:a_5fb_3ac_2fd"),
            (&["ö'"], "out-of:_c3_b6_27"),
            (&["", "A"], "out-of::A"),
            (&[&long], &digested),
        ] {
            assert_eq!(row("out-of", names), expected);
        }
    }

    #[test]
    fn rows_of_the_same_names_are_neighbours() {
        let names = row("email", &["a"]);
        let (start, end) = (start_of(&names), end_of(&names));
        for id in ["0", "A", "z~", "-"] {
            let inside = row("email", &["a", id]);
            assert!(start < inside && inside < end, "{inside}");
        }
        for other in ["", "_", "a@", "a1", "a-", "aa", "b"] {
            let outside = row("email", &[other, "A"]);
            assert!(outside < start || outside > end, "{outside}");
        }
    }

    proptest! {
        #[test]
        fn different_names_have_different_keys(
            one in prop::collection::vec("\\PC{0,300}|[a-z_:~;]{0,4}|[\\x00-\\x20]", 0..3),
            other in prop::collection::vec("\\PC{0,300}|[a-z_:~;]{0,4}|[\\x00-\\x20]", 0..3),
        ) {
            let key = |names: &[String]| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                row("kind", &names)
            };
            prop_assert_eq!(key(&one) == key(&other), one == other);
            prop_assert!(key(&one).len() <= 512);
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.@_~:".contains(&byte);
            prop_assert!(key(&one).bytes().all(allowed));
        }

        #[test]
        fn ids_keep_their_order(one in "[A-Z0-9]{0,26}", other in "[A-Z0-9]{0,26}") {
            let key = |id: &str| row("record", &[id]);
            prop_assert_eq!(key(&one).cmp(&key(&other)), one.cmp(&other));
        }
    }
}
