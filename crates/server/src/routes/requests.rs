//! What people ask under data-protection law, each with its clock: their own for people, the queue for those who keep it.

use axum::extract::Request;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sokhoe_access::{
    DEADLINES_VERSION, Filter, Role, acknowledge_by, answer_by, may_see_directives,
};
use sokhoe_projections::{Extent, SubjectRequest};
use sokhoe_record::{Instant, Interface, PersonId, RequestDecision, Section, fold};

use crate::body::read_whole;
use crate::disclosure::{Allowed, NOBODY};
use crate::error::{Problem, status};
use crate::guard::{Answer, Visit};
use crate::intake;
use crate::query::{Query, bad};
use crate::routes::audit;
use crate::routes::events::json;
use crate::routes::people::page_items;
use crate::routes::stated;

/// Shows requests: one's own to people, with what they say; to auditors and administrators all that are open, without.
pub(super) async fn list(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &["state", "limit"])?;
    let limit = page_items(&visit, &query)?;
    let caller = visit.caller()?;
    let app = &visit.shared.app;
    let now = Instant::from_micros(app.now_us());
    audit::caught_up(&visit).await?;
    if matches!(caller.role, Role::Citizen | Role::Guardian) {
        return own(&visit, request.headers(), now, limit).await;
    }
    let wanted = match query.get("state") {
        None | Some("open") => "open",
        Some("overdue") => "overdue",
        Some("all") => "all",
        Some(_) => {
            return Err(bad(
                "the query parameter state must be open, overdue or all".into(),
            ));
        }
    };
    let mut all = app.views().requests(None);
    all.retain(|request| match wanted {
        "open" => !request.settled(),
        "overdue" => !request.settled() && due(request) < now,
        _ => true,
    });
    all.sort_unstable_by_key(|request| (request.settled(), due(request)));
    let items = all
        .iter()
        .take(limit)
        .map(|request| shown(request, now))
        .collect();
    audit::answer(&visit, items, None).await
}

async fn own(visit: &Visit, headers: &HeaderMap, now: Instant, limit: usize) -> Answer {
    let allowed = may(visit, headers).await?;
    let app = &visit.shared.app;
    let Some(seen) = app.shown(Filter::All, allowed.person).await? else {
        return Err(visit.nothing(allowed).await);
    };
    let said = fold(seen.person_id, &seen.events).social.requests;
    let mut all = app.views().requests(Some(allowed.person));
    all.sort_unstable_by_key(|request| (request.settled(), due(request)));
    let items: Vec<Value> = all
        .iter()
        .take(limit)
        .map(|request| {
            let mut item = shown(request, now);
            let words = said
                .iter()
                .find(|entry| entry.what.made.request_id == request.request_id);
            if let Some(words) = words {
                item["statement"] = json!(words.what.made.statement);
                item["ground"] = json!(words.what.ground);
            }
            item
        })
        .collect();
    let extent = Extent {
        sections: vec![Section::Social],
        entries: u32::try_from(items.len()).unwrap_or(u32::MAX),
        withheld: Vec::new(),
    };
    visit
        .disclose(&allowed, &extent, seen.position, false)
        .await?;
    json(status::OK, &json!({"items": items, "next": null}))
}

async fn may(visit: &Visit, headers: &HeaderMap) -> Result<Allowed, Problem> {
    let caller = visit.caller()?;
    let person: PersonId = caller.person.unwrap_or(NOBODY);
    let decision = may_see_directives(caller, caller.person.is_some());
    let purpose = visit.purpose(headers)?;
    visit
        .allow_by(decision, purpose, person, Interface::Consents)
        .await
}

fn due(request: &SubjectRequest) -> Instant {
    let made = Instant::from_micros(request.made_us);
    answer_by(request.right, made, request.extended)
}

/// A request without what it says.
fn shown(request: &SubjectRequest, now: Instant) -> Value {
    let due = due(request);
    let state = match request.decision {
        Some((RequestDecision::Refused, _)) => "refused",
        Some((RequestDecision::Done, _)) => "done",
        _ if due < now => "overdue",
        Some((RequestDecision::Extended, _)) => "extended",
        Some((RequestDecision::Granted, _)) => "granted",
        None => "due",
    };
    let made = Instant::from_micros(request.made_us);
    json!({
        "request_id": request.request_id,
        "person_id": request.person,
        "right": request.right,
        "made_at": made,
        "acknowledge_by": acknowledge_by(made),
        "answer_by": due,
        "extended": request.extended,
        "state": state,
        "decision": request.decision.map(|(decision, _)| decision),
        "decided_at": request.decision.map(|(_, at)| Instant::from_micros(at)),
        "deadlines": DEADLINES_VERSION,
    })
}

/// Takes a request of the person who asks; its clock begins.
pub(super) async fn make(visit: Visit, request: Request) -> Answer {
    let allowed = may(&visit, request.headers()).await?;
    let limits = &visit.shared.limits;
    let bytes_max = limits.small_bytes_max;
    let bytes = read_whole(request.into_body(), "a request", bytes_max, limits).await?;
    let app = &visit.shared.app;
    let (event_id, mut data) = stated::body(&bytes)?;
    stated::fill(&mut data, "request_id", || event_id.clone());
    let now = Instant::from_micros(app.now_us());
    let (incoming, digest) = stated::event(allowed.person, "request_made", &event_id, now, data)?;
    let receipt = app.submit(visit.caller()?, incoming, digest).await?;
    json(intake::accepted(&receipt), &receipt)
}
