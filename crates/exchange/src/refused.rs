//! Why an item was not taken, in the form of an import's list of refusals.

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
