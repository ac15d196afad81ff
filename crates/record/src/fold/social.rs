//! Household, family, programmes, appointments, guardians, requests; and, apart from the record, consents.

use serde::Serialize;

use super::{Entry, RecordedEvent, TimeKey, by_time, effective, effective::Effective};
use crate::{
    block::{CodeOrText, Household, PersonRef},
    data::{
        ConsentGranted, ContactAttempted, Data, FamilyLinked, GuardianAppointed, Programme,
        RequestDecision, RequestMade, SecondaryUse,
    },
    id::{EventId, PersonId},
    time::{Occurred, PartialDate},
};

/// A relative.
pub type Family = Entry<FamilyLinked>;
/// An attempt to reach the person.
pub type Contact = Entry<ContactAttempted>;

/// The person among others, and what they were offered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Social {
    /// Household, as in demographics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub household: Option<Household>,
    /// Occupation, as in demographics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occupation: Option<CodeOrText>,
    /// Relatives.
    pub family: Vec<Family>,
    /// Programmes of care.
    pub programmes: Vec<Entry<ProgrammeMembership>>,
    /// Appointments.
    pub appointments: Vec<Entry<Appointment>>,
    /// Attempts to reach the person.
    pub contacts: Vec<Contact>,
    /// Who may decide for the person.
    pub guardians: Vec<Entry<Guardian>>,
    /// Requests under data-protection law.
    pub requests: Vec<Entry<Request>>,
    /// Entries that the person disputes.
    pub disputes: Vec<Entry<Dispute>>,
}

/// A person in a programme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProgrammeMembership {
    /// The programme.
    pub programme: Programme,
    /// Since when.
    pub enrolled_on: PartialDate,
    /// The facility that cares for them.
    pub programme_facility: String,
    /// When they left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_on: Option<PartialDate>,
    /// Why they left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<CodeOrText>,
}

/// A day on which the person should come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Appointment {
    /// The sender's id; none for the next appointment that an encounter names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_id: Option<String>,
    /// The day.
    pub due_on: PartialDate,
    /// For which programme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programme: Option<Programme>,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment_facility: Option<String>,
    /// The encounter that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encounter_id: Option<String>,
    /// Whether the person did not come.
    pub missed: bool,
}

/// Someone who may, or might, decide for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Guardian {
    /// Who, why and when.
    #[serde(flatten)]
    pub appointed: GuardianAppointed,
    /// Since when no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Occurred>,
}

/// A request under data-protection law.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// What was asked.
    #[serde(flatten)]
    pub made: RequestMade,
    /// The latest decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<RequestDecision>,
    /// Its ground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<String>,
}

/// An entry that the person disputes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dispute {
    /// The entry.
    pub disputed_event_id: EventId,
    /// What is wrong with it.
    pub statement: String,
}

/// Directives about the use of the record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Consents {
    /// What was granted or denied, with its end.
    pub directives: Vec<Entry<Directive>>,
    /// Refusals and allowances of secondary use, in the order of time: the last of a scope holds.
    pub secondary_use: Vec<Entry<SecondaryUseChoice>>,
}

/// A directive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Directive {
    /// What was granted or denied.
    #[serde(flatten)]
    pub granted: ConsentGranted,
    /// From when it no longer holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_from: Option<Occurred>,
}

/// A refusal or allowance of secondary use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecondaryUseChoice {
    /// Whether the use is refused.
    pub refused: bool,
    /// Which use, from when.
    #[serde(flatten)]
    pub choice: SecondaryUse,
}

/// Folds the social section; household and occupation are the caller's to fill from demographics.
pub(crate) fn fold(events: &[Effective<'_>]) -> Social {
    let mut social = Social {
        family: entries(events, |event| match &*event.data {
            Data::FamilyLinked(linked) => Some((**linked).clone()),
            _ => None,
        }),
        programmes: entries(events, enrolment),
        appointments: entries(events, appointment),
        contacts: entries(events, |event| match &*event.data {
            Data::ContactAttempted(contact) => Some(ContactAttempted {
                labels: Vec::new(),
                ..(**contact).clone()
            }),
            _ => None,
        }),
        guardians: entries(events, |event| match &*event.data {
            Data::GuardianAppointed(appointed) => Some(Guardian {
                appointed: (**appointed).clone(),
                ended_at: None,
            }),
            _ => None,
        }),
        requests: entries(events, |event| match &*event.data {
            Data::RequestMade(made) => Some(Request {
                made: (**made).clone(),
                decision: None,
                ground: None,
            }),
            _ => None,
        }),
        disputes: entries(events, |event| match &*event.data {
            Data::DisputeRaised(dispute) => Some(Dispute {
                disputed_event_id: dispute.disputed_event_id,
                statement: dispute.statement.clone(),
            }),
            _ => None,
        }),
        ..Social::default()
    };
    let mut endings: Vec<(TimeKey, &Effective<'_>)> =
        events.iter().map(|event| (event.key(), event)).collect();
    endings.retain(|(_, event)| ends_something(&event.data));
    for event in by_time(endings) {
        social.end(event);
    }
    social
}

fn entries<T>(
    events: &[Effective<'_>],
    what: impl Fn(&Effective<'_>) -> Option<T>,
) -> Vec<Entry<T>> {
    let entry = |event: &Effective<'_>| {
        Some((
            event.key(),
            Entry {
                what: what(event)?,
                provenance: event.provenance(&[]),
            },
        ))
    };
    by_time(events.iter().filter_map(entry).collect())
}

fn enrolment(event: &Effective<'_>) -> Option<ProgrammeMembership> {
    let Data::ProgrammeEnrolled(enrolled) = &*event.data else {
        return None;
    };
    Some(ProgrammeMembership {
        programme: enrolled.programme,
        enrolled_on: enrolled.enrolled_on,
        programme_facility: enrolled.facility.clone(),
        left_on: None,
        reason: None,
    })
}

fn appointment(event: &Effective<'_>) -> Option<Appointment> {
    match &*event.data {
        Data::AppointmentMade(made) => Some(Appointment {
            appointment_id: Some(made.appointment_id.clone()),
            due_on: made.due_on,
            programme: made.programme,
            appointment_facility: Some(made.facility.clone()),
            encounter_id: None,
            missed: false,
        }),
        Data::EncounterRecorded(encounter) => encounter.next_appointment.map(|due| Appointment {
            appointment_id: None,
            due_on: due.date(),
            programme: None,
            appointment_facility: event.recorded.event.facility.clone(),
            encounter_id: Some(encounter.encounter_id.clone()),
            missed: false,
        }),
        _ => None,
    }
}

fn ends_something(data: &Data) -> bool {
    matches!(
        data,
        Data::ProgrammeLeft(_)
            | Data::AppointmentMissed(_)
            | Data::GuardianEnded(_)
            | Data::RequestDecided(_)
    )
}

impl Social {
    /// Applies an event that ends or decides what another began.
    fn end(&mut self, event: &Effective<'_>) {
        match &*event.data {
            Data::ProgrammeLeft(left) => {
                let open = self
                    .programmes
                    .iter_mut()
                    .map(|entry| &mut entry.what)
                    .filter(|it| {
                        it.programme == left.programme
                            && it.left_on.is_none()
                            && it.enrolled_on.earliest() <= left.left_on.latest()
                    });
                for membership in open {
                    membership.left_on = Some(left.left_on);
                    membership.reason = Some(left.reason.clone());
                }
            }
            Data::AppointmentMissed(missed) => {
                let id = Some(&missed.appointment_id);
                let named = self.appointments.iter_mut().map(|entry| &mut entry.what);
                named
                    .filter(|it| it.appointment_id.as_ref() == id)
                    .for_each(|it| it.missed = true);
            }
            Data::GuardianEnded(ended) => {
                let from = ended.from.unwrap_or(event.occurred_at);
                let same =
                    |it: &&mut Guardian| same_person(&it.appointed.guardian, &ended.guardian);
                let named = self
                    .guardians
                    .iter_mut()
                    .map(|entry| &mut entry.what)
                    .filter(same);
                named
                    .filter(|it| it.appointed.from.earliest() <= from.latest())
                    .for_each(|it| it.ended_at = it.ended_at.or(Some(from)));
            }
            Data::RequestDecided(decided) => {
                let named = self.requests.iter_mut().map(|entry| &mut entry.what);
                for request in named.filter(|it| it.made.request_id == decided.request_id) {
                    request.decision = Some(decided.decision);
                    request.ground.clone_from(&decided.ground);
                }
            }
            _ => {}
        }
    }
}

fn same_person(left: &PersonRef, right: &PersonRef) -> bool {
    match (left, right) {
        (PersonRef::Identifier(left), PersonRef::Identifier(right)) => {
            left.system == right.system && left.value == right.value
        }
        _ => left == right,
    }
}

/// Folds the directives of a person, which are not part of the record.
pub fn consents(person: PersonId, events: &[RecordedEvent]) -> Consents {
    let events = effective::effective(person, events);
    let mut consents = Consents {
        directives: entries(&events, |event| match &*event.data {
            Data::ConsentGranted(granted) => Some(Directive {
                granted: (**granted).clone(),
                withdrawn_from: None,
            }),
            _ => None,
        }),
        secondary_use: entries(&events, |event| match &*event.data {
            Data::SecondaryUseRefused(choice) => Some(SecondaryUseChoice {
                refused: true,
                choice: (**choice).clone(),
            }),
            Data::SecondaryUseAllowed(choice) => Some(SecondaryUseChoice {
                refused: false,
                choice: (**choice).clone(),
            }),
            _ => None,
        }),
    };
    for event in &events {
        if let Data::ConsentWithdrawn(withdrawn) = &*event.data {
            let directives = consents.directives.iter_mut().map(|entry| &mut entry.what);
            for directive in directives.filter(|it| it.granted.consent_id == withdrawn.consent_id) {
                let earlier = directive
                    .withdrawn_from
                    .is_none_or(|other| withdrawn.from.earliest_us() < other.earliest_us());
                if earlier {
                    directive.withdrawn_from = Some(withdrawn.from);
                }
            }
        }
    }
    consents
}
