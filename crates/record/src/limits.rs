//! The limits of what a sender may put into an event, with their reasons. They are published in `/openapi.json`.

/// Characters of a short text (a name, a place, an id of the sender's), unless a field says otherwise.
pub const TEXT_CHARS_MAX: usize = 500;
/// Characters of an identifier, a code, a facility.
pub const WORD_CHARS_MAX: usize = 200;
/// Characters of a narrative text.
pub const NARRATIVE_CHARS_MAX: usize = 20_000;
/// Items of a list, unless a field says otherwise.
pub const LIST_ITEMS_MAX: usize = 100;
/// Items of the clinical lists inside one encounter.
pub const ENCOUNTER_ITEMS_MAX: usize = 1_000;
/// Bytes of `data.extra` and other raw JSON: kept whole, so it must stay a footnote to the event.
pub const EXTRA_BYTES_MAX: usize = 16 * 1024;
/// Bytes of the replacement inside a correction: as large as an event may be.
pub const REPLACEMENT_BYTES_MAX: usize = 900 * 1024;
/// Characters of inline content (base64 or text). With its envelope it must fit a 1 MiB frame; larger is a blob.
pub const CONTENT_CHARS_MAX: usize = 900 * 1024;
/// Errors reported for one event.
pub const ERRORS_MAX: usize = 100;
/// Bytes of one event as received.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Nested lists and objects in JSON; FHIR needs some, a depth bomb needs more.
pub const JSON_DEPTH_MAX: usize = 64;

/// The largest position that is written as a JSON number everywhere without loss.
pub const POSITION_MAX: usize = (1 << 53) - 1;
