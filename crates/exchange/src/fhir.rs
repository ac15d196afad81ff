//! FHIR R4, in and out. In: every resource of a document becomes an item (events, kept whole, or refused with its
//! place and reason), with ids derived from the source, so that loading twice adds nothing. Out: events rendered as
//! the resources that they are equivalent to. Decides nothing about who may or what is new.

mod allergy;
mod audit;
mod bundle;
mod capability;
mod coding;
mod condition;
mod correction;
mod document;
mod draft;
mod encounter;
mod identity;
mod immunization;
mod medication;
mod observation;
mod outcome;
mod patient;
mod places;
mod procedure;
mod reading;
mod reference;
mod render;
mod resource_names;
mod shape;
mod systems;
mod translate;

use sokhoe_record::json::{self, JsonError, Node, canonical};

pub use audit::audit_event;
pub use capability::{RENDERED_TYPES, capability_statement};
pub use correction::as_correction;
pub use identity::{BadSource, Context, KeyedHash, SOURCE_CHARS_MAX};
pub use outcome::{Issue, IssueType, operation_outcome};
pub use render::{Rendered, render, rendered_type};
pub use translate::{FORMAT, Item, Outcome, Place, translate};

/// Reads a document's JSON, without its byte order mark.
///
/// # Errors
/// Names the place where the text stops being strict JSON.
pub fn read_document(bytes: &[u8]) -> Result<Node<'_>, JsonError> {
    json::parse(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Digests a resource's content in canonical form: white space and the order of members do not count.
pub fn content_digest(node: &Node<'_>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = Vec::with_capacity(node.raw().len());
    canonical(node, &mut |part: &[u8]| buffer.extend_from_slice(part));
    hasher.update(&buffer);
    hasher.finalize().into()
}
