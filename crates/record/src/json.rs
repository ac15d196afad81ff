//! Strict JSON with exact numbers and raw slices.
//!
//! Owns reading JSON into a borrowed tree. It refuses what would make two readers see two things: duplicate keys,
//! lone surrogates, invalid UTF-8, text after the end, depth bombs. Numbers stay as the text that was sent, so
//! `6.50` keeps its zero; every node knows its raw text, so that a part can be kept whole. Nothing here panics on
//! any input.

use std::borrow::Cow;

mod canonical;
mod parse;
#[cfg(test)]
mod tests;

pub use canonical::canonical;
pub use parse::{Limits, parse, parse_with};

/// One value of a JSON text, with the slice it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'a> {
    raw: &'a str,
    value: Value<'a>,
}

/// The shape of a JSON value. Text without escapes is borrowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as the text that was sent.
    Number(&'a str),
    /// A text with its escapes resolved.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Node<'a>>),
    /// An object, its members in the order sent, no key twice.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// Where and why a text is not JSON. Never repeats the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read JSON at line {line}, column {column} (byte {offset}): {what}")]
pub struct JsonError {
    /// Bytes before the fault.
    pub offset: usize,
    /// Line of the fault, from 1.
    pub line: usize,
    /// Bytes from the start of the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl<'a> Node<'a> {
    /// Returns the text of this value exactly as it was sent.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Returns the shape of the value.
    pub fn value(&self) -> &Value<'a> {
        &self.value
    }

    /// Finds a member of an object; `None` for other shapes too.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.as_object()?
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, node)| node)
    }

    /// Follows keys into nested objects.
    pub fn path(&self, keys: &[&str]) -> Option<&Node<'a>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// Finds a member that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    /// Finds the items of a member that is a list; none when it is absent or of another shape.
    pub fn items(&self, key: &str) -> &[Node<'a>] {
        self.get(key).and_then(Node::as_list).unwrap_or_default()
    }

    /// Returns the text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the number as it was sent, if this is one.
    pub fn as_number(&self) -> Option<&'a str> {
        match self.value {
            Value::Number(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the truth value, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// Returns the items, if this is a list.
    pub fn as_list(&self) -> Option<&[Node<'a>]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the members, if this is an object.
    pub fn as_object(&self) -> Option<&[(Cow<'a, str>, Node<'a>)]> {
        match &self.value {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns whether this is `null`.
    pub fn null(&self) -> bool {
        self.value == Value::Null
    }
}
