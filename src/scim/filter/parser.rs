//! From text to a filter: recursive descent over RFC 7644 figure 1.

use serde_json::Number;

use super::comparison::{Comparison, Literal, Operator};
use super::{Filter, MAX_DEPTH, MAX_LENGTH};
use crate::scim::error::Error;
use crate::scim::path::AttributePath;
use crate::scim::policy::Policy;
use crate::scim::schema::{ResourceSchema, Type};

/// Attributes that providers match by, where a value without quotes is understood.
const MATCHED_BY: [&str; 7] = [
    "id",
    "externalId",
    "userName",
    "displayName",
    "emails.value",
    "members.value",
    "groups.value",
];

pub(super) fn parse(
    text: &str,
    schema: &'static ResourceSchema,
    policy: &Policy,
) -> Result<Filter, Error> {
    let mut parser = Parser::new(text, 0, schema, policy)?;
    let filter = parser.filter(Scope::Resource)?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.error("the filter should end here")),
    }
}

pub(super) fn parse_values<'t>(
    text: &'t str,
    offset: usize,
    attribute: AttributePath,
    schema: &'static ResourceSchema,
    policy: &Policy,
) -> Result<(Filter, &'t str), Error> {
    let mut parser = Parser::new(text, offset, schema, policy)?;
    let filter = parser.filter(Scope::Value(attribute))?;
    parser.expect(']')?;
    Ok((filter, parser.rest()))
}

/// Whose attributes are meant: the resource's, or those of one value of an attribute.
#[derive(Clone, Copy)]
enum Scope {
    Resource,
    Value(AttributePath),
}

struct Parser<'t, 'p> {
    text: &'t str,
    /// Where reading goes on, in bytes; always at the start of a character.
    at: usize,
    /// How many bytes of the client's text stand before `text`.
    offset: usize,
    depth: usize,
    schema: &'static ResourceSchema,
    policy: &'p Policy,
}

enum Connective {
    And,
    Or,
}

impl<'t, 'p> Parser<'t, 'p> {
    fn new(
        text: &'t str,
        offset: usize,
        schema: &'static ResourceSchema,
        policy: &'p Policy,
    ) -> Result<Self, Error> {
        if text.len() > MAX_LENGTH {
            return Err(Error::invalid_filter(format!(
                "The filter is longer than {MAX_LENGTH} bytes."
            )));
        }
        Ok(Self {
            text,
            at: 0,
            offset,
            depth: 0,
            schema,
            policy,
        })
    }

    // ===== reading =====

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, length: usize) -> &'t str {
        let taken = self.rest().get(..length).unwrap_or_default();
        self.at += taken.len();
        taken
    }

    fn expect(&mut self, wanted: char) -> Result<(), Error> {
        if self.peek() == Some(wanted) {
            self.at += wanted.len_utf8();
            Ok(())
        } else {
            Err(self.error(&format!("'{wanted}' is missing")))
        }
    }

    /// Everything up to a space, bracket, parenthesis or quote.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let length = rest
            .find(|c: char| c == ' ' || c == '\t' || "()[]\"".contains(c))
            .unwrap_or(rest.len());
        self.take(length)
    }

    fn spaces(&mut self) -> usize {
        let rest = self.rest();
        let length = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        self.take(length);
        length
    }

    /// A place where figure 1 has no space.
    fn no_space(&mut self) -> Result<(), Error> {
        let start = self.at;
        if self.spaces() > 0 && !self.policy.loose_filter_spaces {
            return Err(self.error_at(start, "there is a space too many"));
        }
        Ok(())
    }

    /// A place where figure 1 has exactly one space.
    fn one_space(&mut self) -> Result<(), Error> {
        let start = self.at;
        let strict_space = self.rest().starts_with(' ');
        match self.spaces() {
            0 => Err(self.error_at(start, "a space is missing")),
            1 if strict_space => Ok(()),
            _ if self.policy.loose_filter_spaces => Ok(()),
            _ => Err(self.error_at(start, "exactly one space belongs")),
        }
    }

    // ===== the grammar =====

    /// RFC 7644 section 3.4.2.2, table 5 and its order of operations: `not` before `and` before
    /// `or`.
    fn filter(&mut self, scope: Scope) -> Result<Filter, Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(&format!(
                "the filter is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        self.no_space()?;
        let mut alternatives = Vec::new();
        let mut conjunction = vec![self.term(scope)?];
        while let Some(connective) = self.connective()? {
            if let Connective::Or = connective {
                alternatives.push(Filter::all(std::mem::take(&mut conjunction)));
            }
            conjunction.push(self.term(scope)?);
        }
        alternatives.push(Filter::all(conjunction));
        self.depth -= 1;
        Ok(Filter::any(alternatives))
    }

    /// ` and ` or ` or `, or nothing if the filter, parenthesis or bracket ends.
    fn connective(&mut self) -> Result<Option<Connective>, Error> {
        let start = self.at;
        let closed = self
            .text
            .get(..start)
            .is_some_and(|read| read.ends_with([')', ']', '"']));
        let spaces = self.spaces();
        if matches!(self.peek(), None | Some(')' | ']')) {
            self.at = start;
            self.no_space()?;
            return Ok(None);
        }
        self.at = start;
        if spaces > 0 || !(self.policy.loose_filter_spaces && closed) {
            self.one_space()?;
        }
        let start = self.at;
        let word = self.word();
        let connective = if word.eq_ignore_ascii_case("and") {
            Connective::And
        } else if word.eq_ignore_ascii_case("or") {
            Connective::Or
        } else {
            return Err(self.error_at(start, "'and', 'or' or the end should stand"));
        };
        if !(self.policy.loose_filter_spaces && self.peek() == Some('(')) {
            self.one_space()?;
        }
        Ok(Some(connective))
    }

    fn term(&mut self, scope: Scope) -> Result<Filter, Error> {
        if self.peek() == Some('(') {
            return self.group(scope);
        }
        let start = self.at;
        let word = self.word();
        if word.eq_ignore_ascii_case("not") && self.before_parenthesis()? {
            return self
                .group(scope)
                .map(|filter| Filter::Not(Box::new(filter)));
        }
        let path = self.attribute(scope, word, start)?;
        if self.peek() == Some('[') {
            return self.value_path(scope, path);
        }
        self.expression(path, start)
    }

    /// Whether a parenthesis follows `not`. If so, reading goes on there.
    fn before_parenthesis(&mut self) -> Result<bool, Error> {
        let start = self.at;
        let spaces = self.spaces();
        if self.peek() != Some('(') {
            self.at = start;
            return Ok(false);
        }
        if spaces > 1 && !self.policy.loose_filter_spaces {
            return Err(self.error_at(start, "one space at most belongs"));
        }
        Ok(true)
    }

    fn group(&mut self, scope: Scope) -> Result<Filter, Error> {
        self.expect('(')?;
        let filter = self.filter(scope)?;
        self.expect(')')?;
        Ok(filter)
    }

    /// `attr[filter]`, and under policy `attr[filter].sub op value`.
    fn value_path(&mut self, scope: Scope, path: AttributePath) -> Result<Filter, Error> {
        // RFC 7644 figure 1: `valFilter` has no value path in it, and `attrPath` before the
        // bracket has a list of objects behind it.
        if let Scope::Value(_) = scope {
            return Err(self.error("brackets do not nest"));
        }
        if path.sub_attribute().is_some() || path.leaf().kind != Type::Complex {
            return Err(self.error(&format!(
                "'{path}' has no parts that brackets could select by"
            )));
        }
        self.expect('[')?;
        let inside = Scope::Value(path);
        let filter = self.filter(inside)?;
        self.expect(']')?;
        let filter = if self.peek() == Some('.') {
            if !self.policy.filtered_sub_attributes {
                return Err(self.error("a filter in brackets is complete without a sub-attribute"));
            }
            self.expect('.')?;
            let start = self.at;
            let word = self.word();
            let part = self.attribute(inside, word, start)?;
            filter.and(self.expression(part, start)?)
        } else {
            filter
        };
        Ok(Filter::Values {
            attribute: path,
            filter: Box::new(filter),
        })
    }

    fn attribute(&self, scope: Scope, word: &str, start: usize) -> Result<AttributePath, Error> {
        if word.is_empty() {
            return Err(self.error_at(start, "an attribute should stand"));
        }
        let path = match scope {
            Scope::Resource => self.schema.resolve(word, self.policy).or_else(|why| {
                let manager = self
                    .policy
                    .manager_reference_check
                    .then(|| self.schema.manager(word))
                    .flatten();
                manager.ok_or_else(|| {
                    let shown: String = word.chars().take(120).collect();
                    self.error_at(start, &format!("'{shown}' {why}"))
                })
            })?,
            Scope::Value(of) => {
                let part = of.attribute().sub_attribute(word).ok_or_else(|| {
                    let shown: String = word.chars().take(120).collect();
                    self.error_at(start, &format!("'{shown}' is not a part of '{of}'"))
                })?;
                of.with_sub(Some(part))
            }
        };
        // RFC 7643 section 7: what is never returned must not be found out by filtering either.
        if path.attribute().is_secret() {
            return Err(self.error_at(start, &format!("'{path}' cannot be filtered by")));
        }
        Ok(path)
    }

    /// ` pr`, or operator and value.
    fn expression(&mut self, path: AttributePath, start: usize) -> Result<Filter, Error> {
        self.one_space()?;
        let operator_at = self.at;
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(path));
        }
        let operator = Operator::from_word(word).ok_or_else(|| {
            let shown: String = word.chars().take(40).collect();
            self.error_at(operator_at, &format!("'{shown}' is not an operator"))
        })?;
        // RFC 7644 section 3.5.2.2 has `eq"…"` in an example, though figure 1 wants a space.
        if self.peek() != Some('"') {
            self.one_space()?;
        }
        let literal = self.literal(path, operator)?;
        Comparison::new(path, operator, literal, self.policy)
            .map(Filter::Compare)
            .map_err(|why| self.error_at(start, &why))
    }

    /// RFC 7644 figure 1, `compValue`: false, null, true, number or string as in JSON.
    fn literal(&mut self, path: AttributePath, operator: Operator) -> Result<Literal, Error> {
        let start = self.at;
        if self.peek() == Some('"') {
            return self.string();
        }
        let word = self.word();
        match word {
            "true" => return Ok(Literal::Boolean(true)),
            "false" => return Ok(Literal::Boolean(false)),
            "null" => return Ok(Literal::Null),
            _ => {}
        }
        if self.policy.unquoted_filter_values
            && operator == Operator::Equal
            && is_matched_by(path)
            && is_bare_value(word)
        {
            return Ok(Literal::Text(word.to_owned()));
        }
        if let Some(number) = number(word) {
            return Ok(Literal::Number(number));
        }
        Err(self.error_at(
            start,
            "a value should stand: a string in double quotes, a number, true, false or null",
        ))
    }

    fn string(&mut self) -> Result<Literal, Error> {
        let start = self.at;
        let mut escaped = false;
        let length = self.rest().char_indices().skip(1).find_map(|(index, c)| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends.then_some(index + 1)
        });
        let Some(length) = length else {
            return Err(self.error_at(start, "a string begins that does not end"));
        };
        let quoted = self.take(length);
        serde_json::from_str(quoted)
            .map(Literal::Text)
            .map_err(|_| {
                self.error_at(
                    start,
                    "a string has an escape or character that JSON does not allow",
                )
            })
    }

    // ===== errors =====

    fn error(&self, what: &str) -> Error {
        self.error_at(self.at, what)
    }

    /// Values are never quoted in errors, names and operators are.
    fn error_at(&self, at: usize, what: &str) -> Error {
        let read = self.text.get(..at).map_or(at, |read| read.chars().count());
        Error::invalid_filter(format!("At character {}: {what}.", self.offset + read + 1))
    }
}

fn is_matched_by(path: AttributePath) -> bool {
    let value = path.leaf().value_attribute();
    let path = if value.is_some() {
        path.with_sub(value)
    } else {
        path
    };
    MATCHED_BY.iter().any(|name| path.is(name))
}

/// An identifier, name or address that nobody can take for a misspelt JSON literal.
fn is_bare_value(word: &str) -> bool {
    word.starts_with(char::is_alphanumeric)
        && word
            .chars()
            .all(|c| c.is_alphanumeric() || "._-+@".contains(c))
        && !["true", "false", "null", "nan", "infinity", "undefined"]
            .iter()
            .any(|literal| literal.eq_ignore_ascii_case(word))
}

/// A number as in JSON. JSON's reader says whether it is one, but may miss a fraction's last
/// digit, so that the filter would not print back as it was; and it passes over a line's end, which
/// is part of no number.
fn number(word: &str) -> Option<Number> {
    if word.contains(char::is_whitespace) {
        return None;
    }
    let read = serde_json::from_str::<Number>(word).ok()?;
    if read.is_f64() {
        word.parse().ok().and_then(Number::from_f64)
    } else {
        Some(read)
    }
}
