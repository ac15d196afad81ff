//! Why an event is not taken: the caller's fault, a conflict, a limit, or the house being closed.

use sokhoe_record::FieldError;

/// An event that was not taken; nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The caller may not append this.
    #[error("{because} (rule {rule})")]
    Forbidden {
        /// The rule that forbids it.
        rule: &'static str,
        /// What the rule asks for.
        because: &'static str,
    },
    /// Fields are wrong; each is named.
    #[error("{} fields are not as they should be", .0.len())]
    Invalid(Vec<FieldError>),
    /// The id belongs to an event of another content or sender.
    #[error("the event id was used before, for another event")]
    IdTaken,
    /// The id belongs to an event whose key was destroyed, so that nothing can be compared.
    #[error("the event id belongs to an event that was erased")]
    Gone,
    /// The record is not at the expected version.
    #[error("the record is at version {current}, not at the expected one")]
    VersionMismatch {
        /// The record's version now.
        current: u64,
    },
    /// The event contradicts what is registered: an identifier in use, a merge that is not there.
    #[error("{because}")]
    Conflict {
        /// What it contradicts.
        because: &'static str,
    },
    /// Larger than one request may be.
    #[error("{what} is larger than {limit} bytes or events")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in its own unit.
        limit: u64,
    },
    /// The queue is full; the same request may be sent again in a moment.
    #[error("the queue is full")]
    Busy,
    /// The disk has no room for it; nothing was stored.
    #[error("the disk is full")]
    Full,
    /// The log has stopped writing; an operator must look.
    #[error("the log does not take events")]
    Stopped,
    /// Something inside failed; the log line with the same request id says what.
    #[error("the event could not be processed")]
    Internal,
}

impl Refusal {
    /// Returns a refusal of one field.
    #[must_use]
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: &str) -> Self {
        Self::Invalid(vec![FieldError {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        }])
    }
}
