//! Rules that span several fields, shared by the structs that need them.

use crate::{
    field::{Cx, Path},
    time::{Occurred, PartialDate},
};

/// Says so when an end certainly lies before its start.
pub(crate) fn in_order<T: Into<Occurred>>(
    start: (&str, Option<T>),
    end: (&str, Option<T>),
    at: Path<'_>,
    cx: &mut Cx,
) {
    if let (Some(first), Some(last)) = (start.1, end.1) {
        let (first, last): (Occurred, Occurred) = (first.into(), last.into());
        if last.latest() < first.earliest() {
            cx.error(
                at.key(end.0),
                "end_before_start",
                format!("expected no day before {}", start.0),
            );
        }
    }
}

/// Says whether a death certainly lies before the birth: no day fits both.
pub fn death_before_birth(died_on: PartialDate, birth_date: PartialDate) -> bool {
    died_on.latest() < birth_date.earliest()
}

/// Expects the content or the digest of a blob, not both.
pub(crate) fn content_or_digest(content: bool, digest: Option<&str>, at: Path<'_>, cx: &mut Cx) {
    match (content, digest) {
        (true, Some(_)) => {
            cx.error(
                at.key("digest"),
                "conflict",
                "expected content or digest, not both",
            );
        }
        (false, None) => cx.error(at.key("content"), "missing", "expected content or digest"),
        (false, Some(digest)) if !is_digest(digest) => {
            cx.error(
                at.key("digest"),
                "bad_format",
                "expected 64 hexadecimal digits",
            );
        }
        _ => {}
    }
}

fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("blake3:").unwrap_or(text);
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Expects standard base64 with its padding.
pub(crate) fn base64(text: &str, at: Path<'_>, cx: &mut Cx) {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    if !text.len().is_multiple_of(4) || padding > 2 || !body.bytes().all(plain) {
        cx.error(at, "bad_format", "expected base64 with padding");
    }
}
