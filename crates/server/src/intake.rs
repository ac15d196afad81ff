//! From received bytes to an event with its digest, or the problem that says what is wrong with them.

use sokhoe_commands::{ContentDigest, Receipt};
use sokhoe_record::json::{self, JsonError};
use sokhoe_record::{Incoming, Invalid, read_event};

use crate::error::{Kind, Problem, status};

/// Reads one event and digests what was received.
pub(crate) fn read(bytes: &[u8]) -> Result<(Incoming, ContentDigest), Problem> {
    let node = json::parse(bytes).map_err(|error| malformed(&error))?;
    let incoming = read_event(&node).map_err(invalid)?;
    Ok((incoming, ContentDigest::of_json(&node)))
}

/// Reads one event of a batch; places in it are columns, for the batch counts its lines itself.
pub(crate) fn read_line(bytes: &[u8]) -> Result<(Incoming, ContentDigest), Problem> {
    let node = json::parse(bytes).map_err(|error| {
        let JsonError { column, what, .. } = error;
        Problem::new(Kind::Malformed, format!("column {column}: {what}"))
    })?;
    let incoming = read_event(&node).map_err(invalid)?;
    Ok((incoming, ContentDigest::of_json(&node)))
}

/// Says where bytes stop being JSON.
pub(crate) fn malformed(error: &JsonError) -> Problem {
    let JsonError {
        line, column, what, ..
    } = error;
    Problem::new(
        Kind::Malformed,
        format!("line {line}, column {column}: {what}"),
    )
}

/// Says what keeps JSON from being an event.
pub(crate) fn invalid(invalid: Invalid) -> Problem {
    match invalid {
        Invalid::TooLarge { bytes_max } => Problem::too_large("an event", bytes_max),
        Invalid::Malformed(error) => malformed(&error),
        Invalid::ForbiddenKind { kind } => Problem::new(
            Kind::Forbidden,
            format!("events of kind {kind} are written by the server alone"),
        ),
        Invalid::Content { errors } => Problem::invalid(errors),
    }
}

/// The status of an accepted event: new, or taken before.
pub(crate) fn accepted(receipt: &Receipt) -> u16 {
    if receipt.duplicate {
        status::OK
    } else {
        status::CREATED
    }
}
