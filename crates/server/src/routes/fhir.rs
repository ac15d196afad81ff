//! Placeholder.
use crate::error::{Kind, Problem};
use crate::guard::{Answer, Visit};
use axum::extract::Request;
pub(super) async fn bundle(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
pub(super) async fn metadata(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
pub(super) async fn resource(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
