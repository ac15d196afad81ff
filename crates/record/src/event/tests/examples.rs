//! One full example of every kind that may be sent, and some sparse ones.

/// A birth.
pub(crate) const BIRTH: &str = r#"{"mother": {"identifier": {"system": "cccd", "value": "099085012345"}},
    "delivery": "vaginal", "weight": 3200, "length": {"value": 50, "unit": "cm"}, "gestation_weeks": 39,
    "asphyxia": "no", "defects": ["cleft lip"]}"#;

const ID: &str = r#"{"identifier": {"system": "mrn/99001", "value": "1"}, "status": "active"}"#;

/// Kind and data.
pub(crate) const EXAMPLES: &[(&str, &str)] = &[
    (
        "person_registered",
        r#"{"identifiers": [{"system": "cccd", "value": "099085012345",
        "issued_on": "2021", "issued_by": "x", "status": "active"}], "name": {"full": "Nguyễn Văn A",
        "family": "Nguyễn", "given": "A"}, "sex": "male", "birth_date": "1985-03-07",
        "birth_place": {"text": "Huế"}, "ethnic_group": {"system": "ethnic-vn", "code": "01"},
        "nationality": "VN", "religion": "none", "occupation": "farmer",
        "blood_group": {"abo": "AB", "rh": "positive"},
        "current_address": {"commune": "26734", "list_date": "2025-07-01", "text": "1 A", "hamlet": "B"},
        "permanent_address": {"text": "1 A"}, "phones": ["0900"], "email": "a@b.c",
        "household": {"code": "H1", "relation": "head"}, "mother": {"name": "B"}, "father": "C",
        "carer": {"id": "0192f0c1-7a3b-7c11-9e2f-0242ac120003"},
        "insurance": {"card": "DN1", "valid_from": "2026-01-01", "valid_to": "2026-12-31",
        "facility": "99001"}, "extra": {"anything": [1, {"x": 1.50}]}}"#,
    ),
    (
        "person_registered",
        r#"{"name": {"full": "B"}, "sex": "unknown", "birth_date": "1985"}"#,
    ),
    (
        "demographics_changed",
        r#"{"occupation": null, "religion": "x", "phones": [], "sex": "female",
        "effective_on": "2026"}"#,
    ),
    ("identifier_linked", ID),
    (
        "people_merged",
        r#"{"retired": {"id": "0192f0c1-7a3b-7c11-9e2f-0242ac120003"}, "grounds": "x"}"#,
    ),
    (
        "people_unmerged",
        r#"{"merge_event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120003", "grounds": "x"}"#,
    ),
    (
        "person_died",
        r#"{"died_on": "2026-10", "cause": {"system": "icd10", "code": "I21",
        "version": "qd4469"}, "place": "home", "labels": ["hiv"]}"#,
    ),
    (
        "family_linked",
        r#"{"relative": {"name": "B"}, "relation": "mother", "ended_on": "2020"}"#,
    ),
    (
        "encounter_recorded",
        r#"{"encounter_id": "LK-1", "class": "outpatient", "department": "K01",
        "started_at": "2026-11-01T08:00:00+07:00", "ended_at": "2026-11-01T09:00:00+07:00",
        "reason": "headache", "diagnoses": [{"code": {"system": "icd10", "code": "I10"}, "role": "main",
        "text": "x"}], "observations": [{"code": {"system": "loinc", "code": "85354-9"}, "components":
        [{"code": {"system": "loinc", "code": "8480-6"}, "value": {"quantity": {"value": 148,
        "unit": "mm[Hg]"}}}]}], "medications": [{"text": "amlodipin", "status": "prescribed"}],
        "procedures": [{"text": "ECG", "performed_on": "2026-11-01"}], "outcome": "better",
        "disposition": "home", "referred_from": "1", "referred_to": "2", "next_appointment": "2026-12-01",
        "summary": "x", "labels": ["mental_health"]}"#,
    ),
    (
        "observation_recorded",
        r#"{"code": {"system": "loinc", "code": "4548-4", "display": "HbA1c"},
        "value": {"quantity": {"value": 6.50, "unit": "%", "comparator": "<"}}, "interpretation": "high",
        "reference_range": {"low": 4, "high": {"value": 5.6, "unit": "%"}, "text": "usual"},
        "method": "HPLC", "specimen": "blood", "encounter_id": "LK-1"}"#,
    ),
    (
        "observation_recorded",
        r#"{"code": {"system": "local/99001", "code": "x"}, "value": {"boolean": true}}"#,
    ),
    (
        "observation_recorded",
        r#"{"code": {"system": "urn:x", "code": "x"}, "value": {"absent": "refused"}}"#,
    ),
    (
        "condition_recorded",
        r#"{"code": {"system": "icd10", "code": "E11"}, "clinical_status": "active",
        "certainty": "confirmed", "onset": "2019", "severity": "mild", "encounter_id": "LK-1"}"#,
    ),
    (
        "condition_resolved",
        r#"{"code": {"system": "icd10", "code": "J06"}, "resolved_on": "2026-10",
        "condition_event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120003"}"#,
    ),
    (
        "allergy_recorded",
        r#"{"substance": {"system": "atc", "code": "J01CA04"}, "kind": "drug",
        "reaction": "rash", "severity": "mild", "criticality": "low", "status": "active"}"#,
    ),
    ("allergy_recorded", r#"{"none_known": true}"#),
    (
        "medication_recorded",
        r#"{"code": {"system": "atc", "code": "A10BA02"}, "text": "metformin",
        "status": "dispensed", "dose": {"text": "1 x 2", "quantity": {"value": 500, "unit": "mg"},
        "per_day": 2}, "route": "oral", "started_on": "2026-11-01", "ended_on": "2026-11-30", "days": 30,
        "amount": 60}"#,
    ),
    (
        "procedure_recorded",
        r#"{"code": {"system": "service-vn", "code": "1"}, "performed_on": "2026",
        "body_site": "arm", "outcome": "good"}"#,
    ),
    (
        "vaccination_recorded",
        r#"{"vaccine": {"system": "vaccine-vn", "code": "BCG"}, "dose_number": 1,
        "status": "given", "lot": "L", "manufacturer": "M", "site": "arm", "route": "id",
        "reaction": "none", "primary_source": "yes", "next_due": "2027"}"#,
    ),
    (
        "pregnancy_recorded",
        r#"{"status": "ongoing", "due_on": "2027-03", "outcome": "x", "gravida": 2,
        "para": 1, "visits": [{"on": "2026-11-01", "weeks": 20, "observations": [{"code": {"system":
        "loinc", "code": "1"}, "value": {"text": "x"}}]}]}"#,
    ),
    ("birth_recorded", BIRTH),
    (
        "document_attached",
        r#"{"title": "X-ray", "media_type": "text/plain", "content": "aGk=", "about": "x"}"#,
    ),
    (
        "document_attached",
        r#"{"title": "X-ray", "media_type": "text/plain", "digest":
        "0000000000000000000000000000000000000000000000000000000000000000"}"#,
    ),
    (
        "self_report_submitted",
        r#"{"observations": [{"code": {"system": "loinc", "code": "1"}, "value":
        {"text": "x"}}], "symptoms": ["cough"], "note": "x", "on_behalf_by": {"name": "B"}}"#,
    ),
    (
        "risk_factors_reported",
        r#"{"tobacco": "no", "water_pipe": {"answer": "unknown"}, "alcohol":
        {"answer": "yes", "per_day": 1.5, "since": "2000"}, "drugs": {"answer": "not_asked"},
        "physical_activity": {"answer": "yes", "minutes_per_week": 150}, "salt": "yes",
        "exposures": ["dust"], "toilet": "flush"}"#,
    ),
    (
        "family_history_reported",
        r#"{"entries": [{"condition": {"system": "icd10", "code": "E11"},
        "relation": "mother", "answer": "yes", "age_at_onset": 50}]}"#,
    ),
    (
        "dispute_raised",
        r#"{"disputed_event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120003", "statement": "no"}"#,
    ),
    (
        "programme_enrolled",
        r#"{"programme": "hypertension", "enrolled_on": "2026-11-01", "facility": "1"}"#,
    ),
    (
        "programme_left",
        r#"{"programme": "hypertension", "left_on": "2026-11-01", "reason": "moved"}"#,
    ),
    (
        "appointment_made",
        r#"{"appointment_id": "1", "due_on": "2026-12-01", "programme": "diabetes",
        "facility": "99001"}"#,
    ),
    ("appointment_missed", r#"{"appointment_id": "1"}"#),
    (
        "contact_attempted",
        r#"{"appointment_id": "1", "channel": "phone", "result": "reached"}"#,
    ),
    (
        "risk_assessed",
        r#"{"instrument": "findrisc", "version": "1", "inputs": {"age": 50}, "score": 12,
        "band": "moderate"}"#,
    ),
    (
        "correction_made",
        r#"{"corrects": "0192f0c1-7a3b-7c11-9e2f-0242ac120003", "action": "void",
        "reason": "wrong person"}"#,
    ),
    (
        "correction_made",
        r#"{"corrects": "0192f0c1-7a3b-7c11-9e2f-0242ac120003", "action": "replace",
        "replacement": {"data": {"code": {"system": "loinc", "code": "1"}, "value": {"text": "x"}},
        "occurred_at": "2026-11"}, "reason": "typo",
        "dispute_event_id": "0192f0c1-7a3b-7c11-9e2f-0242ac120004"}"#,
    ),
    (
        "consent_granted",
        r#"{"consent_id": "c", "purpose": "TREAT", "to": {"anyone_treating": true},
        "sections": ["problems"], "labels": ["hiv"], "effect": "deny", "from": "2026-11-01",
        "until": "2027-11-01", "evidence": "paper"}"#,
    ),
    (
        "consent_withdrawn",
        r#"{"consent_id": "c", "from": "2026-11-01T08:00:00Z"}"#,
    ),
    (
        "secondary_use_refused",
        r#"{"scope": "research", "from": "2026"}"#,
    ),
    (
        "secondary_use_allowed",
        r#"{"scope": "all", "from": "2026"}"#,
    ),
    (
        "guardian_appointed",
        r#"{"guardian": {"name": "B"}, "ground": "parent", "from": "2026",
        "until": "2030"}"#,
    ),
    (
        "guardian_ended",
        r#"{"guardian": {"name": "B"}, "from": "2028"}"#,
    ),
    (
        "facility_registered",
        r#"{"facility": "99001", "name": "X", "level": "district", "commune": "26734",
        "parent": "99000", "valid_from": "2020", "valid_to": "2030"}"#,
    ),
    (
        "practitioner_registered",
        r#"{"id": "1", "name": "A", "facility": "99001", "role": "doctor",
        "licence": "L"}"#,
    ),
    (
        "resource_kept",
        r#"{"format": "fhir-r4", "type": "Claim", "content": "{\"resourceType\":\"Claim\"}"}"#,
    ),
    (
        "request_made",
        r#"{"request_id": "r", "right": "erase", "statement": "please"}"#,
    ),
    (
        "request_decided",
        r#"{"request_id": "r", "decision": "granted", "ground": "law"}"#,
    ),
];
