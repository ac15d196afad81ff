//! What this server's FHIR side can do, as the CapabilityStatement that `/fhir/R4/metadata` answers.

use serde_json::{Value, json};

/// Resource types that `GET /fhir/R4/{type}/{id}` renders from events; any other type is answered only where it
/// was kept whole.
pub const RENDERED_TYPES: [&str; 11] = [
    "AllergyIntolerance",
    "Condition",
    "DocumentReference",
    "Encounter",
    "Immunization",
    "MedicationStatement",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
];

/// Builds the CapabilityStatement of a server at `base_url` (without a trailing slash), of `version`, valid since
/// `date` (`YYYY-MM-DD`).
pub fn capability_statement(base_url: &str, version: &str, date: &str) -> Value {
    let mut resources: Vec<Value> = RENDERED_TYPES
        .iter()
        .map(|name| {
            json!({
                "type": name,
                "interaction": [{"code": "read"}],
                "versioning": "no-version",
                "conditionalCreate": false,
                "referencePolicy": ["literal", "logical", "local"],
            })
        })
        .collect();
    resources.push(json!({
        "type": "AuditEvent",
        "interaction": [{"code": "search-type"}],
        "searchParam": [{"name": "patient", "type": "reference"}],
    }));
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "Sokhoe", "version": version},
        "implementation": {"description": "Sổ Khỏe, the health book", "url": base_url},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "security": {"description": "Bearer tokens; every read leaves an access event."},
            "resource": resources,
            "interaction": [{"code": "transaction"}, {"code": "batch"}],
        }],
    })
}
