//! Who looked at a record, in plain words; and what somebody could see of it at some moment, by which rule.

use axum::extract::Request;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sokhoe_access::{
    Decision, EmergencyGrant, Filter, Outcome, Principal, Purpose, Question, Role, RuleId, Sight,
    decide, may_explain, may_see_looks, rule_says,
};
use sokhoe_commands::OpenedEvent;
use sokhoe_exchange::fhir::audit_event;
use sokhoe_projections::{AsOf, Extent, Facts};
use sokhoe_record::json::{self as record_json, Node};
use sokhoe_record::{Data, Instant, Interface, Label, PersonId, Section};

use crate::app::App;
use crate::body::read_whole;
use crate::disclosure::{Allowed, NOBODY};
use crate::error::{Problem, status};
use crate::guard::{Answer, Visit};
use crate::intake::malformed;
use crate::query::{Query, bad};
use crate::routes::events::json;
use crate::routes::fhir::fhir;
use crate::routes::people::{language, page_items, person_in_path, personal};
use crate::words::{Language, in_words};

/// AuditEvents of a page unless asked otherwise.
const AUDIT_EVENTS: u64 = 100;
/// Looks that an explanation goes through at most.
const LOOKS_MAX: usize = 10_000;

/// Shows who looked, newest first.
pub(super) async fn accesses(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &["cursor", "limit"])?;
    let before = query.number("cursor")?.unwrap_or(u64::MAX);
    let limit = page_items(&visit, &query)?;
    let purpose = visit.purpose(request.headers())?;
    let allowed = looks_allowed(&visit, purpose, person_in_path(&visit)?).await?;
    let (app, person) = (&visit.shared.app, allowed.person);
    let mut found = app.looks(person, before, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.position);
    let next = next.map(|at| format!("/v1/people/{person}/accesses?cursor={at}&limit={limit}"));
    let extent = Extent {
        entries: u32::try_from(found.len()).unwrap_or(u32::MAX),
        ..Extent::default()
    };
    let position = app.standing().durable;
    visit.disclose(&allowed, &extent, position, false).await?;
    let language = spoken(request.headers());
    let items: Vec<Value> = found.iter().map(|event| item(event, language)).collect();
    let mut response = json(status::OK, &json!({"items": items, "next": next}))?;
    personal(response.headers_mut(), position, None)?;
    Ok(response)
}

/// Shows who looked as FHIR: a Bundle of AuditEvents of one patient, newest first.
pub(super) async fn audit_events(visit: Visit, request: Request) -> Answer {
    let known = ["patient", "_count", "cursor", "_format"];
    let query = Query::parse(request.uri().query(), &known)?;
    let patient = query
        .get("patient")
        .map(|id| id.strip_prefix("Patient/").unwrap_or(id));
    let Some(patient) = patient else {
        return Err(bad("name a patient with patient=ID".to_owned()));
    };
    let before = query.number("cursor")?.unwrap_or(u64::MAX);
    let items_max = visit.shared.limits.page_items_max;
    let limit = query.number("_count")?.unwrap_or(AUDIT_EVENTS);
    let limit = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .clamp(1, items_max);
    let purpose = visit.purpose(request.headers())?;
    let person = PersonId::parse(patient).unwrap_or(NOBODY);
    let allowed = looks_allowed(&visit, purpose, person).await?;
    let (app, person) = (&visit.shared.app, allowed.person);
    let mut found = app.looks(person, before, limit + 1).await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let position = app.standing().durable;
    let entries: Vec<Value> = found
        .iter()
        .filter_map(|look| {
            let at = Instant::from_micros(look.recorded_at_us);
            audit_event(&look.stored.event, person, at)
        })
        .map(|resource| json!({"resource": resource, "search": {"mode": "match"}}))
        .collect();
    let extent = Extent {
        entries: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        ..Extent::default()
    };
    visit.disclose(&allowed, &extent, position, false).await?;
    let next = found.last().filter(|_| more).map(|last| {
        let at = last.position;
        let url = format!("AuditEvent?patient={person}&_count={limit}&cursor={at}");
        json!([{"relation": "next", "url": url}])
    });
    let bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "entry": entries,
        "link": next.unwrap_or_else(|| json!([])),
    });
    let mut response = fhir(bundle)?;
    personal(response.headers_mut(), position, None)?;
    Ok(response)
}

async fn looks_allowed(
    visit: &Visit,
    purpose: Purpose,
    person: PersonId,
) -> Result<Allowed, Problem> {
    let own = visit.own(visit.shared.app.survivor(person));
    let decision = may_see_looks(visit.caller()?, own);
    let through = Interface::Accesses;
    visit.allow_by(decision, purpose, person, through).await
}

/// The language that the caller reads.
pub(super) fn spoken(headers: &HeaderMap) -> Language {
    match language(headers) {
        "en" => Language::English,
        _ => Language::Vietnamese,
    }
}

/// One look, as it is stored and in words.
pub(super) fn item(event: &OpenedEvent, language: Language) -> Value {
    let said = &event.stored.event;
    json!({
        "event_id": said.event_id,
        "kind": said.kind(),
        "position": event.position,
        "recorded_at": Instant::from_micros(event.recorded_at_us),
        "hash": event.hash.to_string(),
        "facility": said.facility,
        "text": in_words(event, language),
        "language": language.tag(),
        "data": said.data,
    })
}

/// What is to be explained.
struct Asked {
    person: PersonId,
    purpose: Purpose,
    /// Somebody else than the caller.
    viewer: Option<Principal>,
    at: AsOf,
}

/// Says what somebody could see of a person, when, and by which rules; discloses nothing of the record.
pub(super) async fn explain(visit: Visit, request: Request) -> Answer {
    let headers = request.headers().clone();
    let limits = &visit.shared.limits;
    let bytes_max = limits.small_bytes_max;
    let bytes = read_whole(request.into_body(), "a question", bytes_max, limits).await?;
    let asked = read(&bytes)?;
    let (app, caller) = (&visit.shared.app, visit.caller()?);
    let own = visit.own(app.survivor(asked.person));
    let decision = may_explain(caller, own, asked.viewer.is_none());
    let purpose = caller.role.implied_purpose().unwrap_or(asked.purpose);
    let through = Interface::Accesses;
    let allowed = visit.allow_by(decision, purpose, asked.person, through);
    let allowed = allowed.await?;
    let position = app.position_of(asked.at).await?;
    let facts = app.facts_at(asked.person, Some(position)).await?;
    let facts = facts.ok_or_else(Problem::not_found)?;
    let now = app.moment(asked.at).await?;
    let viewer = asked.viewer.as_ref().unwrap_or(caller);
    let looks = app.looks(facts.survivor, u64::MAX, LOOKS_MAX).await?;
    let emergency = glass_of(&looks, viewer, now);
    let viewers_own = viewer
        .person
        .is_some_and(|person| app.survivor(person) == facts.survivor);
    let decision = decide(&Question {
        principal: viewer,
        purpose: asked.purpose,
        own: viewers_own,
        facts: &facts.known,
        emergency,
        now,
    });
    if asked.viewer.is_none() && !could_know(app, viewer, &facts, now).await? {
        return Err(visit.nothing(allowed).await);
    }
    let mut explained = explained(&decision, &facts, now);
    let mut entries = 0;
    if asked.viewer.is_some() {
        // "What did they see": their looks of that day.
        let (language, day) = (spoken(&headers), now.local_day());
        let of_viewer = looks.iter().filter(|look| {
            by(look, viewer) && Instant::from_micros(look.recorded_at_us).local_day() == day
        });
        let items: Vec<Value> = of_viewer.map(|look| item(look, language)).collect();
        entries = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if let Some(explained) = explained.as_object_mut() {
            explained.insert("looks".to_owned(), Value::Array(items));
        }
    }
    let extent = Extent {
        entries,
        ..Extent::default()
    };
    visit.disclose(&allowed, &extent, position, false).await?;
    json(status::OK, &explained)
}

/// Whether staff are told that somebody is there: those who would see something when treating, or be told what is withheld.
async fn could_know(
    app: &App,
    viewer: &Principal,
    facts: &Facts,
    now: Instant,
) -> Result<bool, Problem> {
    let decision = decide(&Question {
        principal: viewer,
        purpose: Purpose::Treatment,
        own: false,
        facts: &facts.known,
        emergency: None,
        now,
    });
    match decision.filter {
        Some(filter) => Ok(app.shown(filter, facts.survivor).await?.is_some()),
        None => Ok(false),
    }
}

/// The glass that a viewer had broken at a moment.
fn glass_of(looks: &[OpenedEvent], viewer: &Principal, now: Instant) -> Option<EmergencyGrant> {
    let mut broken = looks
        .iter()
        .filter_map(|look| match &look.stored.event.data {
            Data::GlassBroken(broken) if by(look, viewer) => {
                let until = Instant::from_micros(broken.until.latest_us());
                let from = Instant::from_micros(look.recorded_at_us);
                (from <= now && now <= until).then_some(EmergencyGrant {
                    event: look.stored.event.event_id,
                    until,
                })
            }
            _ => None,
        });
    broken.next()
}

/// Whether a look was somebody's.
fn by(look: &OpenedEvent, viewer: &Principal) -> bool {
    let event = &look.stored.event;
    let who = match &event.data {
        Data::RecordAccessed(look) => &look.viewer,
        Data::AccessRefused(refused) => &refused.viewer,
        Data::GlassBroken(broken) => &broken.viewer,
        _ => return false,
    };
    who.id == viewer.sub && who.role == viewer.role.word() && event.facility == viewer.facility
}

fn explained(decision: &Decision, facts: &Facts, now: Instant) -> Value {
    let rule = |id: &RuleId| json!({"id": id.to_string(), "says": rule_says(*id)});
    let rules: Vec<Value> = decision.rules.iter().map(rule).collect();
    let (outcome, because) = match &decision.outcome {
        Outcome::Permit => ("permit", None),
        Outcome::PermitWithheld(_) => ("permit_withheld", None),
        Outcome::Deny { denial, .. } => ("deny", Some(denial.because)),
    };
    let sections: Vec<Value> = match &decision.filter {
        Some(Filter::Shared(sight)) => Section::ALL
            .iter()
            .map(|section| cell(sight, *section))
            .collect(),
        Some(Filter::All | Filter::OnlyFacility(_)) => Section::ALL
            .iter()
            .map(|section| json!({"section": section, "seen": true}))
            .collect(),
        None => Vec::new(),
    };
    json!({
        "person_id": facts.survivor,
        "position": facts.position,
        "at": now,
        "outcome": outcome,
        "because": because,
        "sections": sections,
        "rules": rules,
        "directives": decision.directives,
        "policy": decision.policy,
    })
}

/// What is seen of a section that other facilities recorded; of one's own facility all is.
fn cell(sight: &Sight, section: Section) -> Value {
    let closed = sight.hides(None, &[section], &[]);
    let labels: Vec<Value> = Label::ALL
        .iter()
        .filter(|label| sight.hides(None, &[section], &[**label]).is_none())
        .map(|label| json!(label))
        .collect();
    json!({
        "section": section,
        "seen": closed.is_none(),
        "because": closed.map(sokhoe_access::Because::says),
        "labels_seen": labels,
        "own_facility": sight.facility(),
    })
}

fn read(bytes: &[u8]) -> Result<Asked, Problem> {
    let node = record_json::parse(bytes).map_err(|error| malformed(&error))?;
    only(&node, "", &["person", "purpose", "viewer", "at"])?;
    let text = |name: &str| node.text(name);
    let expected = "expected the id of a person";
    let person = text("person").and_then(|text| PersonId::parse(text).ok());
    let person = person.ok_or_else(|| Problem::field("/person", "bad_format", expected))?;
    let expected = "expected one of TREAT, ETREAT, PATRQT, PUBHLTH, HRESCH, HOPERAT";
    let purpose = text("purpose").and_then(|text| text.parse().ok());
    let purpose = purpose.ok_or_else(|| Problem::field("/purpose", "unknown_word", expected))?;
    let viewer = node.get("viewer").map(viewer).transpose()?;
    let at = match node.get("at") {
        None => AsOf::Now,
        Some(at) => moment(at)?,
    };
    Ok(Asked {
        person,
        purpose,
        viewer,
        at,
    })
}

fn moment(node: &Node<'_>) -> Result<AsOf, Problem> {
    let position = node.as_number().and_then(|text| text.parse().ok());
    if let Some(position) = position.filter(|position| *position > 0) {
        return Ok(AsOf::Position(position));
    }
    let time = node.as_text().and_then(|text| Instant::parse(text).ok());
    let expected = "expected a position from 1, or an RFC 3339 time";
    time.map(AsOf::Time)
        .ok_or_else(|| Problem::field("/at", "bad_format", expected))
}

fn viewer(node: &Node<'_>) -> Result<Principal, Problem> {
    only(node, "/viewer", &["id", "role", "facility", "jurisdiction"])?;
    let expected = "expected a role";
    let role: Option<Role> = node.text("role").and_then(|text| text.parse().ok());
    let role = role.ok_or_else(|| Problem::field("/viewer/role", "unknown_word", expected))?;
    let id = node.text("id").unwrap_or_default();
    Ok(Principal {
        role,
        facility: node.text("facility").map(str::to_owned),
        jurisdiction: node.text("jurisdiction").map(str::to_owned),
        ..Principal::operator(id)
    })
}

fn only(node: &Node<'_>, at: &str, known: &[&str]) -> Result<(), Problem> {
    let Some(members) = node.as_object() else {
        return Err(Problem::field(at, "wrong_type", "expected an object"));
    };
    let unknown = members
        .iter()
        .find(|(key, _)| !known.contains(&key.as_ref()));
    match unknown {
        None => Ok(()),
        Some(_) => {
            let expected = format!("expected {}", known.join(", "));
            Err(Problem::field(at, "unknown_field", expected))
        }
    }
}

impl App {
    /// Returns who looked at a record, newest first, those before a position; everybody who is part of it considered.
    pub(crate) async fn looks(
        &self,
        survivor: PersonId,
        before: u64,
        limit: usize,
    ) -> Result<Vec<OpenedEvent>, Problem> {
        self.off_thread(move |app| {
            let opener = app.commands().opener();
            let mut members = opener.registry().members(survivor, None);
            if members.is_empty() {
                members.push(survivor);
            }
            let mut all = Vec::new();
            for member in members {
                let looks = opener.looks(member, before, limit);
                all.extend(looks.map_err(|error| Problem::internal(&error))?);
            }
            all.sort_unstable_by_key(|look| std::cmp::Reverse(look.position));
            all.truncate(limit);
            Ok(all)
        })
        .await
    }
}
