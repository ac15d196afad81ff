//! A look as a FHIR R4 AuditEvent, after IHE Basic Audit Log Patterns (BALP): PatientRead, and PatientQuery for searches.
//!
//! Source: IHE ITI BALP 1.1, <https://profiles.ihe.net/ITI/BALP/>. What a look showed is not in it.

use serde_json::{Value, json};
use sokhoe_record::{Data, DecidedBy, Event, Instant, Interface, PersonId, Purpose, Viewer};

const PROFILE: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.";
const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";

/// What an AuditEvent says of a look.
struct Look<'a> {
    viewer: &'a Viewer,
    through: Option<Interface>,
    request: &'a str,
    decided: Option<&'a DecidedBy>,
    /// FHIR's word for what came of it: 0 success, 4 minor failure.
    outcome: &'static str,
    text: &'static str,
}

/// Renders an event of an access stream; `None` for any other.
#[must_use]
pub fn audit_event(event: &Event, person: PersonId, recorded_at: Instant) -> Option<Value> {
    let look = look(event)?;
    let searched = look.through == Some(Interface::Search);
    let (profile, subtype, action) = if searched {
        ("PatientQuery", "search-type", "E")
    } else {
        ("PatientRead", "read", "R")
    };
    let role =
        json!({"coding": [{"system": "https://sokhoe.vn/fhir/role", "code": look.viewer.role}]});
    let mut user = json!({
        "type": coded("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP"),
        "who": {"identifier": {"system": "https://sokhoe.vn/fhir/account", "value": look.viewer.id}},
        "role": [role],
        "requestor": true,
    });
    if let Some(facility) = &event.facility {
        user["location"] =
            json!({"identifier": {"system": "https://sokhoe.vn/fhir/facility", "value": facility}});
    }
    let mut rendered = json!({
        "resourceType": "AuditEvent",
        "id": event.event_id,
        "meta": {"profile": [format!("{PROFILE}{profile}")]},
        "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"},
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": subtype}],
        "action": action,
        "recorded": recorded_at,
        "outcome": look.outcome,
        "outcomeDesc": outcome_text(&look),
        "agent": [
            {"type": coded(DICOM, "110153"), "who": {"display": "sokhoe"}, "requestor": false},
            {"type": coded(DICOM, "110152"), "who": {"display": "client"}, "requestor": false},
            user,
        ],
        "source": {"observer": {"display": "sokhoe"}},
        "entity": [
            {
                "what": {"reference": format!("Patient/{person}")},
                "type": {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "1"},
                "role": {"system": "http://terminology.hl7.org/CodeSystem/object-role", "code": "1"},
            },
            {
                "what": {"identifier": {"value": look.request}},
                "type": {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId"},
            },
        ],
    });
    if let Some(purpose) = look.viewer.purpose {
        let reason = coded(
            "http://terminology.hl7.org/CodeSystem/v3-ActReason",
            word(purpose),
        );
        rendered["purposeOfEvent"] = json!([reason]);
    }
    Some(rendered)
}

fn look(event: &Event) -> Option<Look<'_>> {
    Some(match &event.data {
        Data::RecordAccessed(look) => Look {
            viewer: &look.viewer,
            through: Some(look.through),
            request: &look.request,
            decided: Some(&look.decided),
            outcome: "0",
            text: "shown",
        },
        Data::AccessRefused(refused) => Look {
            viewer: &refused.viewer,
            through: Some(refused.through),
            request: &refused.request,
            decided: Some(&refused.decided),
            outcome: "4",
            text: "refused",
        },
        Data::GlassBroken(broken) => Look {
            viewer: &broken.viewer,
            through: None,
            request: &broken.request,
            decided: None,
            outcome: "0",
            text: "glass broken",
        },
        _ => return None,
    })
}

fn outcome_text(look: &Look<'_>) -> String {
    let rules = look.decided.map(|decided| decided.rules.join(", "));
    match rules.filter(|rules| !rules.is_empty()) {
        Some(rules) => format!("{} ({rules})", look.text),
        None => look.text.to_owned(),
    }
}

fn coded(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

fn word(purpose: Purpose) -> &'static str {
    purpose.as_str()
}

#[cfg(test)]
mod tests {
    use sokhoe_record::{EventId, Occurred, RecordAccessed};

    use super::*;

    #[test]
    fn a_look_is_a_patient_read_without_what_was_seen() {
        let person = PersonId::from_bytes([1; 16]);
        let at = Instant::from_micros(1_764_200_000_000_000);
        let data = RecordAccessed {
            viewer: Viewer {
                id: "dr-lan".to_owned(),
                role: "clinician".to_owned(),
                purpose: Some(Purpose::Treatment),
            },
            through: Interface::Record,
            request: "r-1".to_owned(),
            sections: vec![sokhoe_record::Section::Problems],
            ..RecordAccessed::default()
        };
        let mut event = Event {
            event_id: EventId::from_bytes([2; 16]),
            person: Some(person.into()),
            occurred_at: Occurred::At(at),
            facility: Some("99001".to_owned()),
            author: None,
            source: None,
            data: data.into(),
        };
        let rendered = audit_event(&event, person, at).unwrap();
        let profile = rendered["meta"]["profile"][0].as_str().unwrap();
        assert!(profile.ends_with("IHE.BasicAudit.PatientRead"));
        assert_eq!(rendered["action"], "R");
        assert_eq!(rendered["purposeOfEvent"][0]["coding"][0]["code"], "TREAT");
        assert_eq!(
            rendered["entity"][0]["what"]["reference"],
            format!("Patient/{person}")
        );
        assert_eq!(rendered["entity"][1]["what"]["identifier"]["value"], "r-1");
        assert_eq!(rendered["agent"].as_array().unwrap().len(), 3);
        assert!(
            !rendered.to_string().contains("problems"),
            "looks, never contents"
        );
        event.data = sokhoe_record::AccessRefused::default().into();
        assert_eq!(audit_event(&event, person, at).unwrap()["outcome"], "4");
        event.data = sokhoe_record::ConsentWithdrawn::default().into();
        assert_eq!(audit_event(&event, person, at), None);
    }
}
