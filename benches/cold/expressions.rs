//! DynamoDB's expressions, as far as the bridge writes them: conditions of comparisons and
//! `attribute_exists`, joined by AND and OR; updates that set, add and remove.

use serde_json::{Value, json};

use crate::aws::Item;

/// Whether a condition holds for an item; the request has the names and values.
pub fn holds(condition: &str, item: &Item, request: &Value) -> bool {
    let spaced = condition.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader {
        words: &words,
        item,
        request,
    };
    reader.any()
}

struct Reader<'a> {
    words: &'a [&'a str],
    item: &'a Item,
    request: &'a Value,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> &'a str {
        let (first, rest) = self.words.split_first().unwrap();
        self.words = rest;
        first
    }

    fn takes(&mut self, word: &str) -> bool {
        let there = self.words.first() == Some(&word);
        if there {
            self.next();
        }
        there
    }

    fn any(&mut self) -> bool {
        let mut holds = self.all();
        while self.takes("OR") {
            holds |= self.all();
        }
        holds
    }

    fn all(&mut self) -> bool {
        let mut holds = self.one();
        while self.takes("AND") {
            holds &= self.one();
        }
        holds
    }

    fn one(&mut self) -> bool {
        match self.next() {
            "(" => {
                let holds = self.any();
                self.next();
                holds
            }
            function @ ("attribute_exists" | "attribute_not_exists") => {
                self.next();
                let exists = self.item.contains_key(name(self.next(), self.request));
                self.next();
                exists == (function == "attribute_exists")
            }
            attribute => {
                let there = self.item.get(name(attribute, self.request));
                let (operator, value) = (self.next(), self.next());
                let value = &self.request["ExpressionAttributeValues"][value];
                let Some(there) = there else {
                    return false;
                };
                let order = match (number(there), number(value)) {
                    (Some(there), Some(value)) => there.cmp(&value),
                    _ => there["S"].as_str().cmp(&value["S"].as_str()),
                };
                match operator {
                    "=" => order.is_eq(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    ">=" => order.is_ge(),
                    other => panic!("{other} is no operator that the bridge uses"),
                }
            }
        }
    }
}

/// The item after an update.
pub fn updated(mut item: Item, request: &Value) -> Item {
    for (key, value) in request["Key"].as_object().unwrap() {
        item.insert(key.clone(), value.clone());
    }
    let expression = request["UpdateExpression"].as_str().unwrap();
    // Commas part what is set, but for the one between a function's arguments.
    let expression = expression.replace(", :", "; :");
    let value = |name: &str| request["ExpressionAttributeValues"][name.trim()].clone();
    let mut clause = "";
    for part in expression.split(',').flat_map(|part| parts(part.trim())) {
        let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
        let rest = match word {
            "SET" | "ADD" | "REMOVE" => {
                clause = word;
                rest
            }
            _ => part,
        };
        match clause {
            "REMOVE" => drop(item.remove(name(rest, request))),
            "ADD" => {
                let (attribute, more) = rest.split_once(' ').unwrap();
                let before = item.get(attribute).and_then(number).unwrap_or_default();
                let after = before + number(&value(more)).unwrap();
                item.insert(attribute.to_owned(), json!({ "N": after.to_string() }));
            }
            _ => {
                let (attribute, new) = rest.split_once(" = ").unwrap();
                let attribute = name(attribute, request);
                match new.strip_prefix("if_not_exists(") {
                    Some(_) if item.contains_key(attribute) => {}
                    Some(arguments) => {
                        let new = arguments.split_once("; ").unwrap().1.trim_end_matches(')');
                        item.insert(attribute.to_owned(), value(new));
                    }
                    None => drop(item.insert(attribute.to_owned(), value(new))),
                }
            }
        }
    }
    item
}

/// A part of an update in which another clause may begin.
fn parts(part: &str) -> Vec<&str> {
    for clause in [" REMOVE ", " ADD ", " SET "] {
        if let Some(at) = part.find(clause) {
            return vec![&part[..at], &part[at + 1..]];
        }
    }
    vec![part]
}

fn name<'a>(word: &'a str, request: &'a Value) -> &'a str {
    let names = &request["ExpressionAttributeNames"];
    names[word].as_str().unwrap_or(word)
}

fn number(value: &Value) -> Option<i128> {
    value["N"].as_str()?.parse().ok()
}
