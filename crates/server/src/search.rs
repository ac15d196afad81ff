//! The body of a search: an identifier, or a name with what else is known.

use sokhoe_projections::Query;
use sokhoe_record::json::{self, Node};
use sokhoe_record::{Identifier, IdentifierSystem, PartialDate};

use crate::error::Problem;
use crate::intake::malformed;

/// Characters of one search term.
const TERM_CHARS_MAX: usize = 200;

/// What is known of the person looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A number that belongs to one person.
    Identifier(Identifier),
    /// A name, and a birth date where known.
    Demographics(Query),
}

impl Wanted {
    /// Whether it names one person by a number.
    pub(crate) const fn is_identifier(&self) -> bool {
        matches!(self, Self::Identifier(_))
    }
}

/// Reads a search.
pub(crate) fn read(bytes: &[u8]) -> Result<Wanted, Problem> {
    let node = json::parse(bytes).map_err(|error| malformed(&error))?;
    let Some(identifier) = node.get("identifier") else {
        let known = ["name", "birth_date"];
        refuse_others(
            &node,
            "",
            &known,
            "an identifier, or a name and a birth_date",
        )?;
        return demographics(&node);
    };
    refuse_others(&node, "", &["identifier"], "an identifier alone")?;
    refuse_others(
        identifier,
        "/identifier",
        &["system", "value"],
        "a system and a value",
    )?;
    let system = term(identifier, "/identifier", "system")?;
    let value = term(identifier, "/identifier", "value")?;
    let system = IdentifierSystem::parse(&system).ok_or_else(|| {
        Problem::field(
            "/identifier/system",
            "unknown_word",
            "expected a known system of numbers",
        )
    })?;
    Ok(Wanted::Identifier(Identifier::new(system, value)))
}

fn demographics(node: &Node<'_>) -> Result<Wanted, Problem> {
    let name = term(node, "", "name")?;
    let birth_date = match node.get("birth_date") {
        None => None,
        Some(date) => {
            let read = date
                .as_text()
                .and_then(|text| PartialDate::parse(text).ok());
            let expected = "expected a date: YYYY, YYYY-MM or YYYY-MM-DD";
            Some(read.ok_or_else(|| Problem::field("/birth_date", "bad_format", expected))?)
        }
    };
    Ok(Wanted::Demographics(Query { name, birth_date }))
}

fn term(node: &Node<'_>, at: &str, key: &str) -> Result<String, Problem> {
    let pointer = || format!("{at}/{key}");
    let Some(value) = node.get(key) else {
        return Err(Problem::field(
            pointer(),
            "missing",
            "expected an identifier, or a name",
        ));
    };
    match value.as_text().map(str::trim) {
        Some(text) if !text.is_empty() && text.chars().count() <= TERM_CHARS_MAX => {
            Ok(text.to_owned())
        }
        _ => {
            let expected = format!("expected a text of 1 to {TERM_CHARS_MAX} characters");
            Err(Problem::field(pointer(), "wrong_type", expected))
        }
    }
}

fn refuse_others(node: &Node<'_>, at: &str, known: &[&str], words: &str) -> Result<(), Problem> {
    let Some(members) = node.as_object() else {
        return Err(Problem::field(at, "wrong_type", "expected an object"));
    };
    match members
        .iter()
        .find(|(key, _)| !known.contains(&key.as_ref()))
    {
        None => Ok(()),
        Some(_) => {
            let expected = format!("expected {words}");
            Err(Problem::field(at, "unknown_field", expected))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn a_search_is_an_identifier_or_a_name() {
        let read_one = read(br#"{"identifier": {"system": "cccd", "value": "099085012345"}}"#);
        assert!(matches!(read_one, Ok(Wanted::Identifier(_))));
        let read_one = read(br#"{"name": "Nguyen Van A", "birth_date": "1985-03"}"#);
        assert!(matches!(
            read_one,
            Ok(Wanted::Demographics(Query {
                birth_date: Some(_),
                ..
            }))
        ));
    }

    #[test]
    fn anything_else_is_named_by_its_place() {
        for (body, pointer) in [
            (r#"{"identifier": {"system": "cccd"}}"#, "/identifier/value"),
            (
                r#"{"identifier": {"system": "cccd", "value": ""}}"#,
                "/identifier/value",
            ),
            (
                r#"{"identifier": {"system": "x", "value": "1"}}"#,
                "/identifier/system",
            ),
            (r#"{"identifier": "x"}"#, "/identifier"),
            (
                r#"{"identifier": {"system": "a", "value": "b"}, "name": "c"}"#,
                "",
            ),
            (r#"{"name": 5}"#, "/name"),
            (r#"{"name": "x", "birth_date": "1985-13"}"#, "/birth_date"),
            (r"{}", "/name"),
            (r"[]", ""),
        ] {
            let problem = read(body.as_bytes()).unwrap_err();
            let document = serde_json::to_value(problem.document(None)).unwrap();
            assert_eq!(document["errors"][0]["pointer"], pointer, "{body}");
        }
        assert_eq!(read(b"{").unwrap_err().kind(), Kind::Malformed);
    }

    #[test]
    fn a_mistyped_field_is_answered_with_all_that_may_stand_there() {
        let refused = read(br#"{"identifer": {}}"#).unwrap_err();
        let document = serde_json::to_value(refused.document(None)).unwrap();
        let detail = document["errors"][0]["detail"].as_str().unwrap();
        assert!(
            detail.contains("identifier") && detail.contains("name"),
            "{detail}"
        );
    }
}
