//! Problems as callers see them: RFC 9457 documents, and OperationOutcome on FHIR routes.
//!
//! The one place that knows status codes. Texts are fixed or name fields, limits and versions; they never repeat what
//! was sent, so that neither health data nor identifiers get into an answer, a log or a proxy.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use sokhoe_commands::Refusal;
use sokhoe_record::FieldError;
use sokhoe_storage::Damage;

/// Most field errors that one answer lists.
const FIELD_ERRORS_MAX: usize = 100;

macro_rules! problems {
    ($($(#[$doc:meta])* $kind:ident = $status:literal $name:literal $title:literal, $fhir:literal;)+) => {
        /// What went wrong, as a closed list with stable names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Kind { $($(#[$doc])* $kind),+ }

        impl Kind {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Returns the status code.
            pub(crate) const fn status(self) -> u16 {
                match self { $(Self::$kind => $status),+ }
            }

            /// Returns the last part of the `type`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),+ }
            }

            /// Returns the title, the same for every occurrence.
            pub(crate) const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title),+ }
            }

            /// Returns the `type`, stable for ever.
            pub(crate) const fn uri(self) -> &'static str {
                match self { $(Self::$kind => concat!("https://sokhoe.vn/problems/", $name)),+ }
            }

            /// Returns FHIR's IssueType.
            const fn issue_type(self) -> &'static str {
                match self { $(Self::$kind => $fhir),+ }
            }
        }
    };
}

problems! {
    /// Not JSON, not UTF-8, a key twice, too deep.
    Malformed = 400 "malformed" "The body is not well-formed", "structure";
    /// A header or query parameter is missing or unusable.
    BadRequest = 400 "bad-request" "The request is not usable", "invalid";
    /// Staff did not say why they read.
    Purpose = 400 "purpose-of-use" "The read names no usable purpose", "required";
    /// No usable token.
    Unauthenticated = 401 "unauthenticated" "A valid token is needed", "login";
    /// The rules say no.
    Forbidden = 403 "forbidden" "Not permitted", "forbidden";
    /// Absent, or hidden from this caller: both look the same.
    NotFound = 404 "not-found" "Not found", "not-found";
    /// The path exists, the method does not.
    Method = 405 "method-not-allowed" "The method is not allowed here", "not-supported";
    /// The request came too slowly.
    Timeout = 408 "timeout" "The request took too long", "timeout";
    /// The event id was used before with other content or by another sender.
    IdTaken = 409 "event-id-taken" "The event id is taken", "duplicate";
    /// The state of the record does not allow it.
    Conflict = 409 "conflict" "The record's state does not allow this", "conflict";
    /// What was asked for has been erased.
    Gone = 410 "gone" "Erased", "deleted";
    /// `expected_version` is not the record's version.
    Version = 412 "version-mismatch" "The record is at another version", "conflict";
    /// A limit on size was passed.
    TooLarge = 413 "too-large" "Too large", "too-long";
    /// The content type is not one of those accepted.
    MediaType = 415 "unsupported-media-type" "The content type is not accepted", "not-supported";
    /// Well-formed, but not what an event, a search or a bundle must be.
    Invalid = 422 "invalid" "The content is not valid", "invalid";
    /// An atomic batch was refused because of another of its lines.
    NotTaken = 424 "batch-not-taken" "Nothing of the batch was taken", "processing";
    /// The client asked for more than its allowance.
    TooMany = 429 "too-many-requests" "Too many requests", "throttled";
    /// Our fault.
    Internal = 500 "internal" "The server failed", "exception";
    /// Stored bytes are not as they were written.
    Damaged = 500 "damaged" "What is stored is damaged", "exception";
    /// A queue is full; try again.
    Busy = 503 "busy" "Busy, try again shortly", "throttled";
    /// The writer has stopped and takes nothing more.
    Stopped = 503 "stopped" "The server takes no events", "transient";
    /// The disk has no room for what was sent.
    Full = 507 "disk-full" "The disk is full", "no-store";
    /// The position asked for was not reached in time.
    NotReached = 503 "position-not-reached" "The position is not reached yet", "transient";
}

/// An answer that is not the one hoped for.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: Kind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    /// What went wrong inside; logged once, never shown.
    cause: Option<String>,
}

/// In which language a route's errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// `application/problem+json`.
    Plain,
    /// OperationOutcome in `application/fhir+json`.
    Fhir,
}

/// The document, borrowed from a problem.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        let detail = detail.into();
        Self(Box::new(Parts {
            kind,
            detail,
            errors: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// Our own failure: the cause goes to the log, the caller learns that it was not theirs.
    pub(crate) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = cause.to_string();
        let mut damaged = is_damage(cause);
        let mut next = cause.source();
        while let Some(source) = next {
            chain.push_str(": ");
            chain.push_str(&source.to_string());
            damaged |= is_damage(source);
            next = source.source();
        }
        let mut problem = if damaged {
            let detail = "what is stored here is not as it was written; /readyz says so, and sokhoe verify where";
            Self::new(Kind::Damaged, detail)
        } else {
            let detail = "the fault is the server's; it has been logged";
            Self::new(Kind::Internal, detail)
        };
        problem.0.cause = Some(chain);
        problem
    }

    pub(crate) fn busy() -> Self {
        let problem = Self::new(
            Kind::Busy,
            "a queue is full; nothing was taken; send it again",
        );
        problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The client asked for more than its allowance and may ask again after a while.
    pub(crate) fn too_many(detail: &'static str, wait: Duration) -> Self {
        // Rounded up, so that whoever waits as long as is said is not refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let problem = Self::new(Kind::TooMany, detail);
        problem.with_header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    pub(crate) fn not_reached(detail: impl Into<Cow<'static, str>>) -> Self {
        let problem = Self::new(Kind::NotReached, detail);
        problem.with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(crate) fn unauthenticated(detail: impl Into<Cow<'static, str>>) -> Self {
        let challenge = HeaderValue::from_static("Bearer realm=\"sokhoe\"");
        Self::new(Kind::Unauthenticated, detail).with_header(header::WWW_AUTHENTICATE, challenge)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            Kind::NotFound,
            "nothing is known here under this id, or it is not yours to see",
        )
    }

    pub(crate) fn too_large(what: &str, bytes_max: usize) -> Self {
        Self::new(
            Kind::TooLarge,
            format!("{what} may have at most {bytes_max} bytes"),
        )
    }

    pub(crate) fn field(
        pointer: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let error = FieldError {
            pointer: pointer.into(),
            code,
            detail: detail.into(),
        };
        Self::new(Kind::Invalid, "1 field is not as expected; see errors").with_errors(vec![error])
    }

    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.len() {
            1 => "1 field is not as expected; see errors".to_owned(),
            count => format!("{count} fields are not as expected; see errors"),
        };
        Self::new(Kind::Invalid, detail).with_errors(errors)
    }

    pub(crate) fn with_errors(mut self, mut errors: Vec<FieldError>) -> Self {
        errors.truncate(FIELD_ERRORS_MAX);
        self.0.errors = errors;
        self
    }

    pub(crate) fn with_header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Moves the bad fields' pointers to the places that they were read from; where no field is to blame, what
    /// stands for the empty pointer is named.
    pub(crate) fn moved(mut self, place: impl Fn(&str) -> String) -> Self {
        if self.0.errors.is_empty() {
            self.0.errors.push(FieldError {
                pointer: String::new(),
                code: self.0.kind.name(),
                detail: self.0.detail.clone().into_owned(),
            });
        }
        for error in &mut self.0.errors {
            error.pointer = place(&error.pointer);
        }
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn status(&self) -> u16 {
        self.0.kind.status()
    }

    /// Returns the document, for an answer of its own or one line of a batch.
    pub(crate) fn document(&self, instance: Option<String>) -> Document<'_> {
        let kind = self.0.kind;
        Document {
            r#type: kind.uri(),
            title: kind.title(),
            status: kind.status(),
            detail: &self.0.detail,
            instance,
            errors: &self.0.errors,
        }
    }

    /// Returns FHIR's OperationOutcome for the same problem.
    pub(crate) fn outcome(&self) -> serde_json::Value {
        let kind = self.0.kind;
        let severity = if kind.status() >= 500 {
            "fatal"
        } else {
            "error"
        };
        let issue = |diagnostics: &str, error: Option<&FieldError>| {
            let mut issue = serde_json::json!({
                "severity": severity,
                "code": kind.issue_type(),
                "details": {"coding": [{"system": "https://sokhoe.vn/problems", "code": kind.name()}],
                            "text": kind.title()},
                "diagnostics": diagnostics,
            });
            if let Some(error) = error {
                issue["expression"] = serde_json::json!([fhir_path(&error.pointer)]);
                if let Some(codings) = issue["details"]["coding"].as_array_mut() {
                    codings.push(serde_json::json!({
                        "system": "https://sokhoe.vn/problems/field", "code": error.code}));
                }
            }
            issue
        };
        let issues: Vec<_> = if self.0.errors.is_empty() {
            vec![issue(&self.0.detail, None)]
        } else {
            let errors = self.0.errors.iter();
            errors
                .map(|error| issue(&error.detail, Some(error)))
                .collect()
        };
        serde_json::json!({"resourceType": "OperationOutcome", "issue": issues})
    }

    /// Turns the problem into an answer and logs its cause if it has one.
    pub(crate) fn respond(self, family: Family, request_id: &str) -> Response<Body> {
        if let Some(cause) = &self.0.cause {
            tracing::error!(request_id, cause, "request failed");
        }
        let (media_type, bytes) = match family {
            Family::Plain => {
                let document = self.document(Some(format!("urn:sokhoe:request:{request_id}")));
                (
                    "application/problem+json",
                    serde_json::to_vec(&document).unwrap_or_default(),
                )
            }
            Family::Fhir => (
                "application/fhir+json",
                self.outcome().to_string().into_bytes(),
            ),
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = status_code(self.status());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(
            self.0
                .headers
                .into_iter()
                .map(|(name, value)| (Some(name), value)),
        );
        if self.0.kind == Kind::Timeout {
            // The rest of the body is not read, so the connection cannot be used again.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Forbidden { rule, because } => {
                Self::new(Kind::Forbidden, format!("{because} (rule {rule})"))
            }
            Refusal::Invalid(errors) => Self::invalid(errors),
            Refusal::IdTaken => Self::new(
                Kind::IdTaken,
                "the event id was used before, with other content or by another sender",
            ),
            Refusal::Gone => Self::new(
                Kind::Gone,
                "the event id belongs to an event that was erased",
            ),
            Refusal::VersionMismatch { current } => Self::new(
                Kind::Version,
                format!("the record is at version {current}; read it again and decide anew"),
            ),
            Refusal::Conflict { because } => Self::new(Kind::Conflict, because),
            Refusal::TooLarge { what, limit } => Self::new(
                Kind::TooLarge,
                format!("{what} is larger than the limit of {limit}"),
            ),
            Refusal::Busy => Self::busy(),
            Refusal::Full => Self::new(
                Kind::Full,
                "there is no room to store it; nothing was stored; send it again once an operator made room",
            ),
            Refusal::Stopped => {
                Self::new(Kind::Stopped, "the log takes no events; /readyz says why")
            }
            Refusal::Internal => Self::new(
                Kind::Internal,
                "the fault is the server's; it has been logged",
            ),
        }
    }
}

/// Says whether an error names damage of what is stored.
fn is_damage(error: &(dyn std::error::Error + 'static)) -> bool {
    error.is::<Damage>() || error.is::<Box<Damage>>()
}

/// Writes a JSON pointer into a Bundle, the one thing that FHIR routes take, as FHIRPath.
fn fhir_path(pointer: &str) -> String {
    let mut path = "Bundle".to_owned();
    for part in pointer.split('/').skip(1) {
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            path.extend(["[", part, "]"]);
        } else {
            path.extend([".", part]);
        }
    }
    path
}

/// Reads a status of the tables in this file.
pub(crate) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The statuses of answers that are not problems.
pub(crate) mod status {
    pub(crate) const OK: u16 = 200;
    pub(crate) const CREATED: u16 = 201;
    pub(crate) const NOT_MODIFIED: u16 = 304;
    pub(crate) const UNAVAILABLE: u16 = 503;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_statuses_are_errors() {
        let names: HashSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(
            Kind::ALL
                .iter()
                .all(|kind| (400..600).contains(&kind.status()))
        );
    }

    #[test]
    fn a_problem_names_every_bad_field() {
        let problem = Problem::field("/entry/12/resource/code", "missing", "expected a code");
        let document = serde_json::to_value(problem.document(None)).unwrap();
        assert_eq!(document["status"], 422);
        assert_eq!(document["errors"][0]["pointer"], "/entry/12/resource/code");
        let issue = problem.outcome()["issue"][0].clone();
        assert_eq!(issue["expression"][0], "Bundle.entry[12].resource.code");
        assert_eq!(issue["details"]["coding"][1]["code"], "missing");
    }

    #[test]
    fn an_inner_cause_is_not_shown() {
        let cause = std::io::Error::other("disk sda1");
        let response = Problem::internal(&cause);
        let document = serde_json::to_string(&response.document(None)).unwrap();
        assert!(!document.contains("sda1"));
    }
}
