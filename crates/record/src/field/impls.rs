//! `Field` for the types of the standard library and for `Change`.

use serde_json::json;

use super::{Cx, Field, Path, VisitCode, VisitPerson};
use crate::{
    block::Change,
    json::{Node, Value},
    limits,
};

impl Field for String {
    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
        let text = cx.text(node, at)?;
        check_text(text, at, limit, cx).then(|| text.to_owned())
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        check_text(self, at, limit, cx);
    }

    fn schema(limit: usize) -> serde_json::Value {
        json!({ "type": "string", "minLength": 1, "maxLength": chars_max(limit) })
    }
}

fn chars_max(limit: usize) -> usize {
    if limit == 0 {
        limits::TEXT_CHARS_MAX
    } else {
        limit
    }
}

/// Checks that a text says something and keeps its limit.
pub(crate) fn check_text(text: &str, at: Path<'_>, limit: usize, cx: &mut Cx) -> bool {
    let max = chars_max(limit);
    if text.trim().is_empty() {
        cx.error(at, "empty", "expected a text that is not empty");
        return false;
    }
    if let Some(detail) = unprintable(text, max) {
        cx.error(at, "bad_character", detail);
        return false;
    }
    // Bytes bound characters, so that the usual short text is not counted.
    if text.len() > max && text.chars().count() > max {
        cx.error(at, "too_long", format!("expected at most {max} characters"));
        return false;
    }
    true
}

/// Control characters break tables, terminals and other people's parsers; in a word (a code, an id) even space around
/// it would make two of one.
fn unprintable(text: &str, chars_max: usize) -> Option<&'static str> {
    let control = |byte: u8| byte < 0x20 || byte == 0x7f;
    if chars_max <= limits::WORD_CHARS_MAX {
        if text.bytes().any(control) {
            return Some("expected no control characters");
        }
        return (text.trim().len() != text.len()).then_some("expected no space around it");
    }
    let breaks_line = |byte: u8| matches!(byte, b'\n' | b'\r' | b'\t');
    let other = text.bytes().any(|byte| control(byte) && !breaks_line(byte));
    other.then_some("expected no control characters but tabs and line ends")
}

impl Field for bool {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let truth = node.as_bool();
        if truth.is_none() {
            cx.wrong_type(at, "true or false");
        }
        truth
    }

    fn schema(_limit: usize) -> serde_json::Value {
        json!({ "type": "boolean" })
    }
}

macro_rules! counts {
    ($( $whole:ty ),+) => { $(
        /// A count: a whole number from 0 to the limit (default 1,000,000).
        impl Field for $whole {
            fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
                let Some(text) = node.as_number() else {
                    cx.wrong_type(at, "a whole number");
                    return None;
                };
                match text.parse::<$whole>() {
                    Ok(count) if is_count(u64::from(count), limit) => Some(count),
                    _ => {
                        no_count(at, limit, cx);
                        None
                    }
                }
            }

            fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
                if !is_count(u64::from(*self), limit) {
                    no_count(at, limit, cx);
                }
            }

            fn schema(limit: usize) -> serde_json::Value {
                json!({ "type": "integer", "minimum": 0, "maximum": count_max(limit) })
            }
        }
    )+ };
}

counts!(u32, u64);

fn is_count(count: u64, limit: usize) -> bool {
    usize::try_from(count).is_ok_and(|count| count <= count_max(limit))
}

fn no_count(at: Path<'_>, limit: usize, cx: &mut Cx) {
    let max = count_max(limit);
    cx.error(
        at,
        "out_of_range",
        format!("expected a whole number from 0 to {max}"),
    );
}

fn count_max(limit: usize) -> usize {
    if limit == 0 { 1_000_000 } else { limit }
}

impl<T: Field> Field for Option<T> {
    const OPTIONAL: bool = true;

    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
        T::read(node, at, limit, cx).map(Some)
    }

    fn when_absent() -> Option<Self> {
        Some(None)
    }

    fn absent(&self) -> bool {
        self.is_none()
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        if let Some(value) = self {
            value.check(at, limit, cx);
        }
    }

    fn codes(&mut self, at: Path<'_>, visit: &mut VisitCode<'_>) {
        if let Some(value) = self {
            value.codes(at, visit);
        }
    }

    fn people(&mut self, at: Path<'_>, visit: &mut VisitPerson<'_>) {
        if let Some(value) = self {
            value.people(at, visit);
        }
    }

    fn schema(limit: usize) -> serde_json::Value {
        T::schema(limit)
    }
}

/// A list; the limit counts its items. Left out means empty.
impl<T: Field> Field for Vec<T> {
    const OPTIONAL: bool = true;

    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
        let items = match node.value() {
            Value::List(items) => items.as_slice(),
            _ if T::LONE => std::slice::from_ref(node),
            _ => {
                cx.wrong_type(at, "a list");
                return None;
            }
        };
        if items.len() > items_max(limit) {
            cx.error(
                at,
                "too_many",
                format!("expected at most {} items", items_max(limit)),
            );
            return None;
        }
        let mut read = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            read.extend(T::read(item, at.index(index), 0, cx));
        }
        (read.len() == items.len()).then_some(read)
    }

    fn when_absent() -> Option<Self> {
        Some(Self::new())
    }

    fn absent(&self) -> bool {
        self.is_empty()
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        if self.len() > items_max(limit) {
            cx.error(
                at,
                "too_many",
                format!("expected at most {} items", items_max(limit)),
            );
        }
        for (index, item) in self.iter().enumerate() {
            item.check(at.index(index), 0, cx);
        }
    }

    fn codes(&mut self, at: Path<'_>, visit: &mut VisitCode<'_>) {
        for (index, item) in self.iter_mut().enumerate() {
            item.codes(at.index(index), visit);
        }
    }

    fn people(&mut self, at: Path<'_>, visit: &mut VisitPerson<'_>) {
        for (index, item) in self.iter_mut().enumerate() {
            item.people(at.index(index), visit);
        }
    }

    fn schema(limit: usize) -> serde_json::Value {
        json!({ "type": "array", "items": T::schema(0), "maxItems": items_max(limit) })
    }
}

fn items_max(limit: usize) -> usize {
    if limit == 0 {
        limits::LIST_ITEMS_MAX
    } else {
        limit
    }
}

/// Three-valued: left out keeps, `null` clears, a value sets.
impl<T: Field> Field for Change<T> {
    const OPTIONAL: bool = true;

    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
        T::read(node, at, limit, cx).map(Change::Set)
    }

    fn read_null(_at: Path<'_>, _cx: &mut Cx) -> Option<Self> {
        Some(Change::Clear)
    }

    fn when_absent() -> Option<Self> {
        Some(Change::Keep)
    }

    fn absent(&self) -> bool {
        matches!(self, Change::Keep)
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        if let Change::Set(value) = self {
            value.check(at, limit, cx);
        }
    }

    fn codes(&mut self, at: Path<'_>, visit: &mut VisitCode<'_>) {
        if let Change::Set(value) = self {
            value.codes(at, visit);
        }
    }

    fn people(&mut self, at: Path<'_>, visit: &mut VisitPerson<'_>) {
        if let Change::Set(value) = self {
            value.people(at, visit);
        }
    }

    fn schema(limit: usize) -> serde_json::Value {
        json!({ "anyOf": [T::schema(limit), { "type": "null" }] })
    }
}
