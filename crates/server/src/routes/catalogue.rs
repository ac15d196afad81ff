//! The code lists in force, and new ones taken in.

use axum::extract::Request;
use serde_json::json;
use sokhoe_catalogue::{LoadSpec, ReadError, shapes};
use sokhoe_record::{Date, PartialDate};

use crate::body::read_whole;
use crate::error::{Kind, Problem, status};
use crate::guard::{Answer, Visit};
use crate::query::{Query, bad};
use crate::routes::events::json;

/// Lists names, versions, validity and origin.
pub(super) async fn lists(visit: Visit, _: Request) -> Answer {
    let lists = visit.shared.app.commands().catalogue().load().lists();
    json(status::OK, &json!({"items": lists, "next": null}))
}

/// Takes a list in; it is stored and in force when the answer leaves.
pub(super) async fn load(visit: Visit, request: Request) -> Answer {
    let spec = spec(visit.part("name")?, request.uri().query())?;
    let shared = &visit.shared;
    let limits = &shared.limits;
    let _room = shared.room()?;
    let bytes_max = limits.list_bytes_max;
    let bytes = read_whole(request.into_body(), "a code list", bytes_max, limits).await?;
    let place = shared.administer()?;
    let (identity, report) = shared.app.load_list(spec, bytes, place).await?;
    tracing::info!(
        list = identity.name,
        version = identity.version,
        entries = report.taken,
        "code list loaded"
    );
    json(
        status::CREATED,
        &json!({
            "name": identity.name, "system": identity.system, "version": identity.version,
            "shape": report.shape, "entries": report.taken, "repeated": report.repeated,
        }),
    )
}

fn spec(name: &str, query: Option<&str>) -> Result<LoadSpec, Problem> {
    const KNOWN: &[&str] = &[
        "system",
        "version",
        "shape",
        "valid_from",
        "valid_to",
        "complete",
        "code_chars",
    ];
    let query = Query::parse(query, KNOWN)?;
    let own = |name| query.get(name).map(str::to_owned);
    let shape = own("shape");
    if let Some(shape) = &shape
        && !shapes().iter().any(|known| known.name == shape)
    {
        let known: Vec<&str> = shapes().iter().map(|shape| shape.name).collect();
        let known = known.join(", ");
        return Err(bad(format!(
            "the query parameter shape must be one of: {known}"
        )));
    }
    let code_chars = query.number("code_chars")?.map(u8::try_from).transpose();
    let code_chars = code_chars
        .map_err(|_| bad("the query parameter code_chars must be at most 255".to_owned()))?;
    let complete = query.get("complete").map(|_| query.flag("complete"));
    Ok(LoadSpec {
        name: Some(name.to_owned()),
        system: own("system"),
        version: own("version"),
        shape,
        valid_from: day(&query, "valid_from")?,
        valid_to: day(&query, "valid_to")?,
        complete: complete.transpose()?,
        code_chars,
    })
}

fn day(query: &Query, name: &str) -> Result<Option<Date>, Problem> {
    let read = |text| PartialDate::parse(text).ok().and_then(PartialDate::whole);
    let expected = || {
        bad(format!(
            "the query parameter {name} must be a day YYYY-MM-DD"
        ))
    };
    let text = query.get(name);
    text.map(|text| read(text).ok_or_else(expected)).transpose()
}

/// Says what keeps a file from being a list; lists hold nobody's data.
pub(crate) fn unreadable(error: &ReadError) -> Problem {
    let kind = match error {
        ReadError::TooLarge { .. } | ReadError::TooManyRows { .. } => Kind::TooLarge,
        _ => Kind::Invalid,
    };
    Problem::new(kind, error.to_string())
}
