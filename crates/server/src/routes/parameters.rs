//! What query parameters and headers of requests mean, said once for all routes that have them.

use super::Place;

pub(super) const REASON: (&str, Place, &str) = (
    "Sokhoe-Reason",
    Place::Header,
    "with the purpose ETREAT: why the glass is broken, percent-encoded",
);
pub(super) const PURPOSE: (&str, Place, &str) = (
    "Sokhoe-Purpose",
    Place::Header,
    "why staff read, in HL7 PurposeOfUse words",
);
pub(super) const AS_OF: (&str, Place, &str) = (
    "as_of",
    Place::Query,
    "a position or an RFC 3339 time: the record as it was then",
);
pub(super) const AT_LEAST: (&str, Place, &str) = (
    "at_least",
    Place::Query,
    "a position that the answer must have reached",
);
pub(super) const LIMIT: (&str, Place, &str) = (
    "limit",
    Place::Query,
    "items of a page; lowered to the maximum",
);
pub(super) const CURSOR: (&str, Place, &str) =
    ("cursor", Place::Query, "where the page begins, as in next");
pub(super) const ATOMIC: (&str, Place, &str) = ("atomic", Place::Query, "true: all lines or none");
pub(super) const SOURCE: (&str, Place, &str) = (
    "source",
    Place::Query,
    "the name under which the ids of the bundle's resources live; fhir unless said",
);
/// Which looks are asked for.
pub(super) const LOOKS_PARAMETERS: &[(&str, Place, &str)] = &[
    ("actor", Place::Query, "only looks of this account"),
    (
        "facility",
        Place::Query,
        "only looks of accounts of this facility",
    ),
    (
        "person",
        Place::Query,
        "only looks at this person, by their id",
    ),
    (
        "kind",
        Place::Query,
        "record_accessed, access_refused, glass_broken or access_reviewed",
    ),
    ("from", Place::Query, "from this RFC 3339 time on"),
    ("to", Place::Query, "until this RFC 3339 time"),
    CURSOR,
    LIMIT,
];

pub(super) const IF_NONE_MATCH: (&str, Place, &str) = (
    "If-None-Match",
    Place::Header,
    "the ETag of the answer one has",
);

/// With `Accept: text/event-stream` the feed is a stream, otherwise a batch.
pub(super) const FEED_PARAMETERS: &[(&str, Place, &str)] = &[
    (
        "after",
        Place::Query,
        "the last position received; the beginning unless said",
    ),
    (
        "kind",
        Place::Query,
        "only these kinds, with commas between",
    ),
    (
        "payload",
        Place::Query,
        "true: what each event says comes with it",
    ),
    (
        "wait",
        Place::Query,
        "seconds that a batch waits for a first event",
    ),
    LIMIT,
    PURPOSE,
    (
        "Last-Event-ID",
        Place::Header,
        "of a stream: the last position received, before after",
    ),
];

/// What is said of a code list beside its rows; left out, the shape of the file decides.
pub(super) const LIST_PARAMETERS: &[(&str, Place, &str)] = &[
    ("system", Place::Query, "the system whose codes it holds"),
    ("version", Place::Query, "the list's version"),
    (
        "shape",
        Place::Query,
        "the layout of the file; otherwise told by its header",
    ),
    ("valid_from", Place::Query, "first day on which it holds"),
    ("valid_to", Place::Query, "last day on which it holds"),
    (
        "complete",
        Place::Query,
        "true: a code that is not in it does not exist and is refused",
    ),
    (
        "code_chars",
        Place::Query,
        "it speaks only for codes of this many characters",
    ),
];
