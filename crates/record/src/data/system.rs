//! Facilities and professionals, what has no kind of its own, and the requests of data subjects.

use crate::{
    block::CodeOrText,
    field::{Cx, Path},
    limits::{CONTENT_CHARS_MAX, NARRATIVE_CHARS_MAX, WORD_CHARS_MAX},
    rules,
    time::PartialDate,
};

data! {
    /// A facility becomes known.
    plain FacilityRegistered {
        /// Its code.
        facility: String => WORD_CHARS_MAX,
        /// Its name.
        name: String,
        /// Its level.
        level: Option<String> => WORD_CHARS_MAX,
        /// The commune it stands in.
        commune: Option<String> => WORD_CHARS_MAX,
        /// The facility it belongs to.
        parent: Option<String> => WORD_CHARS_MAX,
        /// Since when it is so.
        valid_from: Option<PartialDate>,
        /// Until when.
        valid_to: Option<PartialDate>,
    }
    rules check_facility;
}

fn check_facility(facility: &FacilityRegistered, at: Path<'_>, cx: &mut Cx) {
    let (from, to) = (facility.valid_from, facility.valid_to);
    rules::in_order(("valid_from", from), ("valid_to", to), at, cx);
}

data! {
    /// A professional becomes known.
    plain PractitionerRegistered {
        /// Their id.
        id: String => WORD_CHARS_MAX,
        /// Their name.
        name: String,
        /// Where they work.
        facility: Option<String> => WORD_CHARS_MAX,
        /// As what.
        role: Option<CodeOrText>,
        /// Their licence.
        licence: Option<String> => WORD_CHARS_MAX,
    }
}

data! {
    /// A resource that has no kind of its own, kept whole.
    clinical ResourceKept {
        /// The format, such as `fhir-r4`.
        format: String => WORD_CHARS_MAX,
        /// The type within the format.
        resource_type as "type": String => WORD_CHARS_MAX,
        /// The resource as it came.
        content: Option<String> => CONTENT_CHARS_MAX,
        /// The digest of a blob that was sent before, for what is too large.
        digest: Option<String> => WORD_CHARS_MAX,
    }
    rules check_resource;
}

fn check_resource(resource: &ResourceKept, at: Path<'_>, cx: &mut Cx) {
    rules::content_or_digest(
        resource.content.is_some(),
        resource.digest.as_deref(),
        at,
        cx,
    );
}

words! {
    /// The right that a data subject uses.
    pub enum RequestRight {
        View = "view",
        Correct = "correct",
        Restrict = "restrict",
        Withdraw = "withdraw",
        Object = "object",
        Erase = "erase",
    }
}

data! {
    /// A data subject asks for something.
    plain RequestMade {
        /// The id of the request.
        request_id: String => WORD_CHARS_MAX,
        /// Under which right.
        right: RequestRight,
        /// In their words.
        statement: Option<String> => NARRATIVE_CHARS_MAX,
    }
}

words! {
    /// What was decided on a request.
    pub enum RequestDecision {
        Granted = "granted",
        Extended = "extended",
        Refused = "refused",
        Done = "done",
    }
}

data! {
    /// A request was decided.
    plain RequestDecided {
        /// The request.
        request_id: String => WORD_CHARS_MAX,
        /// The decision.
        decision: RequestDecision,
        /// On which ground; a refusal and an extension give one.
        ground: Option<String> => NARRATIVE_CHARS_MAX,
    }
    rules check_decided;
}

fn check_decided(decided: &RequestDecided, at: Path<'_>, cx: &mut Cx) {
    let needed = matches!(
        decided.decision,
        RequestDecision::Refused | RequestDecision::Extended
    );
    if needed && decided.ground.is_none() {
        cx.missing(at.key("ground"));
    }
}
