//! Placeholder.
use crate::error::{Kind, Problem};
use crate::guard::{Answer, Visit};
use axum::extract::Request;
pub(super) async fn search(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
pub(super) async fn record(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
pub(super) async fn history(_: Visit, _: Request) -> Answer {
    Err(Problem::new(Kind::Stopped, ""))
}
