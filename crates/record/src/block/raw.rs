//! JSON kept as the text that was sent: never interpreted, shown as it came.

use serde::Serialize;

use crate::{
    field::{Cx, Field, Path},
    json::{self, Node},
};

/// A JSON object as its raw text.
#[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
pub struct RawJson(String);

impl Default for RawJson {
    fn default() -> Self {
        Self("{}".to_owned())
    }
}

impl RawJson {
    /// Keeps the text of a JSON object.
    ///
    /// # Errors
    /// Refuses what is not JSON; other shapes than an object are refused when the event is checked.
    pub fn new(text: impl Into<String>) -> Result<Self, json::JsonError> {
        let text = text.into();
        json::parse(text.as_bytes())?;
        Ok(Self(text))
    }

    /// Keeps a part of a JSON text as it was sent.
    pub fn of(node: &Node<'_>) -> Self {
        Self(node.raw().to_owned())
    }

    /// Writes a value as JSON and keeps that.
    pub(crate) fn write(value: &impl Serialize) -> Self {
        // Writing our own types to memory has nothing that can fail; an empty object is visible if it ever did.
        serde_json::to_string(value).map(Self).unwrap_or_default()
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for RawJson {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let raw: &serde_json::value::RawValue =
            serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(to)
    }
}

impl Field for RawJson {
    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
        cx.object(node, at)?;
        check_bytes(node.raw(), at, limit, cx).then(|| Self::of(node))
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        check_bytes(&self.0, at, limit, cx);
        if !self.0.trim_start().starts_with('{') {
            cx.wrong_type(at, "an object");
        }
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({ "type": "object" })
    }
}

fn check_bytes(text: &str, at: Path<'_>, limit: usize, cx: &mut Cx) -> bool {
    let fits = limit == 0 || text.len() <= limit;
    if !fits {
        cx.error(
            at,
            "too_long",
            format!("expected at most {limit} bytes of JSON"),
        );
    }
    fits
}
