//! Codes: a word of a code system, with the version it was taken from.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::{
    field::{Cx, Field, Member, Path, Slot, VisitCode, object_schema},
    json::{Node, Value},
    limits::{TEXT_CHARS_MAX, WORD_CHARS_MAX},
};

macro_rules! code_systems {
    ($( $variant:ident = $word:literal ),+ $(,)?) => {
        /// A code system: one with a short name here, a facility's own, or any other by its URI.
        #[derive(
            Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord,
            wincode::SchemaWrite, wincode::SchemaRead,
        )]
        pub enum CodeSystem {
            $( #[doc = concat!("`", $word, "`")] $variant, )+
            /// A facility's own list, as `local/<facility>`. Its stored tag leaves room for short names to come.
            #[wincode(tag = 250)]
            Local(String),
            /// Any other system, by its URI; kept as sent, unchecked.
            #[wincode(tag = 251)]
            Uri(String),
        }

        impl CodeSystem {
            /// The short names.
            pub const WORDS: &'static [&'static str] = &[$( $word ),+];

            /// Returns the name on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $word, )+
                    Self::Local(name) | Self::Uri(name) => name,
                }
            }

            /// Reads a name; `None` when it is neither known, nor `local/…`, nor a URI.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $( $word => Some(Self::$variant), )+
                    _ => Self::parse_open(name),
                }
            }
        }
    };
}

code_systems! {
    Icd10 = "icd10",
    Atc = "atc",
    Loinc = "loinc",
    Ucum = "ucum",
    Cvx = "cvx",
    Snomed = "snomed",
    Rxnorm = "rxnorm",
    VaccineVn = "vaccine-vn",
    Dvhc = "dvhc",
    EthnicVn = "ethnic-vn",
    OccupationVn = "occupation-vn",
    DrugVn = "drug-vn",
    ServiceVn = "service-vn",
}

impl CodeSystem {
    fn parse_open(name: &str) -> Option<Self> {
        if name.len() > WORD_CHARS_MAX || name.contains(char::is_whitespace) {
            return None;
        }
        match name.strip_prefix("local/") {
            Some(facility) if !facility.is_empty() => Some(Self::Local(name.to_owned())),
            Some(_) => None,
            None => is_uri(name).then(|| Self::Uri(name.to_owned())),
        }
    }
}

/// A scheme, a colon, and something after it.
pub(crate) fn is_uri(name: &str) -> bool {
    name.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty()
            && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

impl Default for CodeSystem {
    fn default() -> Self {
        Self::Uri(String::new())
    }
}

impl std::fmt::Display for CodeSystem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for CodeSystem {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl Field for CodeSystem {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let read = Self::parse(cx.text(node, at)?);
        if read.is_none() {
            let known = Self::WORDS.join(", ");
            cx.error(
                at,
                "unknown_word",
                format!("expected one of: {known}, local/<facility>, or a URI"),
            );
        }
        read
    }

    fn check(&self, at: Path<'_>, _limit: usize, cx: &mut Cx) {
        if self.as_str().is_empty() {
            cx.missing(at);
        }
    }

    fn schema(_limit: usize) -> serde_json::Value {
        serde_json::json!({
            "type": "string",
            "description": format!("one of {}, local/<facility>, or a URI", Self::WORDS.join(", ")),
        })
    }
}

/// A code of a system. `checked` is the server's: it found the code in the list valid on the day.
#[derive(Debug, Clone, PartialEq, Eq, Default, wincode::SchemaWrite, wincode::SchemaRead)]
pub struct Code {
    /// The code system.
    pub system: CodeSystem,
    /// The code itself.
    pub code: String,
    /// The version of the system, such as `qd4469`.
    pub version: Option<String>,
    /// The words that the sender showed for it.
    pub display: Option<String>,
    /// Whether the server found the code in its list. Never taken from the sender.
    pub checked: bool,
}

impl Code {
    /// Makes an unchecked code without version and display.
    pub fn new(system: CodeSystem, code: impl Into<String>) -> Self {
        Self {
            system,
            code: code.into(),
            ..Self::default()
        }
    }

    /// Adds the words shown for it.
    #[must_use]
    pub fn with_display(self, display: impl Into<String>) -> Self {
        Self {
            display: Some(display.into()),
            ..self
        }
    }

    /// Returns whether both name the same concept: system and code, whatever the version and words.
    pub fn same_as(&self, other: &Self) -> bool {
        self.code == other.code && self.system == other.system
    }

    /// Returns `system|code`, the key of series.
    pub fn key(&self) -> String {
        format!("{}|{}", self.system, self.code)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut object = to.serialize_struct("Code", 5)?;
        object.serialize_field("system", &self.system)?;
        object.serialize_field("code", &self.code)?;
        if let Some(version) = &self.version {
            object.serialize_field("version", version)?;
        }
        if let Some(display) = &self.display {
            object.serialize_field("display", display)?;
        }
        if !self.checked {
            object.serialize_field("unchecked", &true)?;
        }
        object.end()
    }
}

impl Field for Code {
    fn read(node: &Node<'_>, at: Path<'_>, _limit: usize, cx: &mut Cx) -> Option<Self> {
        let (mut system, mut code) = (Slot::Absent, Slot::Absent);
        let (mut version, mut display) = (Slot::Absent, Slot::Absent);
        let mut checked = cx.stored;
        for (key, value) in cx.object(node, at)? {
            match &**key {
                "system" => system = Slot::read(value, at.key("system"), 0, cx),
                "code" => code = Slot::read(value, at.key("code"), WORD_CHARS_MAX, cx),
                "version" => version = Slot::read(value, at.key("version"), WORD_CHARS_MAX, cx),
                "display" => display = Slot::read(value, at.key("display"), TEXT_CHARS_MAX, cx),
                // Our own mark comes back when someone sends what they read here; it is never believed.
                "unchecked" => {
                    let unchecked = bool::read(value, at.key("unchecked"), 0, cx)?;
                    checked = cx.stored && !unchecked;
                }
                other => cx.unknown_field(at, other),
            }
        }
        let system = system.finish(at, "system", cx);
        let code = code.finish(at, "code", cx);
        Some(Self {
            system: system?,
            code: code?,
            version: version.finish(at, "version", cx)?,
            display: display.finish(at, "display", cx)?,
            checked,
        })
    }

    fn check(&self, at: Path<'_>, _limit: usize, cx: &mut Cx) {
        self.system.check(at.key("system"), 0, cx);
        self.code.check(at.key("code"), WORD_CHARS_MAX, cx);
        self.version.check(at.key("version"), WORD_CHARS_MAX, cx);
        self.display.check(at.key("display"), TEXT_CHARS_MAX, cx);
    }

    fn codes(&mut self, at: Path<'_>, visit: &mut VisitCode<'_>) {
        visit(at, self);
    }

    fn schema(_limit: usize) -> serde_json::Value {
        object_schema(vec![
            Member::of::<CodeSystem>("system", 0),
            Member::of::<String>("code", WORD_CHARS_MAX),
            Member::of::<Option<String>>("version", WORD_CHARS_MAX),
            Member::of::<Option<String>>("display", TEXT_CHARS_MAX),
        ])
    }
}

/// A code, or the words of one who had no code.
#[derive(Debug, Clone, PartialEq, Eq, wincode::SchemaWrite, wincode::SchemaRead)]
pub enum CodeOrText {
    /// A code.
    Code(Code),
    /// Words.
    Text(String),
}

impl Default for CodeOrText {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl CodeOrText {
    /// Returns the code, if this is one.
    pub fn code(&self) -> Option<&Code> {
        match self {
            Self::Code(code) => Some(code),
            Self::Text(_) => None,
        }
    }

    /// Returns what to show: the words, the display, or the bare code.
    pub fn shown(&self) -> &str {
        match self {
            Self::Code(code) => code.display.as_deref().unwrap_or(&code.code),
            Self::Text(text) => text,
        }
    }
}

impl From<Code> for CodeOrText {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

impl From<&str> for CodeOrText {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for CodeOrText {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Serialize for CodeOrText {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Code(code) => code.serialize(to),
            Self::Text(text) => to.serialize_str(text),
        }
    }
}

impl Field for CodeOrText {
    const LONE: bool = true;

    fn read(node: &Node<'_>, at: Path<'_>, limit: usize, cx: &mut Cx) -> Option<Self> {
        match node.value() {
            Value::Object(_) => Code::read(node, at, 0, cx).map(Self::Code),
            Value::Text(_) => String::read(node, at, limit, cx).map(Self::Text),
            _ => {
                cx.wrong_type(at, "a code or a text");
                None
            }
        }
    }

    fn check(&self, at: Path<'_>, limit: usize, cx: &mut Cx) {
        match self {
            Self::Code(code) => code.check(at, 0, cx),
            Self::Text(text) => text.check(at, limit, cx),
        }
    }

    fn codes(&mut self, at: Path<'_>, visit: &mut VisitCode<'_>) {
        if let Self::Code(code) = self {
            visit(at, code);
        }
    }

    fn schema(limit: usize) -> serde_json::Value {
        serde_json::json!({ "anyOf": [Code::schema(0), String::schema(limit)] })
    }
}
