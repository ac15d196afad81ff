//! Finding a person, the record as it is or was, and the history.
//!
//! Absent and hidden people give the same answer. Identifiers come in bodies only, never in an address.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use sokhoe_access::{Filter, ReadDecision, finds_by_identifier, may_search};
use sokhoe_projections::{AsOf, Extent};
use sokhoe_record::{Instant, Interface, PersonId, Section};

use crate::body::read_whole;
use crate::disclosure::{Allowed, NOBODY};
use crate::error::{Problem, status, status_code};
use crate::guard::{Answer, Visit, permitted};
use crate::query::{Query, bad};
use crate::routes::events::json;

/// The header that names the position an answer is true at.
pub(super) const POSITION: HeaderName = HeaderName::from_static("sokhoe-position");
/// Items of a page unless asked otherwise.
const PAGE_ITEMS: u64 = 100;

/// A page of entries, each in its own order of fields.
#[derive(Serialize)]
struct Listed<'a> {
    items: &'a [Box<RawValue>],
    next: Option<String>,
}

/// Finds people by an identifier or by name and birth date, within what the caller may see.
pub(super) async fn search(visit: Visit, request: Request) -> Answer {
    let purpose = visit.purpose(request.headers())?;
    let caller = visit.caller()?;
    let decision = may_search(caller, purpose);
    let filter = permitted(decision.clone())?;
    let anybody = finds_by_identifier(caller, purpose);
    let limits = &visit.shared.limits;
    let bytes = read_whole(
        request.into_body(),
        "a search",
        limits.small_bytes_max,
        limits,
    )
    .await?;
    let wanted = crate::search::read(&bytes)?;
    let app = &visit.shared.app;
    let own = caller.person.map(|person| app.survivor(person));
    let by_identifier = anybody.filter(|_| wanted.is_identifier());
    let position = app.standing().durable;
    let found = app.search(filter.clone(), by_identifier.is_some(), wanted);
    let mut items = found.await?;
    if filter == Filter::All {
        // Citizens find themselves and nobody else.
        items.retain(|hit| Some(app.survivor(hit.person_id)) == own);
    }
    let decision = match by_identifier {
        Some(rule) => ReadDecision::Permit { rule, filter },
        None => decision,
    };
    let mut looks = Vec::with_capacity(items.len());
    let extent = Extent {
        sections: vec![Section::Demographics],
        entries: 1,
        withheld: Vec::new(),
    };
    for hit in &items {
        let allowed = visit.allow_by(decision.clone(), purpose, hit.person_id, Interface::Search);
        looks.push(visit.look(&allowed.await?, &extent, position, false)?);
    }
    if !looks.is_empty() {
        app.witness(looks).await?;
    }
    json(status::OK, &json!({"items": items, "next": null}))
}

/// Shows the record, now or as of a position or time.
pub(super) async fn record(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &["as_of", "at_least"])?;
    let as_of = as_of(&query)?;
    reach(&visit, &query).await?;
    let allowed = allowed(&visit, request.headers(), Interface::Record).await?;
    let (person, filter) = (allowed.person, allowed.filter.clone());
    let view = visit.shared.app.record(filter, person, as_of).await?;
    let Some(view) = view else {
        return Err(visit.nothing(allowed).await);
    };
    let tag = entity_tag(
        &view.person_id,
        view.version,
        &allowed.filter,
        language(request.headers()),
    );
    // Who is told that nothing has changed has looked.
    let unchanged = matches_tag(request.headers(), &tag);
    let disclosed = visit.disclose(&allowed, &view.extent, view.position, unchanged);
    disclosed.await?;
    let mut response = if unchanged {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status_code(status::NOT_MODIFIED);
        response
    } else {
        json_bytes(view.json.into())
    };
    personal(response.headers_mut(), view.position, Some(&tag))?;
    Ok(response)
}

/// Shows the history, page by page, oldest first.
pub(super) async fn history(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &["cursor", "limit", "at_least"])?;
    let after = query.number("cursor")?.unwrap_or(0);
    let limit = page_items(&visit, &query)?;
    reach(&visit, &query).await?;
    let allowed = allowed(&visit, request.headers(), Interface::History).await?;
    let (person, filter) = (allowed.person, allowed.filter.clone());
    let page = visit.shared.app.history(filter, person, (after, limit));
    let Some(page) = page.await? else {
        return Err(visit.nothing(allowed).await);
    };
    let disclosed = visit.disclose(&allowed, &page.extent, page.position, false);
    disclosed.await?;
    let next = page
        .next
        .map(|after| format!("/v1/people/{person}/events?cursor={after}&limit={limit}"));
    let listed = Listed {
        items: &page.items,
        next,
    };
    let mut response = json(status::OK, &listed)?;
    personal(response.headers_mut(), page.position, None)?;
    Ok(response)
}

/// Reads how many items a page may have.
pub(super) fn page_items(visit: &Visit, query: &Query) -> Result<usize, Problem> {
    let limit = query.number("limit")?.unwrap_or(PAGE_ITEMS);
    let items_max = visit.shared.limits.page_items_max;
    Ok(usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .clamp(1, items_max))
}

/// The person in the path; an id that is none is answered like one that nobody has.
pub(super) fn person_in_path(visit: &Visit) -> Result<PersonId, Problem> {
    Ok(PersonId::parse(visit.part("id")?).unwrap_or(NOBODY))
}

/// Decides whether the caller may see the person in the path.
async fn allowed(
    visit: &Visit,
    headers: &HeaderMap,
    through: Interface,
) -> Result<Allowed, Problem> {
    let purpose = visit.purpose(headers)?;
    let person = person_in_path(visit)?;
    visit.allow(headers, purpose, person, through).await
}

/// Waits until reads have reached `at_least`.
pub(super) async fn reach(visit: &Visit, query: &Query) -> Result<(), Problem> {
    match query.number("at_least")? {
        Some(position) => {
            visit
                .shared
                .app
                .at_least(position, visit.shared.limits.at_least_timeout)
                .await
        }
        None => Ok(()),
    }
}

/// Reads the moment asked for. A time still to come is answered with what is durable; the answer names its position.
pub(super) fn as_of(query: &Query) -> Result<AsOf, Problem> {
    let Some(text) = query.get("as_of") else {
        return Ok(AsOf::Now);
    };
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match query.number("as_of")? {
            Some(position) if position > 0 => Ok(AsOf::Position(position)),
            _ => Err(bad(
                "the query parameter as_of must be a position from 1, or a time".to_owned(),
            )),
        };
    }
    let time = Instant::parse(text).map_err(|_| {
        bad("the query parameter as_of must be a position or an RFC 3339 time".to_owned())
    })?;
    Ok(AsOf::Time(time))
}

/// The language asked for, of those that names are kept in.
pub(super) fn language(headers: &HeaderMap) -> &'static str {
    let wanted = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    match wanted {
        Some(wanted) if wanted.trim_start().to_ascii_lowercase().starts_with("en") => "en",
        _ => "vi",
    }
}

/// Digests everything that the answer depends on: whose, which version, seen by whom, in which language.
fn entity_tag(person: &PersonId, version: u64, filter: &Filter, language: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(person.as_bytes())
        .update(&version.to_le_bytes())
        .update(language.as_bytes());
    match filter {
        Filter::All => hasher.update(b"/all"),
        Filter::OnlyFacility(facility) => hasher.update(b"/facility/").update(facility.as_bytes()),
        Filter::Shared(sight) => hasher
            .update(b"/shared/")
            .update(&sight.fingerprint())
            .update(sight.facility().as_bytes()),
    };
    let digest = hasher.finalize().to_hex();
    format!("\"{}\"", digest.get(..32).unwrap_or_default())
}

fn matches_tag(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(','));
    tags.any(|given| {
        let given = given.trim();
        given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
    })
}

fn json_bytes(bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Sets what every answer about a person carries: its position, and that no shared cache may keep it.
pub(super) fn personal(
    headers: &mut HeaderMap,
    position: u64,
    tag: Option<&str>,
) -> Result<(), Problem> {
    headers.insert(POSITION, HeaderValue::from(position));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(
        VARY,
        HeaderValue::from_static("authorization, accept-language, sokhoe-purpose"),
    );
    if let Some(tag) = tag {
        let tag = HeaderValue::from_str(tag).map_err(|error| Problem::internal(&error))?;
        headers.insert(ETAG, tag);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_person_version_viewer_and_language_apart() {
        let (one, other) = (PersonId::from_bytes([1; 16]), PersonId::from_bytes([2; 16]));
        let facility = |code: &str| Filter::OnlyFacility(code.to_owned());
        let tags = [
            entity_tag(&one, 1, &Filter::All, "vi"),
            entity_tag(&other, 1, &Filter::All, "vi"),
            entity_tag(&one, 2, &Filter::All, "vi"),
            entity_tag(&one, 1, &Filter::All, "en"),
            entity_tag(&one, 1, &facility("99001"), "vi"),
            entity_tag(&one, 1, &facility("99002"), "vi"),
        ];
        let distinct: std::collections::HashSet<_> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len());
    }

    #[test]
    fn a_known_tag_is_recognised_among_several() {
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"a\", W/\"b\""));
        assert!(matches_tag(&headers, "\"b\""));
        assert!(!matches_tag(&headers, "\"c\""));
    }

    #[test]
    fn as_of_is_a_position_or_a_time() {
        let read = |raw| as_of(&Query::parse(Some(raw), &["as_of"]).unwrap());
        assert!(matches!(read("as_of=12"), Ok(AsOf::Position(12))));
        assert!(matches!(
            read("as_of=2026-11-01T08:00:00%2B07:00"),
            Ok(AsOf::Time(_))
        ));
        for raw in ["as_of=", "as_of=0", "as_of=yesterday", "as_of=-1"] {
            assert!(read(raw).is_err(), "{raw}");
        }
    }
}
