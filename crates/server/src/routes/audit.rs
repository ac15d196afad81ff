//! For auditors: who looked at whom over the whole log, what should be looked into, and the queue of broken glasses.
//!
//! Auditors see looks, never contents. Their own questions are written down under nobody's name: what they are shown is
//! about those who look.

use axum::extract::Request;
use serde_json::{Value, json};
use sokhoe_access::Purpose;
use sokhoe_projections::{Actor, Extent, LookKind, LooksAsked, MANY_PEOPLE, OUT_OF_HOURS, Signal};
use sokhoe_record::json::{self as record_json};
use sokhoe_record::{
    AccessReviewed, EventId, Instant, Interface, PersonId, RecordAccessed, ReviewOutcome,
};

use crate::app::App;
use crate::body::read_whole;
use crate::disclosure::NOBODY;
use crate::error::{Problem, status};
use crate::guard::{Answer, Visit};
use crate::intake::malformed;
use crate::query::{Query, bad};
use crate::routes::events::json;
use crate::routes::looks::{item, spoken};
use crate::routes::people::{page_items, personal};

/// Days that signals are gathered over unless a time is said.
const SIGNAL_DAYS: i64 = 31;
/// Characters of the note of a review.
const NOTE_CHARS_MAX: usize = 2_000;
/// What the questions about looks may name.
const ASKED: [&str; 8] = [
    "actor", "facility", "person", "kind", "from", "to", "cursor", "limit",
];

/// Shows looks over the whole log, newest first.
pub(super) async fn accesses(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &ASKED)?;
    let asked = asked(&query)?;
    let before = query.number("cursor")?.unwrap_or(u64::MAX);
    let limit = page_items(&visit, &query)?;
    let app = &visit.shared.app;
    caught_up(&visit).await?;
    let mut positions = app
        .views()
        .looks(&asked, before, limit + 1, |row| row.position);
    let more = positions.len() > limit;
    positions.truncate(limit);
    let next = positions.last().filter(|_| more);
    let next = next.map(|at| {
        let rest = without_cursor(request.uri().query().unwrap_or_default());
        format!("/v1/audit/accesses?{rest}cursor={at}")
    });
    let language = spoken(request.headers());
    let found = app.opened(positions).await?;
    let items: Vec<Value> = found
        .iter()
        .map(|event| {
            let mut item = item(event, language);
            let person = event.stored.event.person.as_ref().and_then(|of| of.id());
            item["person_id"] = json!(person.filter(|person| *person != NOBODY));
            item
        })
        .collect();
    answer(&visit, items, next).await
}

/// Shows whose records an account looked at in a period.
pub(super) async fn affected(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &ASKED)?;
    let asked = asked(&query)?;
    if asked.actor.is_none() && asked.facility.is_none() {
        return Err(bad(
            "name an account with actor=, or a facility with facility=".to_owned(),
        ));
    }
    let skipped = query.number("cursor")?.unwrap_or(0);
    let limit = page_items(&visit, &query)?;
    let app = &visit.shared.app;
    caught_up(&visit).await?;
    let all = app.off_thread(move |app| Ok(app.views().affected(&asked)));
    let all = all.await?;
    let skip = usize::try_from(skipped).unwrap_or(usize::MAX);
    let mut rest = all
        .iter()
        .filter(|affected| affected.person != NOBODY)
        .skip(skip);
    let items: Vec<Value> = rest
        .by_ref()
        .take(limit)
        .map(|affected| {
            json!({
                "person_id": affected.person,
                "looks": affected.looks,
                "first": Instant::from_micros(affected.first_us),
                "last": Instant::from_micros(affected.last_us),
            })
        })
        .collect();
    let next = rest.next().map(|_| {
        let known = without_cursor(request.uri().query().unwrap_or_default());
        format!("/v1/audit/affected?{known}cursor={}", skip + items.len())
    });
    answer(&visit, items, next).await
}

/// Shows what should be looked into, each by a rule that is said.
pub(super) async fn signals(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &ASKED)?;
    let mut asked = asked(&query)?;
    let limit = page_items(&visit, &query)?;
    let app = &visit.shared.app;
    let recent = app.now_us().saturating_sub(SIGNAL_DAYS * Instant::DAY_US);
    asked.from_us.get_or_insert(recent);
    caught_up(&visit).await?;
    let found = app.off_thread(move |app| Ok(app.views().signals(&asked)));
    let items: Vec<Value> = found.await?.iter().take(limit).map(signal).collect();
    answer(&visit, items, None).await
}

fn signal(signal: &Signal) -> Value {
    let Actor { id, role, facility } = &signal.actor;
    json!({
        "rule": signal.rule,
        "says": says(signal.rule),
        "viewer": {"id": id, "role": role, "facility": facility},
        "person_id": signal.person.filter(|person| *person != NOBODY),
        "count": signal.count,
        "first": Instant::from_micros(signal.first_us),
        "last": Instant::from_micros(signal.last_us),
        "position": signal.position,
    })
}

fn says(rule: &str) -> String {
    match rule {
        "many_people" => format!("more than {MANY_PEOPLE} people's records within an hour"),
        "no_treatment_relation" => {
            "the facility has no entry of the person, and no directive opened the record".to_owned()
        }
        "out_of_hours" => format!(
            "looks between {} and {} o'clock that are no emergencies",
            OUT_OF_HOURS.start,
            OUT_OF_HOURS.end - 24
        ),
        _ => "asked for what was refused".to_owned(),
    }
}

/// Shows the broken glasses that nobody has reviewed, oldest first.
pub(super) async fn reviews(visit: Visit, request: Request) -> Answer {
    let query = Query::parse(request.uri().query(), &["limit"])?;
    let limit = page_items(&visit, &query)?;
    let app = &visit.shared.app;
    caught_up(&visit).await?;
    let open = app.views().unreviewed();
    let positions = open.iter().take(limit).map(|(position, _)| *position);
    let found = app.opened(positions.collect()).await?;
    let language = spoken(request.headers());
    let items = found.iter().map(|event| item(event, language)).collect();
    answer(&visit, items, None).await
}

/// Takes a review of a look; it stands in the person's access stream.
pub(super) async fn review(visit: Visit, request: Request) -> Answer {
    let limits = &visit.shared.limits;
    let bytes_max = limits.small_bytes_max;
    let bytes = read_whole(request.into_body(), "a review", bytes_max, limits).await?;
    let node = record_json::parse(&bytes).map_err(|error| malformed(&error))?;
    let reviewed = node
        .text("event_id")
        .and_then(|text| EventId::parse(text).ok());
    let expected = "expected the id of a look";
    let reviewed = reviewed.ok_or_else(|| Problem::field("/event_id", "bad_format", expected))?;
    let outcome = node.text("outcome").and_then(ReviewOutcome::from_word);
    let expected = "expected justified or not_justified";
    let outcome = outcome.ok_or_else(|| Problem::field("/outcome", "unknown_word", expected))?;
    let note = node.text("note").map(str::to_owned);
    if note
        .as_ref()
        .is_some_and(|note| note.chars().count() > NOTE_CHARS_MAX)
    {
        let expected = format!("expected at most {NOTE_CHARS_MAX} characters");
        return Err(Problem::field("/note", "too_long", expected));
    }
    let app = &visit.shared.app;
    let person = app.person_looked_at(reviewed).await?;
    let data = AccessReviewed {
        viewer: visit.viewer(Some(Purpose::Operations))?,
        reviewed,
        outcome,
        note,
    };
    let look = visit.written(person, data.into())?;
    let event_id = app.witness_one(look).await?;
    json(
        status::CREATED,
        &json!({"event_id": event_id, "reviewed": reviewed}),
    )
}

/// Writes down that an auditor asked, then answers.
pub(super) async fn answer(visit: &Visit, items: Vec<Value>, next: Option<String>) -> Answer {
    let app = &visit.shared.app;
    let position = app.standing().durable;
    let extent = Extent {
        entries: u32::try_from(items.len()).unwrap_or(u32::MAX),
        ..Extent::default()
    };
    let data = RecordAccessed {
        viewer: visit.viewer(Some(Purpose::Operations))?,
        through: Interface::Accesses,
        request: visit.request_id.clone(),
        entries: extent.entries,
        position,
        ..RecordAccessed::default()
    };
    app.witness(vec![visit.written(NOBODY, data.into())?])
        .await?;
    let mut response = json(status::OK, &json!({"items": items, "next": next}))?;
    personal(response.headers_mut(), position, None)?;
    Ok(response)
}

fn asked(query: &Query) -> Result<LooksAsked, Problem> {
    let time = |name: &str| match query.get(name) {
        None => Ok(None),
        Some(text) => Instant::parse(text)
            .map(|time| Some(time.micros()))
            .map_err(|_| {
                bad(format!(
                    "the query parameter {name} must be an RFC 3339 time"
                ))
            }),
    };
    let person = match query.get("person") {
        None => None,
        Some(text) => Some(PersonId::parse(text).map_err(|_| {
            bad("the query parameter person must be the id of a person".to_owned())
        })?),
    };
    let kind = match query.get("kind") {
        None => None,
        Some("record_accessed") => Some(LookKind::Accessed),
        Some("access_refused") => Some(LookKind::Refused),
        Some("glass_broken") => Some(LookKind::GlassBroken),
        Some("access_reviewed") => Some(LookKind::Reviewed),
        Some(_) => {
            let known = "record_accessed, access_refused, glass_broken or access_reviewed";
            return Err(bad(format!("the query parameter kind must be {known}")));
        }
    };
    Ok(LooksAsked {
        actor: query.get("actor").map(str::to_owned),
        facility: query.get("facility").map(str::to_owned),
        person,
        kind,
        from_us: time("from")?,
        until_us: time("to")?,
    })
}

/// The query that was asked, as it came, for the next page.
fn without_cursor(raw: &str) -> String {
    let kept = raw
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    kept.fold(String::new(), |all, pair| all + pair + "&")
}

/// Waits until what is durable is among what can be found.
pub(super) async fn caught_up(visit: &Visit) -> Result<(), Problem> {
    let (app, limits) = (&visit.shared.app, &visit.shared.limits);
    let durable = app.standing().durable;
    app.at_least(durable, limits.at_least_timeout).await
}

impl App {
    /// Opens events by their positions.
    async fn opened(
        &self,
        positions: Vec<u64>,
    ) -> Result<Vec<sokhoe_commands::OpenedEvent>, Problem> {
        self.off_thread(move |app| {
            let opener = app.commands().opener();
            let open = |position: &u64| opener.by_position(*position);
            let opened = positions.iter().map(open).collect::<Result<_, _>>();
            opened.map_err(|error| Problem::internal(&error))
        })
        .await
    }

    /// Returns at whose record a look was.
    async fn person_looked_at(&self, look: EventId) -> Result<PersonId, Problem> {
        let found = self.off_thread(move |app| {
            let found = app.commands().opener().by_id(look);
            found.map_err(|error| Problem::internal(&error))
        });
        let found = found
            .await?
            .filter(|found| found.stream_kind == sokhoe_chain::StreamKind::Access);
        let person = found.and_then(|found| found.stored.event.person.and_then(|of| of.id()));
        person.ok_or_else(|| {
            Problem::field("/event_id", "unknown_event", "expected the id of a look")
        })
    }
}
