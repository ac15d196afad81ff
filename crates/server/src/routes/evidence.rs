//! Evidence of a person's chains, for themselves, their guardian and auditors: what others are shown is less than a chain.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use sokhoe_access::{Filter, Role, may_prove};
use sokhoe_commands::{Commands, Evidence, EvidenceError};
use sokhoe_exchange::evidence::Bundle;
use sokhoe_projections::Extent;
use sokhoe_record::{Interface, PersonId};
use sokhoe_storage::TreeStore;

use crate::error::{Kind, Problem};
use crate::guard::{Answer, Visit};
use crate::query::Query;
use crate::routes::people::person_in_path;
use crate::routes::proofs::unproved;

/// Shows a person's chains as one bundle; `open=true` adds the keys of the events, for the person alone.
pub(super) async fn of_person(visit: Visit, request: Request) -> Answer {
    let purpose = visit.purpose(request.headers())?;
    let query = Query::parse(request.uri().query(), &["open"])?;
    let open = query.flag("open")?;
    let person = person_in_path(&visit)?;
    let (caller, through) = (visit.caller()?, Interface::Evidence);
    let own = visit.own(visit.shared.app.survivor(person));
    let allowed = match may_prove(caller, own) {
        Some(decision) => visit.allow_by(decision, purpose, person, through).await?,
        None => {
            let allowed = visit.allow(request.headers(), purpose, person, through);
            allowed.await?
        }
    };
    if allowed.filter != Filter::All {
        return Err(visit.nothing(allowed).await);
    }
    if open && (caller.role != Role::Citizen || !own) {
        let detail = "open: the keys of events are given to the person alone; leave it out";
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    let room = visit.shared.room()?;
    let bundle = visit.shared.app.with_tree(move |app, tree| {
        let _room = room;
        let evidence = gather(app.commands(), tree, person, open)?;
        let events = evidence
            .chains
            .iter()
            .map(|chain| chain.events.len())
            .sum::<usize>();
        let bundle = serde_json::to_vec(&Bundle::of(&evidence));
        bundle
            .map(|bundle| (bundle, events))
            .map_err(|error| Problem::internal(&error))
    });
    let (bundle, events) = bundle.await?;
    let extent = Extent {
        entries: u32::try_from(events).unwrap_or(u32::MAX),
        ..Extent::default()
    };
    let position = visit.shared.app.standing().durable;
    visit.disclose(&allowed, &extent, position, false).await?;
    let mut response = Response::new(Body::from(bundle));
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, media_type);
    let not_kept = HeaderValue::from_static("no-store");
    headers.insert(CACHE_CONTROL, not_kept);
    Ok(response)
}

/// A person whom no commitment covers yet is covered by one made now; later events wait for the hourly one.
fn gather(
    commands: &Commands,
    tree: &TreeStore,
    person: PersonId,
    open: bool,
) -> Result<Evidence, Problem> {
    let evidence = match commands.evidence_of_person(tree, person, open) {
        Err(EvidenceError::NotCommitted) if known(commands, person) => {
            let committed = commands.commit_heads();
            committed.map_err(|error| unproved(error.into()))?;
            commands.evidence_of_person(tree, person, open)
        }
        evidence => evidence,
    };
    evidence.map_err(|error| match error {
        EvidenceError::NotCommitted => Problem::not_found(),
        EvidenceError::Prove(error) => unproved(error),
        EvidenceError::TooMany => Problem::new(Kind::BadRequest, error.to_string()),
        EvidenceError::Key(error) => Problem::internal(&error),
    })
}

fn known(commands: &Commands, person: PersonId) -> bool {
    let registry = commands.opener().registry();
    registry.survivor(person, None).is_some()
}
