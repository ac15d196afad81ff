//! People as events mention them: references, names, addresses, authors, sources.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::Identifier;
use crate::{
    field::{Cx, Field, Path, VisitPerson},
    id::PersonId,
    json::{Node, Value},
    limits::{TEXT_CHARS_MAX, WORD_CHARS_MAX},
    time::PartialDate,
};

/// A reference to a person. Before anything is stored the write side turns identifiers into ids; what it cannot
/// resolve is kept as text and marked.
#[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
pub enum PersonRef {
    /// The random id.
    Id(PersonId),
    /// A number that some system gave them.
    Identifier(Identifier),
    /// A name, or the text of a reference to someone unknown.
    Unresolved(String),
}

impl Default for PersonRef {
    fn default() -> Self {
        Self::Unresolved(String::new())
    }
}

impl PersonRef {
    /// Returns the id, if the reference is resolved.
    pub fn id(&self) -> Option<PersonId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Identifier(_) | Self::Unresolved(_) => None,
        }
    }
}

impl From<PersonId> for PersonRef {
    fn from(id: PersonId) -> Self {
        Self::Id(id)
    }
}

impl Serialize for PersonRef {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_map(None)?;
        match self {
            Self::Id(id) => object.serialize_entry("id", id)?,
            Self::Identifier(identifier) => object.serialize_entry("identifier", identifier)?,
            Self::Unresolved(text) => {
                object.serialize_entry("name", text)?;
                object.serialize_entry("unresolved", &true)?;
            }
        }
        object.end()
    }
}

impl Field for PersonRef {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        if let Value::Text(_) = node.value() {
            return String::read(node, at, TEXT_CHARS_MAX, cx).map(Self::Unresolved);
        }
        let mut found = None;
        let members = cx.object(node, at)?;
        for (key, value) in members {
            let inner = at.key(key);
            let read = match &**key {
                "id" => PersonId::read(value, inner, 0, cx).map(Self::Id),
                "identifier" => Identifier::read(value, inner, 0, cx).map(Self::Identifier),
                "name" => String::read(value, inner, TEXT_CHARS_MAX, cx).map(Self::Unresolved),
                // Our own mark comes back when someone sends what they read here.
                "unresolved" => continue,
                other => {
                    cx.unknown_field(at, other);
                    None
                }
            };
            if found.is_some() {
                cx.error(
                    at,
                    "conflict",
                    "expected one of id, identifier and name, not several",
                );
                return None;
            }
            found = Some(read);
        }
        match found {
            Some(read) => read,
            None => {
                cx.error(at, "missing", "expected an id, an identifier or a name");
                None
            }
        }
    }

    fn check(&self, at: Path<'_>, _limit: usize, cx: &mut Cx) {
        match self {
            Self::Id(id) => id.check(at.key("id"), 0, cx),
            Self::Identifier(identifier) => identifier.check(at.key("identifier"), 0, cx),
            Self::Unresolved(name) => name.check(at.key("name"), TEXT_CHARS_MAX, cx),
        }
    }

    fn people(&mut self, at: Path<'_>, visit: &mut VisitPerson<'_>) {
        visit(at, self);
    }

    fn schema(_limit: usize) -> serde_json::Value {
        let one = |name: &str, schema: serde_json::Value| {
            serde_json::json!({
                "type": "object", "properties": { name: schema }, "required": [name],
                "additionalProperties": false,
            })
        };
        serde_json::json!({ "anyOf": [
            one("id", PersonId::schema(0)),
            one("identifier", Identifier::schema(0)),
            one("name", String::schema(0)),
            String::schema(0),
        ] })
    }
}

data! {
    /// The name of a person.
    part Name {
        /// The whole name, as it is written.
        full: String,
        /// The family name.
        family: Option<String>,
        /// The given name.
        given: Option<String>,
    }
}

data! {
    /// A place where someone lives or was born. A lone text is taken as `text`.
    part Address {
        /// Code of the commune in the list of administrative units.
        commune: Option<String> => 20,
        /// The day whose list of units the commune is from.
        list_date: Option<PartialDate>,
        /// The address as written.
        text: Option<String> => 1_000,
        /// The hamlet or quarter.
        hamlet: Option<String>,
    }
    lone lone_address;
    rules check_address;
}

fn lone_address(node: &Node<'_>, at: Path<'_>, cx: &mut Cx) -> Option<Option<Address>> {
    matches!(node.value(), Value::Text(_)).then(|| {
        let text = String::read(node, at, 1_000, cx)?;
        Some(Address {
            text: Some(text),
            ..Address::default()
        })
    })
}

fn check_address(address: &Address, at: Path<'_>, cx: &mut Cx) {
    if address.commune.is_none() && address.text.is_none() && address.hamlet.is_none() {
        cx.error(at, "missing", "expected a commune or a text");
    }
}

words! {
    /// The ABO blood group.
    pub enum Abo {
        O = "O",
        A = "A",
        B = "B",
        Ab = "AB",
    }
}

words! {
    /// The rhesus factor.
    pub enum Rh {
        Positive = "positive" | "+",
        Negative = "negative" | "-",
    }
}

data! {
    /// A blood group.
    part BloodGroup {
        /// The ABO group.
        abo: Abo,
        /// The rhesus factor.
        rh: Option<Rh>,
    }
}

data! {
    /// The household that a person belongs to.
    part Household {
        /// The code of the household.
        code: String => WORD_CHARS_MAX,
        /// What the person is to its head.
        relation: String => WORD_CHARS_MAX,
    }
}

data! {
    /// A health insurance card and when it holds.
    part Insurance {
        /// The number of the card.
        card: String => WORD_CHARS_MAX,
        /// The first day.
        valid_from: PartialDate,
        /// The last day.
        valid_to: Option<PartialDate>,
        /// Where the holder is registered for primary care.
        facility: Option<String> => WORD_CHARS_MAX,
    }
    rules check_insurance;
}

fn check_insurance(insurance: &Insurance, at: Path<'_>, cx: &mut Cx) {
    crate::rules::in_order(
        ("valid_from", Some(insurance.valid_from)),
        ("valid_to", insurance.valid_to),
        at,
        cx,
    );
}

data! {
    /// Who wrote the entry down.
    part Author {
        /// The id that their facility or licence gives them.
        id: String => WORD_CHARS_MAX,
        /// Their name.
        name: Option<String>,
        /// What they are there, such as `doctor`.
        role: Option<String> => WORD_CHARS_MAX,
    }
}

data! {
    /// The system that the entry came from.
    part Source {
        /// The system.
        system: String => WORD_CHARS_MAX,
        /// The record in that system.
        record: Option<String> => WORD_CHARS_MAX,
    }
}
