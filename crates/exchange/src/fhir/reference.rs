//! Reads the text of a FHIR reference into what it points at, without looking anything up.

use std::borrow::Cow;

use sokhoe_record::json::Node;

/// Returns the text of a Reference; the query of a conditional one is percent-decoded.
pub(crate) fn text_of<'a>(reference: &'a Node<'_>) -> Option<Cow<'a, str>> {
    let text = reference.text("reference")?;
    if text.contains('?') && text.contains('%') {
        Some(decoded(text))
    } else {
        Some(Cow::Borrowed(text))
    }
}

fn decoded(text: &str) -> Cow<'_, str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let pair = after
            .get(..2)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What a reference's text says it points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// An entry of the same bundle, by its full address (`urn:uuid:…`, `urn:oid:…`).
    Urn(&'a str),
    /// A resource by type and id: `Patient/123`, or the end of an address `https://…/Patient/123`.
    Literal {
        /// The resource type.
        kind: &'a str,
        /// The id in the source system.
        id: &'a str,
    },
    /// A resource by an identifier: `Patient?identifier=system|value`.
    Conditional {
        /// The resource type.
        kind: &'a str,
        /// The identifier's system; empty when none was given.
        system: &'a str,
        /// The identifier's value.
        value: &'a str,
    },
    /// A resource contained in this one: `#id`.
    Contained(&'a str),
    /// Anything else.
    Unknown,
}

impl<'a> Target<'a> {
    /// Reads `reference`.
    pub(crate) fn read(reference: &'a str) -> Self {
        if let Some(id) = reference.strip_prefix('#') {
            return Self::Contained(id);
        }
        if reference.starts_with("urn:") {
            return Self::Urn(reference);
        }
        if let Some((kind, query)) = reference.split_once('?') {
            return Self::conditional(last_segment(kind), query);
        }
        let path = reference
            .split_once("/_history/")
            .map_or(reference, |(path, _)| path);
        let mut segments = path.rsplit('/');
        match (segments.next(), segments.next()) {
            (Some(id), Some(kind)) if is_type(kind) && !id.is_empty() => Self::Literal { kind, id },
            _ => Self::Unknown,
        }
    }

    fn conditional(kind: &'a str, query: &'a str) -> Self {
        let identifier = query
            .split('&')
            .find_map(|part| part.strip_prefix("identifier="));
        match identifier {
            Some(token) if is_type(kind) => {
                let (system, value) = token.split_once('|').unwrap_or(("", token));
                Self::Conditional {
                    kind,
                    system,
                    value,
                }
            }
            _ => Self::Unknown,
        }
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Says whether `word` looks like the name of a resource type.
fn is_type(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_reference_is_told_apart() {
        let patient = Target::Literal {
            kind: "Patient",
            id: "1",
        };
        for text in [
            "Patient/1",
            "https://a.vn/fhir/Patient/1",
            "Patient/1/_history/2",
        ] {
            assert_eq!(Target::read(text), patient, "{text}");
        }
        assert_eq!(Target::read("#med"), Target::Contained("med"));
        assert_eq!(Target::read("urn:uuid:5"), Target::Urn("urn:uuid:5"));
        let by_identifier = Target::Conditional {
            kind: "Practitioner",
            system: "http://a/b",
            value: "9",
        };
        assert_eq!(
            Target::read("Practitioner?identifier=http://a/b|9"),
            by_identifier
        );
        let encoded = "Practitioner?identifier=http%3A%2F%2Fa%2Fb%7C9";
        assert_eq!(Target::read(&decoded(encoded)), by_identifier);
        assert_eq!(decoded("a%2"), "a%2");
        for text in ["", "1", "patient/1", "Patient/", "Patient?name=a"] {
            assert_eq!(Target::read(text), Target::Unknown, "{text}");
        }
    }
}
