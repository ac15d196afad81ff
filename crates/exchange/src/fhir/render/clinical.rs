//! What was found, given and done, as clinical resources.

use serde_json::{Map, Value as Json, json};
use sokhoe_record::{
    AllergyKind, AllergyRecorded, AllergyStatus, Certainty, ClinicalStatus, Component,
    ConditionRecorded, Data, DocumentAttached, EncounterClass, EncounterRecorded, Event,
    MedicationRecorded, MedicationStatus, ObservationRecorded, PersonRef, ProcedureRecorded,
    VaccinationRecorded, VaccinationStatus, Value, YesNo,
};

use super::{Resource, concept, concept_of, date_time, listed, measure, quantity};

/// Renders a clinical event; `None` for kinds that have no equivalent.
pub(crate) fn render(data: &Data, event: &Event) -> Option<Map<String, Json>> {
    let resource = match data {
        Data::EncounterRecorded(data) => encounter(data),
        Data::ConditionRecorded(data) => condition(data, event),
        Data::ObservationRecorded(data) => observation(data, event),
        Data::ProcedureRecorded(data) => procedure(data),
        Data::MedicationRecorded(data) => medication(data, event),
        Data::VaccinationRecorded(data) => {
            return Some(
                vaccination(data, event)
                    .set("patient", subject(event))
                    .finish(),
            );
        }
        Data::AllergyRecorded(data) => {
            return Some(allergy(data, event).set("patient", subject(event)).finish());
        }
        Data::DocumentAttached(data) => document(data, event),
        _ => return None,
    };
    Some(resource.set("subject", subject(event)).finish())
}

fn subject(event: &Event) -> Option<Json> {
    match event.person.as_ref()? {
        PersonRef::Id(id) => Some(json!({"reference": format!("Patient/{id}")})),
        PersonRef::Identifier(_) | PersonRef::Unresolved(_) => None,
    }
}

/// Encounters are named by the sender's id, which is not that of the event.
fn encounter_reference(encounter_id: &Option<String>) -> Option<Json> {
    let id = encounter_id.as_ref()?;
    Some(json!({"identifier": {"system": "urn:sokhoe:encounter", "value": id}}))
}

fn encounter(data: &EncounterRecorded) -> Resource {
    let class = match data.class {
        EncounterClass::Inpatient => "IMP",
        EncounterClass::Emergency => "EMER",
        EncounterClass::Tele => "VR",
        EncounterClass::Home => "HH",
        EncounterClass::Outpatient
        | EncounterClass::HealthCheck
        | EncounterClass::ElderlyCheck
        | EncounterClass::SchoolCheck
        | EncounterClass::OccupationalCheck => "AMB",
    };
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let mut period = json!({"start": date_time(data.started_at)});
    if let (Some(ended), Some(members)) = (data.ended_at, period.as_object_mut()) {
        members.insert("end".to_owned(), date_time(ended));
    }
    let disposition = concept_of(&data.disposition);
    Resource::new("Encounter")
        .set(
            "identifier",
            json!([{"system": "urn:sokhoe:encounter", "value": data.encounter_id}]),
        )
        .set(
            "status",
            json!(if data.ended_at.is_some() {
                "finished"
            } else {
                "unknown"
            }),
        )
        .set("class", json!({"system": system, "code": class}))
        .set("period", period)
        .set(
            "serviceType",
            data.department.as_ref().map(|text| json!({"text": text})),
        )
        .set(
            "reasonCode",
            concept_of(&data.reason).map(|reason| json!([reason])),
        )
        .set(
            "hospitalization",
            disposition.map(|to| json!({"dischargeDisposition": to})),
        )
}

fn condition(data: &ConditionRecorded, event: &Event) -> Resource {
    let status = match data.clinical_status {
        ClinicalStatus::Active => "active",
        ClinicalStatus::Recurrence => "recurrence",
        ClinicalStatus::Remission => "remission",
    };
    let certainty = match data.certainty {
        Certainty::Confirmed => "confirmed",
        Certainty::Provisional => "provisional",
    };
    Resource::new("Condition")
        .set("clinicalStatus", listed("condition-clinical", status))
        .set(
            "verificationStatus",
            listed("condition-ver-status", certainty),
        )
        .set("severity", concept_of(&data.severity))
        .set("code", concept(&data.code))
        .set("encounter", encounter_reference(&data.encounter_id))
        .set("onsetDateTime", data.onset.map(|onset| json!(onset)))
        .set("recordedDate", date_time(event.occurred_at))
}

fn observation(data: &ObservationRecorded, event: &Event) -> Resource {
    let resource = Resource::new("Observation")
        .set("status", json!("final"))
        .set("code", concept(&data.code))
        .set("encounter", encounter_reference(&data.encounter_id))
        .set("effectiveDateTime", date_time(event.occurred_at))
        .set(
            "interpretation",
            concept_of(&data.interpretation).map(|one| json!([one])),
        )
        .set("method", concept_of(&data.method));
    let range = data.reference_range.as_ref().map(|range| {
        let members = Resource(Map::new())
            .set("low", range.low.as_ref().map(measure))
            .set("high", range.high.as_ref().map(measure))
            .set("text", range.text.as_ref().map(|text| json!(text)));
        json!([members.finish()])
    });
    let components: Vec<Json> = data.components.iter().map(component).collect();
    let resource = resource.set("referenceRange", range).set(
        "component",
        (!components.is_empty()).then_some(Json::Array(components)),
    );
    match &data.value {
        Some(value) => with_value(resource, value),
        None => resource,
    }
}

fn component(component: &Component) -> Json {
    let members = Resource(Map::new()).set("code", concept(&component.code));
    Json::Object(with_value(members, &component.value).finish())
}

fn with_value(resource: Resource, value: &Value) -> Resource {
    match value {
        Value::Quantity(value) => resource.set("valueQuantity", quantity(value)),
        Value::Code(code) => resource.set("valueCodeableConcept", concept(code)),
        Value::Text(text) => resource.set("valueString", json!(text)),
        Value::Boolean(truth) => resource.set("valueBoolean", json!(truth)),
        Value::Absent(reason) => resource.set("dataAbsentReason", json!({"text": reason})),
    }
}

fn procedure(data: &ProcedureRecorded) -> Resource {
    Resource::new("Procedure")
        .set("status", json!("completed"))
        .set("code", named(data.code.as_ref().map(concept), &data.text))
        .set("encounter", encounter_reference(&data.encounter_id))
        .set("performedDateTime", json!(data.performed_on))
        .set(
            "bodySite",
            concept_of(&data.body_site).map(|site| json!([site])),
        )
        .set("outcome", concept_of(&data.outcome))
}

/// Puts the words beside the code, or in its place.
fn named(code: Option<Json>, text: &Option<String>) -> Option<Json> {
    match (code, text) {
        (Some(mut code), Some(text)) => {
            if let Some(members) = code.as_object_mut() {
                members.insert("text".to_owned(), json!(text));
            }
            Some(code)
        }
        (None, Some(text)) => Some(json!({"text": text})),
        (code, None) => code,
    }
}

fn medication(data: &MedicationRecorded, event: &Event) -> Resource {
    let status = match data.status {
        MedicationStatus::Stopped => "stopped",
        MedicationStatus::Administered => "completed",
        _ => "active",
    };
    let dose = data.dose.as_ref().map(|dose| {
        let rate = dose
            .quantity
            .as_ref()
            .map(|value| json!([{"doseQuantity": quantity(value)}]));
        let members = Resource(Map::new())
            .set("text", json!(dose.text))
            .set("route", concept_of(&data.route))
            .set("doseAndRate", rate);
        json!([members.finish()])
    });
    let period = Resource(Map::new())
        .set("start", data.started_on.map(|day| json!(day)))
        .set("end", data.ended_on.map(|day| json!(day)))
        .finish();
    Resource::new("MedicationStatement")
        .set("status", json!(status))
        .set("category", json!({"text": data.status.as_str()}))
        .set(
            "medicationCodeableConcept",
            named(data.code.as_ref().map(concept), &data.text),
        )
        .set("context", encounter_reference(&data.encounter_id))
        .set(
            "effectivePeriod",
            (!period.is_empty()).then_some(Json::Object(period)),
        )
        .set("dateAsserted", date_time(event.occurred_at))
        .set("dosage", dose)
}

fn vaccination(data: &VaccinationRecorded, event: &Event) -> Resource {
    let (status, reason) = match data.status {
        VaccinationStatus::Given => ("completed", None),
        VaccinationStatus::Refused => ("not-done", Some("PATOBJ")),
        VaccinationStatus::Contraindicated => ("not-done", Some("MEDPREC")),
    };
    let dose = data
        .dose_number
        .map(|number| json!([{"doseNumberPositiveInt": number}]));
    Resource::new("Immunization")
        .set("status", json!(status))
        .set(
            "statusReason",
            reason.map(|reason| listed("v3-ActReason", reason)),
        )
        .set("vaccineCode", concept(&data.vaccine))
        .set("occurrenceDateTime", date_time(event.occurred_at))
        .set("primarySource", json!(data.primary_source == YesNo::Yes))
        .set("lotNumber", data.lot.as_ref().map(|lot| json!(lot)))
        .set(
            "manufacturer",
            data.manufacturer
                .as_ref()
                .map(|name| json!({"display": name})),
        )
        .set("site", concept_of(&data.site))
        .set("route", concept_of(&data.route))
        .set("protocolApplied", dose)
}

fn allergy(data: &AllergyRecorded, event: &Event) -> Resource {
    let refuted = data.status == Some(AllergyStatus::Refuted);
    let verification = if refuted { "refuted" } else { "confirmed" };
    let clinical = match data.status {
        Some(AllergyStatus::Resolved) => Some("resolved"),
        Some(AllergyStatus::Refuted) => None,
        Some(AllergyStatus::Active) | None => Some("active"),
    };
    let category = match data.kind {
        Some(AllergyKind::Drug) => Some("medication"),
        Some(AllergyKind::Food) => Some("food"),
        Some(AllergyKind::Environment | AllergyKind::Chemical) => Some("environment"),
        Some(AllergyKind::Other) | None => None,
    };
    let none_known = json!({
        "coding": [{"system": "http://snomed.info/sct", "code": "716186003"}],
        "text": "No known allergy",
    });
    let code =
        concept_of(&data.substance).or((data.none_known == Some(true)).then_some(none_known));
    let severity = data.severity.as_ref().map(|severity| severity.shown());
    let severity = severity.filter(|severity| ["mild", "moderate", "severe"].contains(severity));
    let reaction = concept_of(&data.reaction).map(|manifestation| {
        let members = Resource(Map::new())
            .set("manifestation", json!([manifestation]))
            .set("severity", severity.map(|severity| json!(severity)));
        json!([members.finish()])
    });
    let criticality = data
        .criticality
        .as_ref()
        .map(|criticality| criticality.shown());
    let criticality = criticality.filter(|word| ["low", "high", "unable-to-assess"].contains(word));
    Resource::new("AllergyIntolerance")
        .set(
            "clinicalStatus",
            clinical.map(|code| listed("allergyintolerance-clinical", code)),
        )
        .set(
            "verificationStatus",
            listed("allergyintolerance-verification", verification),
        )
        .set("category", category.map(|category| json!([category])))
        .set("criticality", criticality.map(|word| json!(word)))
        .set("code", code)
        .set("recordedDate", date_time(event.occurred_at))
        .set("reaction", reaction)
}

fn document(data: &DocumentAttached, event: &Event) -> Resource {
    let attachment = Resource(Map::new())
        .set("contentType", json!(data.media_type))
        .set("title", json!(data.title))
        .set("data", data.content.as_ref().map(|content| json!(content)));
    Resource::new("DocumentReference")
        .set("status", json!("current"))
        .set("type", json!({"text": data.title}))
        .set("date", date_time(event.occurred_at))
        .set("content", json!([{"attachment": attachment.finish()}]))
}
