//! From a document to items, one for every resource: the mapping by type, the envelope around what it gives, and
//! what happens to resources that have no kind or do not fit theirs.

use sokhoe_record::json::Node;
use sokhoe_record::{
    CodeSystem, Data, Event, Incoming, Invalid, Occurred, PersonRef, ResourceKept, Source, validate,
};

use crate::Refused;

use super::bundle::{Document, Entry, NotAResource};
use super::coding::shortened;
use super::draft::{Draft, Drafts, Unfit};
use super::identity::Context;
use super::reading::{Reading, Subject};
use super::shape::{KEPT_TIMES, Misfit, misfit, time_member};
use super::{
    allergy, condition, document, encounter, immunization, medication, observation, patient,
    places, procedure,
};

/// The format named in `resource_kept`.
pub const FORMAT: &str = "fhir-r4";

/// Nothing in the resource, its encounter or its document says when it happened.
const NO_DATE: Unfit = Unfit("no clinical date");

/// Where a resource stood in its document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The resource type; empty where there was none.
    pub resource_type: String,
    /// The id in the source: the resource's own, or what stands for it.
    pub id: String,
    /// The entry of the bundle, from 0; `None` for a lone resource.
    pub index: Option<usize>,
    /// The member that says whose the resource is.
    pub person: Option<&'static str>,
    /// The member that the event's time was read from.
    pub occurred: Option<&'static str>,
}

impl Place {
    /// Returns the JSON pointer, in the document, of the FHIR member that a place in the resource's event was read
    /// from; of the resource where no member is known to be.
    pub fn of_event_pointer(&self, pointer: &str) -> String {
        let part = |at: usize| pointer.split('/').nth(at).unwrap_or_default();
        let member = match (part(1), part(2)) {
            ("person", _) => self.person,
            ("occurred_at", _) => self.occurred,
            ("data", "name") => Some("name"),
            ("data", "sex") => Some("gender"),
            ("data", "birth_date") => Some("birthDate"),
            ("data", "died_on") => Some("deceasedDateTime"),
            ("data", "identifiers") => Some("identifier"),
            ("data", "started_at" | "ended_at") => Some("period"),
            ("data", "vaccine") => Some("vaccineCode"),
            ("data", "code") if !self.resource_type.starts_with("Medication") => Some("code"),
            ("data", "components") => Some("component"),
            _ => None,
        };
        pointer_to(self.index, member.unwrap_or_default())
    }
}

/// What a resource became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it stood.
    pub place: Place,
    /// Digest of the resource's canonical content: equal content loaded again is a duplicate, other content under
    /// the same id a change.
    pub content: [u8; 32],
    /// What it became.
    pub outcome: Outcome,
}

/// What one resource became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Events of kinds of its own, at least one. Those without a person belong to system streams.
    Events(Vec<Incoming>),
    /// A `resource_kept` event that holds it whole.
    Kept {
        /// The event.
        event: Box<Incoming>,
        /// Why it has no kind of its own; `None` where its type has none here at all.
        because: Option<&'static str>,
    },
    /// Nothing.
    Refused(Refused),
}

/// Translates every resource of a document. Places and professionals come first, then people, then the rest in
/// the order of the document, so that whoever is named has been registered.
pub fn translate(document: &Node<'_>, ctx: &Context<'_>) -> Vec<Item> {
    let (document, broken) = Document::read(document);
    let local = CodeSystem::Local(format!("local/{}", ctx.default_facility()));
    let mut items: Vec<Item> = Vec::with_capacity(document.entries.len() + broken.len());
    for at in document.order() {
        if let Some(entry) = document.entries.get(at) {
            items.push(translate_entry(&Reading {
                ctx,
                document: &document,
                entry,
                local: &local,
            }));
        }
    }
    items.extend(broken.into_iter().map(not_a_resource));
    items
}

fn not_a_resource(broken: NotAResource) -> Item {
    let NotAResource {
        index,
        pointer,
        code,
        detail,
    } = broken;
    Item {
        place: Place {
            resource_type: String::new(),
            id: String::new(),
            index,
            person: None,
            occurred: None,
        },
        content: [0; 32],
        outcome: Outcome::Refused(Refused {
            pointer,
            code,
            detail: detail.to_owned(),
        }),
    }
}

fn translate_entry(reading: &Reading<'_, '_>) -> Item {
    let Entry {
        node,
        kind,
        id,
        index,
    } = reading.entry;
    let outcome = outcome(reading);
    let event = match &outcome {
        Outcome::Events(events) => events.first(),
        Outcome::Kept { event, .. } => Some(&**event),
        Outcome::Refused(_) => None,
    };
    Item {
        place: Place {
            resource_type: (*kind).to_owned(),
            id: id.to_string(),
            index: *index,
            person: reading.subject_member(),
            occurred: event.and_then(|event| time_member(node, event.event.occurred_at)),
        },
        content: super::content_digest(node),
        outcome,
    }
}

fn outcome(reading: &Reading<'_, '_>) -> Outcome {
    if let Some(Misfit {
        member,
        code,
        detail,
    }) = misfit(reading.entry.kind, reading.node())
    {
        return refused(reading, &member, code, detail);
    }
    let subject = match reading.entry.kind {
        "Patient" => Subject::Person(reading.own_patient(&reading.entry.id)),
        "Organization" | "Location" | "Practitioner" | "PractitionerRole" => Subject::Nobody,
        _ => reading.subject(),
    };
    let person = match subject {
        Subject::Person(person) => Some(person),
        Subject::Nobody => None,
        Subject::Unknown(key) => {
            return refused(
                reading,
                key,
                "unresolved_person",
                "expected a reference to a Patient that can be followed",
            );
        }
    };
    let Some(drafts) = map(reading) else {
        return keep(reading, person, None);
    };
    let fitting = drafts.and_then(|drafts| {
        let registers = matches!(
            reading.entry.kind,
            "Organization" | "Location" | "Practitioner"
        );
        if person.is_none() && !registers {
            return Err(Unfit("it is about no person"));
        }
        drafts
            .into_iter()
            .map(|draft| fit(reading, person.clone(), draft))
            .collect()
    });
    match fitting {
        Ok(events) => Outcome::Events(events),
        Err(unfit) if reading.entry.kind == "Patient" => {
            let member = if unfit == patient::NO_BIRTH_DATE {
                "birthDate"
            } else {
                ""
            };
            let detail = format!("the person cannot be registered: {}", unfit.0);
            refused(reading, member, "invalid", &detail)
        }
        Err(Unfit(because)) => keep(reading, person, Some(because)),
    }
}

/// Maps a resource by its type; `None` for types that have no kind here.
fn map(reading: &Reading<'_, '_>) -> Option<Drafts> {
    Some(match reading.entry.kind {
        "Patient" => patient::map(reading),
        "Encounter" => encounter::map(reading),
        "Condition" => condition::map(reading),
        "Observation" => observation::map(reading),
        "Procedure" => procedure::map(reading),
        "MedicationRequest"
        | "MedicationStatement"
        | "MedicationAdministration"
        | "MedicationDispense" => medication::map(reading),
        "Immunization" => immunization::map(reading),
        "AllergyIntolerance" => allergy::map(reading),
        "DiagnosticReport" | "CarePlan" => document::map_report(reading),
        "DocumentReference" => document::map_reference(reading),
        "Organization" | "Location" => places::map_facility(reading),
        "Practitioner" => places::map_practitioner(reading),
        _ => return None,
    })
}

/// Puts the envelope around a draft and checks the whole by the rules for every event.
fn fit(
    reading: &Reading<'_, '_>,
    person: Option<PersonRef>,
    draft: Draft,
) -> Result<Incoming, Unfit> {
    // An allergy, a condition and a medicine taken are statements that stand, dated or not: what the source says holds
    // as of when it said so, and an allergy that is missing does harm.
    let occurs = !matches!(
        draft.data,
        Data::PersonRegistered(_)
            | Data::FacilityRegistered(_)
            | Data::PractitionerRegistered(_)
            | Data::DocumentAttached(_)
            | Data::AllergyRecorded(_)
            | Data::ConditionRecorded(_)
            | Data::MedicationRecorded(_)
    );
    // Taking the time of the import for when something happened to a person would be inventing it.
    if occurs && draft.occurred.is_none() && reading.stamp().is_none() {
        return Err(NO_DATE);
    }
    let incoming = envelope(reading, person, draft);
    match validate(&incoming) {
        Ok(()) => Ok(incoming),
        Err(_) => Err(Unfit("it breaks a rule of the kind that it would have")),
    }
}

fn envelope(reading: &Reading<'_, '_>, person: Option<PersonRef>, draft: Draft) -> Incoming {
    let occurred = draft.occurred.or_else(|| reading.stamp());
    let mut data = draft.data;
    if let Some(labels) = data.labels_mut() {
        *labels = reading.labels();
    }
    let record = format!("{}/{}", reading.entry.kind, reading.entry.id);
    Incoming {
        event: Event {
            event_id: reading.event_id(draft.part),
            person,
            occurred_at: occurred.unwrap_or(Occurred::At(reading.ctx.received())),
            facility: Some(reading.facility()),
            author: reading.author(),
            source: Some(Source {
                system: reading.ctx.source().to_owned(),
                record: Some(shortened(record, 200)),
            }),
            data,
        },
        expected_version: None,
    }
}

fn keep(
    reading: &Reading<'_, '_>,
    person: Option<PersonRef>,
    because: Option<&'static str>,
) -> Outcome {
    let occurred = reading
        .occurred(&KEPT_TIMES)
        .or_else(|| reading.encounter_start());
    let data = Data::from(ResourceKept {
        format: FORMAT.to_owned(),
        resource_type: reading.entry.kind.to_owned(),
        content: Some(reading.node().raw().to_owned()),
        ..ResourceKept::default()
    });
    let event = envelope(reading, person, Draft::new(occurred, data));
    match validate(&event) {
        Ok(()) => Outcome::Kept {
            event: Box::new(event),
            because,
        },
        Err(invalid) => {
            let long = match &invalid {
                Invalid::Content { errors } => errors.iter().any(|error| error.code == "too_long"),
                _ => false,
            };
            let code = if long { "too_large" } else { "invalid" };
            refused(
                reading,
                "",
                code,
                "the resource cannot be kept whole in one event",
            )
        }
    }
}

fn refused(reading: &Reading<'_, '_>, member: &str, code: &'static str, detail: &str) -> Outcome {
    Outcome::Refused(Refused {
        pointer: pointer_to(reading.entry.index, member),
        code,
        detail: detail.to_owned(),
    })
}

fn pointer_to(index: Option<usize>, member: &str) -> String {
    let mut pointer = match index {
        Some(index) => format!("/entry/{index}/resource"),
        None => String::new(),
    };
    if !member.is_empty() {
        pointer.push('/');
        pointer.push_str(member);
    }
    pointer
}
