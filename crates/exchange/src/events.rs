//! Events as outside programs send them, one JSON object a line: reading a line into a checked event with the
//! digest of its content, or into the list of what is wrong with it.

use sokhoe_record::json::{self, Limits};
use sokhoe_record::limits::EVENT_BYTES_MAX;
use sokhoe_record::{Incoming, Invalid, read_event};

use crate::Refused;
use crate::fhir::content_digest;

/// An event read from a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLine {
    /// The event.
    pub incoming: Incoming,
    /// Digest of the line in canonical form, by which a repetition is told from a conflict.
    pub content: [u8; 32],
}

/// Reads one line.
///
/// # Errors
/// Every bad field with its JSON pointer, up to record's limit of errors.
///
/// ```
/// let refused = sokhoe_exchange::events::read_line(b"{\"kind\": \"no_such\"}").unwrap_err();
/// assert!(refused.iter().any(|refused| refused.pointer == "/kind"));
/// ```
pub fn read_line(line: &[u8]) -> Result<EventLine, Vec<Refused>> {
    if line.len() > EVENT_BYTES_MAX {
        return Err(refusals(Invalid::TooLarge {
            bytes_max: EVENT_BYTES_MAX,
        }));
    }
    let node = json::parse_with(line, Limits::default())
        .map_err(|error| refusals(Invalid::Malformed(error)))?;
    let incoming = read_event(&node).map_err(refusals)?;
    Ok(EventLine {
        incoming,
        content: content_digest(&node),
    })
}

/// Tells what is wrong with an event as refusals of an import.
pub fn refusals(invalid: Invalid) -> Vec<Refused> {
    let one = |pointer: &str, code: &'static str, detail: String| {
        vec![Refused {
            pointer: pointer.to_owned(),
            code,
            detail,
        }]
    };
    match invalid {
        Invalid::TooLarge { bytes_max } => one(
            "",
            "too_large",
            format!("expected at most {bytes_max} bytes"),
        ),
        Invalid::Malformed(error) => one("", "malformed_json", error.to_string()),
        Invalid::ForbiddenKind { .. } => one(
            "/kind",
            "forbidden_kind",
            "events of this kind are written by the server alone".to_owned(),
        ),
        Invalid::Content { errors } => errors.into_iter().map(Refused::from).collect(),
    }
}
