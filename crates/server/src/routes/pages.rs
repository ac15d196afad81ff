//! The plain pages and the description: static bytes with strict headers.
//!
//! Pages load nothing from elsewhere, hold no inline script and cannot be framed.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::{HeaderValue, Response};
use bytes::Bytes;

use crate::guard::{Answer, Visit};
use crate::openapi::describe;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn openapi(visit: Visit, _: Request) -> Answer {
    let shared = &visit.shared;
    let described = || describe(&shared.limits, sokhoe_record::event_schemas());
    let description = shared.openapi.get_or_init(described).clone();
    Ok(fixed("application/json", description))
}

pub(super) async fn docs(_: Visit, _: Request) -> Answer {
    Ok(page(include_str!("../page/docs.html")))
}

pub(super) async fn index(_: Visit, _: Request) -> Answer {
    Ok(page(include_str!("../page/index.html")))
}

pub(super) async fn page_css(_: Visit, _: Request) -> Answer {
    Ok(text(
        "text/css; charset=utf-8",
        include_str!("../page/page.css"),
    ))
}

pub(super) async fn page_js(_: Visit, _: Request) -> Answer {
    Ok(text(
        "text/javascript; charset=utf-8",
        include_str!("../page/page.js"),
    ))
}

pub(super) async fn show_js(_: Visit, _: Request) -> Answer {
    Ok(text(
        "text/javascript; charset=utf-8",
        include_str!("../page/show.js"),
    ))
}

pub(super) async fn sharing_js(_: Visit, _: Request) -> Answer {
    Ok(text(
        "text/javascript; charset=utf-8",
        include_str!("../page/sharing.js"),
    ))
}

pub(super) async fn texts_js(_: Visit, _: Request) -> Answer {
    Ok(text(
        "text/javascript; charset=utf-8",
        include_str!("../page/texts.js"),
    ))
}

pub(super) async fn docs_js(_: Visit, _: Request) -> Answer {
    Ok(text(
        "text/javascript; charset=utf-8",
        include_str!("../page/docs.js"),
    ))
}

fn page(html: &'static str) -> Response<Body> {
    let mut response = text("text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn text(media_type: &'static str, text: &'static str) -> Response<Body> {
    fixed(media_type, Bytes::from_static(text.as_bytes()))
}

/// Answers bytes that stay the same while the process runs.
fn fixed(media_type: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
