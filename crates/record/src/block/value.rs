//! Measured and asked values.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::Code;
use crate::{
    decimal::Decimal,
    field::{Cx, Field, Path, VisitCode},
    json::{Node, Value as Json},
    limits::{NARRATIVE_CHARS_MAX, WORD_CHARS_MAX},
};

words! {
    /// How the true value relates to the one given.
    pub enum Comparator {
        Less = "<",
        LessOrEqual = "<=",
        GreaterOrEqual = ">=",
        Greater = ">",
    }
}

data! {
    /// A number with its unit.
    part Quantity {
        /// The number, with every digit as sent.
        value: Decimal,
        /// The unit in UCUM; `1` for a bare number.
        unit: String => 64,
        /// How the true value relates to the number.
        comparator: Option<Comparator>,
    }
}

impl Quantity {
    /// Makes a quantity without comparator.
    pub fn new(value: Decimal, unit: impl Into<String>) -> Self {
        Self {
            value,
            unit: unit.into(),
            comparator: None,
        }
    }
}

/// A bare number in the customary unit of its field, or a quantity that names its unit.
#[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
pub enum Measure {
    /// A bare number.
    Number(Decimal),
    /// A number with its unit.
    Quantity(Quantity),
}

impl Default for Measure {
    fn default() -> Self {
        Self::Number(Decimal::default())
    }
}

impl Measure {
    /// Returns the number.
    pub fn number(&self) -> Decimal {
        match self {
            Self::Number(number) => *number,
            Self::Quantity(quantity) => quantity.value,
        }
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(to),
            Self::Quantity(quantity) => quantity.serialize(to),
        }
    }
}

impl Field for Measure {
    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
        match node.value() {
            Json::Number(_) => Decimal::read(node, at, limit, cx).map(Self::Number),
            Json::Object(_) => Quantity::read(node, at, limit, cx).map(Self::Quantity),
            _ => {
                cx.wrong_type(at, "a number or a quantity");
                None
            }
        }
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        if let Self::Quantity(quantity) = self {
            quantity.check(at, limit, cx);
        }
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({ "anyOf": [Decimal::schema(0), Quantity::schema(0)] })
    }
}

/// What was observed.
#[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
pub enum Value {
    /// A measured quantity.
    Quantity(Quantity),
    /// A coded finding.
    Code(Code),
    /// A finding in words.
    Text(String),
    /// A yes or no.
    Boolean(bool),
    /// There is no value, for this reason.
    Absent(String),
}

impl Default for Value {
    fn default() -> Self {
        Self::Absent(String::new())
    }
}

impl Value {
    /// Returns the quantity, if this is one.
    pub fn quantity(&self) -> Option<&Quantity> {
        match self {
            Self::Quantity(quantity) => Some(quantity),
            _ => None,
        }
    }
}

impl From<Quantity> for Value {
    fn from(quantity: Quantity) -> Self {
        Self::Quantity(quantity)
    }
}

impl From<Code> for Value {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_map(Some(1))?;
        match self {
            Self::Quantity(quantity) => object.serialize_entry("quantity", quantity)?,
            Self::Code(code) => object.serialize_entry("code", code)?,
            Self::Text(text) => object.serialize_entry("text", text)?,
            Self::Boolean(truth) => object.serialize_entry("boolean", truth)?,
            Self::Absent(reason) => object.serialize_entry("absent", reason)?,
        }
        object.end()
    }
}

impl Field for Value {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let members = cx.object(node, at)?;
        let [(key, inner)] = members else {
            cx.error(
                at,
                "conflict",
                "expected exactly one of quantity, code, text, boolean, absent",
            );
            return None;
        };
        let place = at.key(key);
        match &**key {
            "quantity" => Quantity::read(inner, place, 0, cx).map(Self::Quantity),
            "code" => Code::read(inner, place, 0, cx).map(Self::Code),
            "text" => String::read(inner, place, NARRATIVE_CHARS_MAX, cx).map(Self::Text),
            "boolean" => bool::read(inner, place, 0, cx).map(Self::Boolean),
            "absent" => String::read(inner, place, WORD_CHARS_MAX, cx).map(Self::Absent),
            other => {
                cx.unknown_field(at, other);
                None
            }
        }
    }

    fn check(&self, at: Path<'_>, _limit: usize, cx: &mut Cx) {
        match self {
            Self::Quantity(quantity) => quantity.check(at.key("quantity"), 0, cx),
            Self::Code(code) => code.check(at.key("code"), 0, cx),
            Self::Text(text) => text.check(at.key("text"), NARRATIVE_CHARS_MAX, cx),
            Self::Boolean(_) => {}
            Self::Absent(reason) => reason.check(at.key("absent"), WORD_CHARS_MAX, cx),
        }
    }

    fn codes(&mut self, at: Path<'_>, visit: &mut VisitCode<'_>) {
        if let Self::Code(code) = self {
            visit(at.key("code"), code);
        }
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({
            "type": "object",
            "properties": {
                "quantity": Quantity::schema(0),
                "code": Code::schema(0),
                "text": String::schema(NARRATIVE_CHARS_MAX),
                "boolean": bool::schema(0),
                "absent": String::schema(WORD_CHARS_MAX),
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        })
    }
}

data! {
    /// One part of an observation that has several, such as systolic pressure.
    part Component {
        /// What was observed.
        code: Code,
        /// The value.
        value: Value,
    }
}

data! {
    /// What is usual for a value.
    part ReferenceRange {
        /// The lowest usual value.
        low: Option<Measure>,
        /// The highest usual value.
        high: Option<Measure>,
        /// In words.
        text: Option<String>,
    }
}
