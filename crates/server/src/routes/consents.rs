//! What a person allows and refuses: shown, stated and withdrawn by the person or who acts for them.

use axum::extract::Request;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sokhoe_access::{Filter, Purpose, ReadDecision, may_see_directives};
use sokhoe_commands::SystemStream;
use sokhoe_projections::Extent;
use sokhoe_record::{Data, Instant, Interface, Recipient, Section, consents};

use crate::app::App;
use crate::body::read_whole;
use crate::disclosure::Allowed;
use crate::error::{Problem, status};
use crate::guard::{Answer, Visit};
use crate::intake;
use crate::query::Query;
use crate::routes::events::json;
use crate::routes::people::{person_in_path, personal};
use crate::routes::stated;

/// How a directive that comes without evidence was expressed.
const EVIDENCE: &str = "stated over the person's own access";

async fn may(visit: &Visit, headers: &HeaderMap) -> Result<Allowed, Problem> {
    let purpose: Purpose = visit.purpose(headers)?;
    let person = person_in_path(visit)?;
    let own = visit.own(visit.shared.app.survivor(person));
    let decision: ReadDecision = may_see_directives(visit.caller()?, own);
    let through = Interface::Consents;
    visit.allow_by(decision, purpose, person, through).await
}

/// Shows every directive, in force or not.
pub(super) async fn list(visit: Visit, request: Request) -> Answer {
    Query::parse(request.uri().query(), &[])?;
    let allowed = may(&visit, request.headers()).await?;
    let app = &visit.shared.app;
    let Some(seen) = app.shown(Filter::All, allowed.person).await? else {
        return Err(visit.nothing(allowed).await);
    };
    let now = app.now_us();
    let stated = consents(allowed.person, &seen.events).directives;
    let items: Vec<Value> = stated
        .iter()
        .map(|entry| {
            let (granted, withdrawn) = (&entry.what.granted, entry.what.withdrawn_from);
            let until = granted.until.map_or(i64::MAX, |until| until.latest_us());
            let withdrawn_us = withdrawn.map_or(i64::MAX, |from| from.earliest_us());
            let in_force = granted.from.earliest_us() <= now && now <= until && now < withdrawn_us;
            json!({
                "consent_id": granted.consent_id,
                "event_id": entry.provenance.event_id,
                "purpose": granted.purpose,
                "to": granted.to,
                "sections": granted.sections,
                "labels": granted.labels,
                "effect": granted.effect,
                "from": granted.from,
                "until": granted.until,
                "withdrawn_from": withdrawn,
                "in_force": in_force,
                "evidence": granted.evidence,
            })
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
    let mut response = json(status::OK, &json!({"items": items, "next": null}))?;
    personal(response.headers_mut(), seen.position, None)?;
    Ok(response)
}

/// Takes a directive: an event like any other, with what goes without saying filled in.
pub(super) async fn grant(visit: Visit, request: Request) -> Answer {
    let allowed = may(&visit, request.headers()).await?;
    let limits = &visit.shared.limits;
    let bytes_max = limits.small_bytes_max;
    let bytes = read_whole(request.into_body(), "a directive", bytes_max, limits).await?;
    let app = &visit.shared.app;
    let (event_id, mut data) = stated::body(&bytes)?;
    let now = Instant::from_micros(app.now_us());
    stated::fill(&mut data, "consent_id", || event_id.clone());
    stated::fill(&mut data, "effect", || json!("permit"));
    stated::fill(&mut data, "from", || json!(now));
    stated::fill(&mut data, "evidence", || json!(EVIDENCE));
    let incoming = stated::event(allowed.person, "consent_granted", &event_id, now, data)?;
    if let Data::ConsentGranted(granted) = &incoming.0.event.data {
        let over = granted
            .until
            .filter(|until| until.latest_us() < now.micros());
        if over.is_some() {
            let detail = "expected a time that is not over";
            return Err(Problem::field("/until", "in_the_past", detail));
        }
        if let Recipient::Facility(code) = &granted.to
            && !app.knows_facility(code.clone()).await?
        {
            let detail = "expected the code of a facility that is registered or has entries here";
            return Err(Problem::field("/to/facility", "unknown_facility", detail));
        }
    }
    let receipt = app.submit(visit.caller()?, incoming.0, incoming.1).await?;
    json(intake::accepted(&receipt), &receipt)
}

/// Ends a directive from now on; it stays in the history.
pub(super) async fn withdraw(visit: Visit, request: Request) -> Answer {
    Query::parse(request.uri().query(), &[])?;
    let allowed = may(&visit, request.headers()).await?;
    let consent_id = visit.part("consent_id")?.to_owned();
    let app = &visit.shared.app;
    let seen = app.shown(Filter::All, allowed.person).await?;
    let stated = seen.is_some_and(|seen| {
        let stated = consents(allowed.person, &seen.events).directives;
        stated
            .iter()
            .any(|entry| entry.what.granted.consent_id == consent_id)
    });
    if !stated {
        return Err(visit.nothing(allowed).await);
    }
    let now = Instant::from_micros(app.now_us());
    let data = json!({"consent_id": consent_id, "from": now});
    let event_id = json!(stated::random_id()?);
    let person = allowed.person;
    let (incoming, digest) = stated::event(person, "consent_withdrawn", &event_id, now, data)?;
    let receipt = app.submit(visit.caller()?, incoming, digest).await?;
    json(status::OK, &receipt)
}

impl App {
    /// Tells whether a facility is known: it has entries of somebody, or was registered.
    async fn knows_facility(&self, code: String) -> Result<bool, Problem> {
        self.off_thread(move |app| {
            if app.views().knows_facility(&code) {
                return Ok(true);
            }
            let opener = app.commands().opener();
            let registered = opener.stream(SystemStream::Facilities.id(opener.vault()));
            let registered = registered.map_err(|error| Problem::internal(&error))?;
            Ok(registered
                .iter()
                .any(|event| match &event.stored.event.data {
                    Data::FacilityRegistered(facility) => facility.facility == code,
                    _ => false,
                }))
        })
        .await
    }
}
