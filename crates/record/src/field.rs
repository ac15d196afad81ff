//! Reading typed fields from JSON: where one stands (`Path`), what was wrong so far (`Cx`), and the `Field` trait
//! that every type of the vocabulary implements once.
//!
//! An error names its place by JSON pointer and never repeats what the sender sent.

use std::borrow::Cow;

use serde_json::json;

use crate::{
    block::{Code, PersonRef},
    json::{Node, Value},
    limits,
};

mod impls;

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error)]
#[error("{pointer}: {detail}")]
pub struct FieldError {
    /// JSON pointer to the field, from the root of the event.
    pub pointer: String,
    /// A stable word for programs: `missing`, `unknown_field`, `wrong_type`, `too_long`, …
    pub code: &'static str,
    /// What was expected, for people. Holds nothing that the sender sent.
    pub detail: String,
}

/// A place in the JSON document, as a chain of steps on the stack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The whole document.
    pub(crate) const ROOT: Path<'static> = Path {
        parent: None,
        step: Step::Root,
    };

    pub(crate) fn key<'q>(&'q self, key: &'q str) -> Path<'q> {
        Path {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    pub(crate) fn index(&'p self, index: usize) -> Path<'p> {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// Writes the JSON pointer of this place.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = self.parent.map(Path::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => pointer.push_str(&format!("/{index}")),
        }
        pointer
    }
}

/// Called with the place and value of each code.
pub(crate) type VisitCode<'v> = dyn FnMut(Path<'_>, &mut Code) + 'v;
/// Called with the place and value of each reference to a person.
pub(crate) type VisitPerson<'v> = dyn FnMut(Path<'_>, &mut PersonRef) + 'v;

/// What reading has found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Cx {
    errors: Vec<FieldError>,
    /// Reading our own output back: marks that only the server writes are believed.
    pub(crate) stored: bool,
}

impl Cx {
    pub(crate) fn stored() -> Self {
        Self {
            errors: Vec::new(),
            stored: true,
        }
    }

    pub(crate) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    pub(crate) fn clean(&self) -> bool {
        self.errors.is_empty()
    }

    #[cold]
    pub(crate) fn error(&mut self, at: Path<'_>, code: &'static str, detail: impl Into<String>) {
        if self.errors.len() < limits::ERRORS_MAX {
            let found = FieldError {
                pointer: at.pointer(),
                code,
                detail: detail.into(),
            };
            self.errors.push(found);
        }
    }

    #[cold]
    pub(crate) fn missing(&mut self, at: Path<'_>) {
        self.error(at, "missing", "this field is required");
    }

    /// Names the unknown field in the pointer only, and only when its name looks like a name.
    #[cold]
    pub(crate) fn unknown_field(&mut self, at: Path<'_>, key: &str) {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let name = match key.len() <= 64 && key.bytes().all(plain) {
            true => key,
            false => "?",
        };
        self.error(
            at.key(name),
            "unknown_field",
            "no such field; free content goes under data.extra",
        );
    }

    #[cold]
    pub(crate) fn unknown_word(&mut self, at: Path<'_>, expected: &[&str]) {
        self.error(
            at,
            "unknown_word",
            format!("expected one of: {}", expected.join(", ")),
        );
    }

    #[cold]
    pub(crate) fn wrong_type(&mut self, at: Path<'_>, expected: &str) {
        self.error(at, "wrong_type", format!("expected {expected}"));
    }

    pub(crate) fn text<'n>(&mut self, node: &'n Node<'_>, at: Path<'_>) -> Option<&'n str> {
        let text = node.as_text();
        if text.is_none() {
            self.wrong_type(at, "a text");
        }
        text
    }

    pub(crate) fn object<'n, 'a>(
        &mut self,
        node: &'n Node<'a>,
        at: Path<'_>,
    ) -> Option<&'n [(Cow<'a, str>, Node<'a>)]> {
        let members = node.as_object();
        if members.is_none() {
            self.wrong_type(at, "an object");
        }
        members
    }
}

/// A type that can stand in a field of an event.
pub(crate) trait Field: Sized {
    /// Whether a list of this type may be written as one lone item.
    const LONE: bool = false;
    /// Whether the field may be left out.
    const OPTIONAL: bool = false;

    /// Reads the value; says in `cx` what is wrong and returns `None` when it cannot be made.
    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self>;

    /// Reads an explicit `null`.
    fn read_null(at: Path<'_>, cx: &mut Cx) -> Option<Self> {
        match Self::OPTIONAL {
            true => Self::when_absent(),
            false => {
                cx.error(at, "missing", "this field is required and may not be null");
                None
            }
        }
    }

    /// The value of a field that was left out, when that is allowed.
    fn when_absent() -> Option<Self> {
        None
    }

    /// Whether the field is left out when written.
    fn absent(&self) -> bool {
        false
    }

    /// Checks a value that was made in code by the rules that `read` keeps.
    fn check(&self, _at: Path<'_>, _limit: usize, _cx: &mut Cx) {}

    /// Visits every code inside.
    fn codes(&mut self, _at: Path<'_>, _visit: &mut VisitCode<'_>) {}

    /// Visits every reference to a person inside.
    fn people(&mut self, _at: Path<'_>, _visit: &mut VisitPerson<'_>) {}

    /// Describes the value as JSON Schema.
    fn schema(limit: usize) -> serde_json::Value;
}

/// Used by serde: absent fields are not written.
pub(crate) fn is_absent<T: Field>(value: &T) -> bool {
    value.absent()
}

/// A field while its object is read: not met, met and wrong, or met and right.
pub(crate) enum Slot<T> {
    Absent,
    Wrong,
    Read(T),
}

impl<T: Field> Slot<T> {
    pub(crate) fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Self {
        let read = match node.value() {
            Value::Null => T::read_null(at, cx),
            _ => T::read(node, at, limit, cx),
        };
        read.map_or(Self::Wrong, Self::Read)
    }

    pub(crate) fn finish(self, at: Path<'_>, name: &str, cx: &mut Cx) -> Option<T> {
        match self {
            Self::Read(value) => Some(value),
            Self::Wrong => None,
            Self::Absent => {
                let absent = T::when_absent();
                if absent.is_none() {
                    cx.missing(at.key(name));
                }
                absent
            }
        }
    }
}

/// A member of an object's schema.
pub(crate) struct Member {
    name: &'static str,
    optional: bool,
    schema: serde_json::Value,
}

impl Member {
    pub(crate) fn of<T: Field>(name: &'static str, limit: usize) -> Self {
        Self {
            name,
            optional: T::OPTIONAL,
            schema: T::schema(limit),
        }
    }
}

/// Describes an object of exactly these members.
pub(crate) fn object_schema(members: Vec<Member>) -> serde_json::Value {
    let required: Vec<_> = members
        .iter()
        .filter(|m| !m.optional)
        .map(|m| m.name)
        .collect();
    let properties: serde_json::Map<_, _> = members
        .into_iter()
        .map(|m| (m.name.to_owned(), m.schema))
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}
