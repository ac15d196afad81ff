//! Why an item was not taken, in the form of an import's list of refusals.

use sokhoe_record::FieldError;

/// Why an item became nothing. Holds nothing that the sender sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// JSON pointer into the document.
    pub pointer: String,
    /// A stable word for programs.
    pub code: &'static str,
    /// What was expected, for people.
    pub detail: String,
}

impl From<FieldError> for Refused {
    fn from(error: FieldError) -> Self {
        Self {
            pointer: error.pointer,
            code: error.code,
            detail: error.detail,
        }
    }
}
