//! Query parameters: each named once, each known, decoded strictly.
//!
//! Parameters never hold identifiers or health data; an unknown one is an error, so that a typing mistake in a filter
//! cannot widen an answer.

use crate::error::{Kind, Problem};

/// The decoded parameters of one request.
#[derive(Debug)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a raw query that may have these parameters.
    pub(crate) fn parse(raw: Option<&str>, known: &[&'static str]) -> Result<Self, Problem> {
        let mut all: Vec<(&'static str, String)> = Vec::new();
        for pair in raw
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = known.iter().find(|known| **known == name) else {
                let known = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                return Err(bad(format!(
                    "unknown query parameter; this address knows: {known}"
                )));
            };
            if all.iter().any(|(seen, _)| seen == name) {
                return Err(bad(format!("the query parameter {name} is given twice")));
            }
            let value = decode(value).ok_or_else(|| {
                bad(format!(
                    "the query parameter {name} is not percent-encoded UTF-8"
                ))
            })?;
            all.push((name, value));
        }
        Ok(Self(all))
    }

    /// Returns a parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns a parameter that is a whole number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(Some(number)),
            _ => Err(bad(format!(
                "the query parameter {name} must be a whole number"
            ))),
        }
    }

    /// Returns a parameter that is `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(bad(format!(
                "the query parameter {name} must be true or false"
            ))),
        }
    }
}

/// Makes the problem of a parameter that cannot be used.
pub(crate) fn bad(detail: String) -> Problem {
    Problem::new(Kind::BadRequest, detail)
}

/// Decodes percent-encoding and `+`.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["as_of", "limit", "atomic"];

    #[test]
    fn parameters_are_decoded() {
        let query = Query::parse(Some("as_of=2026-01-01T00%3A00%3A00%2B07:00&limit=5"), KNOWN);
        let query = query.unwrap();
        assert_eq!(query.get("as_of"), Some("2026-01-01T00:00:00+07:00"));
        assert_eq!(query.number("limit").unwrap(), Some(5));
        assert!(!query.flag("atomic").unwrap());
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for raw in [
            "limits=5",
            "limit=1&limit=2",
            "limit=%zz",
            "limit=%",
            "limit=%ff",
        ] {
            assert!(Query::parse(Some(raw), KNOWN).is_err(), "{raw}");
        }
        for raw in [
            "limit=-1",
            "limit=",
            "limit=1e3",
            "limit=+1",
            "limit=99999999999999999999",
        ] {
            assert!(
                Query::parse(Some(raw), KNOWN)
                    .unwrap()
                    .number("limit")
                    .is_err(),
                "{raw}"
            );
        }
        assert!(
            Query::parse(Some("atomic=yes"), KNOWN)
                .unwrap()
                .flag("atomic")
                .is_err()
        );
    }
}
