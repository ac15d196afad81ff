//! What a mapper hands back: the events that a resource says, or why it says none that fits.

use sokhoe_record::{Data, Occurred};

/// An event that a resource becomes, still without its envelope.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Which part of the resource this is, in the event's id; empty for the resource itself.
    pub(crate) part: &'static str,
    /// When it happened, where the resource says so.
    pub(crate) occurred: Option<Occurred>,
    /// What it says.
    pub(crate) data: Data,
}

impl Draft {
    /// Makes the draft of the resource's own event.
    pub(crate) fn new(occurred: Option<Occurred>, data: impl Into<Data>) -> Self {
        Self {
            part: "",
            occurred,
            data: data.into(),
        }
    }
}

/// Why a resource is kept whole instead of becoming an event of its own kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unfit(pub(crate) &'static str);

/// The resource says that it was entered in error.
pub(crate) const ENTERED_IN_ERROR: Unfit = Unfit("entered in error");

/// What a mapper gives.
pub(crate) type Drafts = Result<Vec<Draft>, Unfit>;
