//! Placeholder.
use crate::error::{Kind, Problem};
use crate::guard::{Answer, Visit};
use axum::extract::Request;
pub(super) async fn append(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
pub(super) async fn keep_blob(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
