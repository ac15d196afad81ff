//! Identifiers of people: the numbers on their cards, by system.

use super::code::is_uri;
use crate::{
    field::{Cx, Field, Path},
    json::Node,
    limits::WORD_CHARS_MAX,
    time::PartialDate,
};

/// A system of numbers for people.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Default,
    wincode::SchemaWrite,
    wincode::SchemaRead,
)]
pub enum IdentifierSystem {
    /// `cccd`: the personal number, twelve digits.
    #[default]
    Cccd,
    /// `cmnd`: the old identity card.
    Cmnd,
    /// `bhxh`: social insurance.
    Bhxh,
    /// `bhyt`: the health insurance card.
    Bhyt,
    /// `passport`
    Passport,
    /// `birth_certificate`
    BirthCertificate,
    /// `temporary`: given where none of the others is known.
    Temporary,
    /// A facility's own patient number, as `mrn/<facility>`. Its stored tag leaves room for systems to come.
    #[wincode(tag = 250)]
    Mrn(String),
    /// Another system, by its URI.
    #[wincode(tag = 251)]
    Uri(String),
}

impl IdentifierSystem {
    /// Returns the name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Cccd => "cccd",
            Self::Cmnd => "cmnd",
            Self::Bhxh => "bhxh",
            Self::Bhyt => "bhyt",
            Self::Passport => "passport",
            Self::BirthCertificate => "birth_certificate",
            Self::Temporary => "temporary",
            Self::Mrn(name) | Self::Uri(name) => name,
        }
    }

    /// Reads a name; `None` when it is neither known, nor `mrn/…`, nor a URI.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "cccd" => Self::Cccd,
            "cmnd" => Self::Cmnd,
            "bhxh" => Self::Bhxh,
            "bhyt" => Self::Bhyt,
            "passport" => Self::Passport,
            "birth_certificate" => Self::BirthCertificate,
            "temporary" => Self::Temporary,
            _ if name.len() > WORD_CHARS_MAX || name.contains(char::is_whitespace) => return None,
            _ if name
                .strip_prefix("mrn/")
                .is_some_and(|facility| !facility.is_empty()) =>
            {
                Self::Mrn(name.to_owned())
            }
            _ if is_uri(name) => Self::Uri(name.to_owned()),
            _ => return None,
        })
    }

    /// Returns the system of a facility's own patient numbers.
    pub fn mrn(facility: &str) -> Self {
        Self::Mrn(format!("mrn/{facility}"))
    }
}

impl std::fmt::Display for IdentifierSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for IdentifierSystem {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

const SYSTEMS: &str =
    "cccd, cmnd, bhxh, bhyt, passport, birth_certificate, temporary, mrn/<facility>, or a URI";

impl Field for IdentifierSystem {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let read = Self::parse(cx.text(node, at)?);
        if read.is_none() {
            cx.error(at, "unknown_word", format!("expected one of: {SYSTEMS}"));
        }
        read
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({ "type": "string", "description": format!("one of {SYSTEMS}") })
    }
}

words! {
    /// Whether an identifier still names its person.
    pub enum IdentifierStatus {
        Active = "active",
        Cancelled = "cancelled",
        Replaced = "replaced",
    }
}

data! {
    /// A number that names a person in one system.
    part Identifier {
        /// The system.
        system: IdentifierSystem,
        /// The number, as text.
        value: String => WORD_CHARS_MAX,
        /// When it was issued.
        issued_on: Option<PartialDate>,
        /// Who issued it.
        issued_by: Option<String>,
        /// Whether it still holds; active when left out.
        status: Option<IdentifierStatus>,
    }
    rules check_number;
}

impl Identifier {
    /// Makes an identifier with nothing but system and number.
    pub fn new(system: IdentifierSystem, value: impl Into<String>) -> Self {
        Self {
            system,
            value: value.into(),
            ..Self::default()
        }
    }
}

/// Format only: whether century and sex digits fit the birth date is a question for data quality.
fn check_number(identifier: &Identifier, at: Path<'_>, cx: &mut Cx) {
    let twelve = identifier.value.len() == 12;
    let digits = identifier.value.bytes().all(|byte| byte.is_ascii_digit());
    if identifier.system == IdentifierSystem::Cccd && !(twelve && digits) {
        cx.error(at.key("value"), "bad_format", "expected 12 digits");
    }
}
