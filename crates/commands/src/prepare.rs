//! From a typed event to sealed frames that the writer only has to stamp.
//!
//! Everything here may run on many threads at once; the writer has the last word on what only the
//! order of the log decides.

use sokhoe_access::{AppendDecision, AppendRequest, Corrected, Principal, Role, may_append};
use sokhoe_chain::{Aead, Batch, EventHeader, EventKey, StreamId, StreamKind};
use sokhoe_codec::Stored;
use sokhoe_record::{
    Change as FieldChange, CorrectionAction, Data, Date, Event, EventId, FieldError, Identifier,
    Incoming, Instant, PartialDate, PersonId, PersonRef,
};
use sokhoe_registry::{Digests, changes_of};
use sokhoe_storage::{Draft, FRAME_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX};
use sokhoe_vault::KeyError;

use crate::content::ContentDigest;
use crate::enrich::enrich;
use crate::lookup::LookedUp;
use crate::opening::Opener;
use crate::refusal::Refusal;
use crate::stage::{Plan, record_stream};
use crate::system::SystemStream;

/// How far ahead of the server's clock an event may say it happened: clocks differ, the future does not happen.
const AHEAD_MAX_US: i64 = Instant::DAY_US;

/// An event ready for the writer, its batch not yet written into the headers.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) frames: Vec<(EventHeader, Vec<u8>)>,
}

impl Prepared {
    /// Sealed bytes of its frames.
    pub(crate) fn bytes(&self) -> usize {
        self.frames.iter().map(|(_, payload)| payload.len()).sum()
    }
}

/// Who sends, when, and with which lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) now_us: i64,
    pub(crate) catalogue: &'a sokhoe_catalogue::Catalogue,
}

/// Decides what can be decided before the writer, completes the event and seals it.
pub(crate) fn prepare(
    opener: &Opener,
    around: Circumstances<'_>,
    incoming: Incoming,
    content: ContentDigest,
    looked_up: &LookedUp,
) -> Result<Prepared, Refusal> {
    let Incoming {
        mut event,
        expected_version,
    } = incoming;
    let resolved = resolve_person(opener, &event, looked_up);
    authorise(
        around.principal,
        &mut event,
        resolved.as_ref().ok().copied().flatten(),
        looked_up,
    )?;
    let person = resolved?;
    adopt_identifier(&mut event);
    // What the operator loads was recorded under other clocks, an invented city's under none.
    if around.principal.role != Role::Operator {
        check_time(&event, looked_up, around.now_us)?;
    }
    check_correctable(&event, looked_up)?;
    settle(opener, around, &mut event, person, looked_up)?;
    event.person = person.map(PersonRef::Id);

    let changes = match person {
        Some(person) => changes_of(&event, person, looked_up.root_data(), opener),
        None => Vec::new(),
    };
    let mirrored = mirrored_person(&event, looked_up);
    let (event_id, kind) = (event.event_id, event.kind());
    let stored = Stored {
        event,
        recorded_by: around.principal.sender.clone(),
        content: content.sent_by(&around.principal.sender),
        cause: None,
    };
    let frames = seal(opener, &stored, &targets(opener, &stored, person, mirrored))?;
    let plan = Plan {
        event_id,
        kind,
        key: opener.event(&event_id),
        person,
        known: person.is_some_and(|person| opener.registry.knows(person)),
        changes,
        expected_version,
        frame_count: if frames.len() == 2 { 2 } else { 1 },
    };
    if let (true, Some(person)) = (plan.registers(), person) {
        opener.registry.announce(person, &plan.changes);
    }
    Ok(Prepared { plan, frames })
}

/// Finds whom the event is about, or gives a new person their id.
fn resolve_person(
    opener: &Opener,
    event: &Event,
    looked_up: &LookedUp,
) -> Result<Option<PersonId>, Refusal> {
    if let Some(found) = looked_up.event() {
        // A correction stands where the corrected entry stands, so that an unmerge parts neither.
        let addressed = find(opener, event.person.as_ref())?;
        let same = |a, b| opener.registry.survivor(a, None) == opener.registry.survivor(b, None);
        return match (addressed, found.person()) {
            (Some(addressed), Some(person)) if same(addressed, person) => Ok(Some(person)),
            (None, None) => Ok(None),
            _ => Err(Refusal::field(
                looked_up.pointer(),
                "unknown_event",
                "expected the id of an event in this person's record",
            )),
        };
    }
    match &event.data {
        Data::PersonRegistered(_) => {
            let mut id = [0; 16];
            getrandom::fill(&mut id).map_err(|error| {
                tracing::error!(%error, "the system gives no random bytes");
                Refusal::Internal
            })?;
            Ok(Some(PersonId::from_bytes(id)))
        }
        _ => find(opener, event.person.as_ref()),
    }
}

/// The identifier that a registration is addressed by names the new person too.
fn adopt_identifier(event: &mut Event) {
    if let (Data::PersonRegistered(data), Some(PersonRef::Identifier(addressed))) =
        (&mut event.data, &event.person)
    {
        let same =
            |known: &Identifier| known.system == addressed.system && known.value == addressed.value;
        if !data.identifiers.iter().any(same) {
            data.identifiers.insert(0, addressed.clone());
        }
    }
}

fn find(opener: &Opener, person: Option<&PersonRef>) -> Result<Option<PersonId>, Refusal> {
    let unknown = || {
        Refusal::field(
            "/person",
            "unknown_person",
            "expected a person who was registered before",
        )
    };
    match person {
        None => Ok(None),
        Some(PersonRef::Id(id)) if opener.registry.knows(*id) => Ok(Some(*id)),
        Some(PersonRef::Identifier(identifier)) => opener
            .registry
            .find(opener.identifier(identifier))
            .map(Some)
            .ok_or_else(unknown),
        Some(PersonRef::Id(_) | PersonRef::Unresolved(_)) => Err(unknown()),
    }
}

fn authorise(
    principal: &Principal,
    event: &mut Event,
    person: Option<PersonId>,
    looked_up: &LookedUp,
) -> Result<(), Refusal> {
    let request = AppendRequest {
        kind: event.kind(),
        facility: event.facility.as_deref(),
        person,
        corrected: looked_up.event().map(|found| Corrected {
            facility: found.stored.event.facility.as_deref(),
            person: found.person(),
            recorded_by: &found.stored.recorded_by,
        }),
    };
    match may_append(principal, &request) {
        AppendDecision::Allowed { facility, .. } => {
            if event.facility.is_none() {
                event.facility = facility.map(str::to_owned);
            }
            Ok(())
        }
        AppendDecision::Denied(denial) => Err(Refusal::Forbidden {
            rule: denial.rule.0,
            because: denial.because,
        }),
    }
}

/// Refuses what says that it happened, but lies ahead of the clock.
fn check_time(event: &Event, looked_up: &LookedUp, now_us: i64) -> Result<(), Refusal> {
    let latest = Instant::from_micros(now_us.saturating_add(AHEAD_MAX_US));
    let mut errors = ahead(&event.data, "/data", latest.local_day());
    if event.occurred_at.earliest() > latest {
        errors.push(in_the_future("/occurred_at".into()));
    }
    if let (Data::CorrectionMade(correction), Some(root)) = (&event.data, looked_up.root_data())
        && let Some(replacement) = &correction.replacement
    {
        let pointer = "/data/replacement";
        if replacement
            .occurred_at()
            .is_some_and(|at| at.earliest() > latest)
        {
            errors.push(in_the_future(format!("{pointer}/occurred_at")));
        }
        // What does not read as the root's kind is named later, by field.
        if let Ok(data) = replacement.data(root.kind()) {
            errors.extend(ahead(&data, pointer, latest.local_day()));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Refusal::Invalid(errors))
    }
}

/// The dates of things past that lie after a day.
fn ahead(data: &Data, pointer: &str, day: Date) -> Vec<FieldError> {
    let (field, date) = match data {
        Data::PersonRegistered(data) => ("birth_date", Some(data.birth_date.earliest())),
        Data::DemographicsChanged(data) => match &data.birth_date {
            FieldChange::Set(date) => ("birth_date", Some(date.earliest())),
            FieldChange::Keep | FieldChange::Clear => return Vec::new(),
        },
        Data::PersonDied(data) => ("died_on", Some(data.died_on.earliest())),
        Data::ConditionRecorded(data) => ("onset", data.onset.map(PartialDate::earliest)),
        Data::ConditionResolved(data) => ("resolved_on", Some(data.resolved_on.earliest())),
        Data::ProcedureRecorded(data) => ("performed_on", Some(data.performed_on.earliest())),
        Data::EncounterRecorded(data) => ("started_at", Some(data.started_at.local_days().0)),
        Data::ProgrammeEnrolled(data) => ("enrolled_on", Some(data.enrolled_on.earliest())),
        Data::ProgrammeLeft(data) => ("left_on", Some(data.left_on.earliest())),
        _ => return Vec::new(),
    };
    let late = date.is_some_and(|date| date > day);
    late.then(|| in_the_future(format!("{pointer}/{field}")))
        .into_iter()
        .collect()
}

fn in_the_future(pointer: String) -> FieldError {
    FieldError {
        pointer,
        code: "in_the_future",
        detail: "expected a time that is not in the future".into(),
    }
}

/// Refuses corrections of what has another way of ending.
fn check_correctable(event: &Event, looked_up: &LookedUp) -> Result<(), Refusal> {
    let (Data::CorrectionMade(correction), Some(named)) = (&event.data, looked_up.event()) else {
        return Ok(());
    };
    match (&named.stored.event.data, correction.action) {
        (Data::PeopleMerged(_) | Data::PeopleUnmerged(_), _) => Err(Refusal::Conflict {
            because: "a merge ends by people_unmerged, an unmerge by another merge, neither by a correction",
        }),
        (Data::PersonRegistered(_), CorrectionAction::Void) => Err(Refusal::Conflict {
            because: "a registration cannot be voided: correct what it says, or merge the person",
        }),
        _ => Ok(()),
    }
}

/// Resolves references, checks codes, adds labels; for a correction in what it puts in place.
fn settle(
    opener: &Opener,
    around: Circumstances<'_>,
    event: &mut Event,
    person: Option<PersonId>,
    looked_up: &LookedUp,
) -> Result<(), Refusal> {
    let (day, _) = event.occurred_at.local_days();
    let mut errors = Vec::new();
    let mut complete = |data: &mut Data| {
        errors.extend(enrich(data, day, around.catalogue));
        errors.extend(resolve_references(opener, data, person));
    };
    match (&mut event.data, looked_up.event(), looked_up.root_data()) {
        (Data::CorrectionMade(correction), Some(named), Some(root)) => {
            let corrected = named.stored.event.kind();
            let settled = correction.settle(corrected, root.kind(), &mut complete);
            for error in &mut errors {
                error.pointer = error.pointer.replacen("/data", "/data/replacement", 1);
            }
            errors.extend(settled.err().unwrap_or_default());
        }
        (data, ..) => complete(data),
    }
    if errors.is_empty() {
        return Ok(());
    }
    errors.truncate(sokhoe_record::limits::ERRORS_MAX);
    Err(Refusal::Invalid(errors))
}

/// Turns references to other people into random ids; who is unknown is kept as text, but for a
/// merge, which needs both.
fn resolve_references(
    opener: &Opener,
    data: &mut Data,
    about: Option<PersonId>,
) -> Vec<FieldError> {
    let must_be_known = matches!(data, Data::PeopleMerged(_));
    // Nobody is their own relative or guardian; who reports for themselves may say so.
    let must_be_other = !matches!(data, Data::SelfReportSubmitted(_) | Data::PeopleMerged(_));
    let mut errors = Vec::new();
    data.person_refs_mut(|pointer, person| {
        let known = match &*person {
            PersonRef::Id(id) => Some(*id).filter(|id| opener.registry.knows(*id)),
            PersonRef::Identifier(identifier) => {
                opener.registry.find(opener.identifier(identifier))
            }
            PersonRef::Unresolved(_) => None,
        };
        match (known, &*person) {
            (Some(id), _) if must_be_other && about == Some(id) => errors.push(FieldError {
                pointer: pointer.to_owned(),
                code: "self_reference",
                detail: "expected another person than the one the event is about".into(),
            }),
            (Some(id), _) => *person = PersonRef::Id(id),
            (None, _) if must_be_known => errors.push(FieldError {
                pointer: pointer.to_owned(),
                code: "unknown_person",
                detail: "expected a person who was registered before".into(),
            }),
            (None, PersonRef::Id(id)) => *person = PersonRef::Unresolved(id.to_string()),
            (None, PersonRef::Identifier(identifier)) => {
                let text = format!("{} {}", identifier.system, identifier.value);
                *person = PersonRef::Unresolved(text);
            }
            (None, PersonRef::Unresolved(_)) => {}
        }
    });
    errors
}

/// The other person whose stream holds the event too.
fn mirrored_person(event: &Event, looked_up: &LookedUp) -> Option<PersonId> {
    match &event.data {
        Data::PeopleMerged(merge) => merge.retired.id(),
        Data::PeopleUnmerged(_) => looked_up.retired(),
        _ => None,
    }
}

/// Where a frame of an event goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) stream: StreamId,
    pub(crate) kind: StreamKind,
    pub(crate) key: EventKey,
}

/// The streams that an event stands in: the person's or a system stream, and a merged person's too.
fn targets(
    opener: &Opener,
    stored: &Stored,
    person: Option<PersonId>,
    mirrored: Option<PersonId>,
) -> Vec<Target> {
    let (stream, kind) = match person {
        Some(person) => (record_stream(person), StreamKind::Record),
        None => (
            SystemStream::of(&stored.event).id(opener.vault()),
            StreamKind::System,
        ),
    };
    let id = stored.event.event_id;
    let key = opener.event(&id);
    let first = Target { stream, kind, key };
    let second = mirrored.map(|mirrored| Target {
        stream: record_stream(mirrored),
        kind: StreamKind::Record,
        key: opener.event(&mirror_id(opener, id)),
    });
    std::iter::once(first).chain(second).collect()
}

/// Seals an event for each of its streams.
pub(crate) fn seal(
    opener: &Opener,
    stored: &Stored,
    targets: &[Target],
) -> Result<Vec<(EventHeader, Vec<u8>)>, Refusal> {
    let internal = |error: &dyn std::error::Error| {
        tracing::error!(error = %crate::chain_of(error), "an event could not be sealed");
        Refusal::Internal
    };
    let plaintext = sokhoe_codec::encode(stored).map_err(|error| internal(&error))?;
    let (compression, packed) = sokhoe_codec::pack(&plaintext);
    if plaintext.len() > FRAME_BYTES_MAX - 4096 {
        let limit = u64::try_from(FRAME_BYTES_MAX - 4096).unwrap_or(u64::MAX);
        return Err(Refusal::TooLarge {
            what: "the event",
            limit,
        });
    }
    let mut frames = Vec::with_capacity(targets.len());
    for target in targets {
        let key = opener
            .vault
            .stream_key_or_new(target.stream)
            .map_err(|error| match error {
                KeyError::Stopped { .. } => Refusal::Stopped,
                error => internal(&error),
            })?;
        let sealed = opener
            .vault
            .seal_packed(&key, compression, &packed)
            .map_err(|error| internal(&error))?;
        let mut header = EventHeader::new(target.kind, target.stream, Aead::Aes256Gcm);
        sealed.describe(&mut header);
        header.event_key = target.key;
        header.key_epoch = key.epoch();
        frames.push((header, sealed.bytes));
    }
    Ok(frames)
}

/// The id under which the second frame of a pair takes its place: derived, so that it is taken once.
fn mirror_id(opener: &Opener, id: EventId) -> EventId {
    let derived = opener
        .vault
        .secrets()
        .derive("sokhoe:mirror:v1", &[id.as_bytes()]);
    EventId::from_bytes(derived.first_chunk().copied().unwrap_or_default())
}

/// What the writer needs of a request, or why it cannot have it.
pub(crate) type Drafted = Result<(Vec<Plan>, Vec<Draft>), (Vec<Plan>, Refusal)>;

/// Encodes the headers of all frames of a request, which is a batch when there are several.
///
/// # Errors
/// When they are too many or too large; the plans come back, for what they announced.
pub(crate) fn into_drafts(prepared: Vec<Prepared>) -> Drafted {
    let batch_id = prepared.first().map_or(0, |event| batch_id(&event.plan));
    let (plans, frames): (Vec<Plan>, Vec<_>) = prepared
        .into_iter()
        .map(|event| (event.plan, event.frames))
        .unzip();
    match drafts(batch_id, frames.into_iter().flatten().collect()) {
        Ok(drafts) => Ok((plans, drafts)),
        Err(refusal) => Err((plans, refusal)),
    }
}

fn drafts(batch_id: u64, frames: Vec<(EventHeader, Vec<u8>)>) -> Result<Vec<Draft>, Refusal> {
    let too_large = |what, limit: usize| Refusal::TooLarge {
        what,
        limit: u64::try_from(limit).unwrap_or(u64::MAX),
    };
    let many = || too_large("the batch", REQUEST_EVENTS_MAX);
    if frames.len() > REQUEST_EVENTS_MAX {
        return Err(many());
    }
    let count = u16::try_from(frames.len()).map_err(|_| many())?;
    let mut drafts = Vec::with_capacity(frames.len());
    let mut bytes = 0;
    for (index, (mut header, payload)) in (0..count).zip(frames) {
        header.batch = (count > 1).then_some(Batch {
            id: batch_id,
            index,
            count,
        });
        let draft =
            Draft::new(&header, payload).map_err(|_| too_large("the event", FRAME_BYTES_MAX))?;
        bytes += draft.frame_bytes();
        drafts.push(draft);
    }
    if bytes > REQUEST_BYTES_MAX {
        return Err(too_large("the batch", REQUEST_BYTES_MAX));
    }
    Ok(drafts)
}

/// A batch is named by its first event's key: as unique as that, and never zero.
fn batch_id(plan: &Plan) -> u64 {
    let bytes = plan.key.0.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_le_bytes(bytes).max(1)
}
