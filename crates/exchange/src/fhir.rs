//! FHIR R4, in and out.

mod capability;
mod outcome;

pub use capability::{RENDERED_TYPES, capability_statement};
pub use outcome::{Issue, IssueType, operation_outcome};
