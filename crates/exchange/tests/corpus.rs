//! Real exports: every resource read becomes an item, and only what cannot be placed is refused. Needs the shared
//! data (`SOKHOE_DATA`); without it the tests say so and pass.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use sokhoe_exchange::fhir::{Context, Item, Outcome, read_document, translate};
use sokhoe_exchange::source::{Cut, Documents, Found, Limits, open};
use sokhoe_record::Instant;

fn data(folder: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SOKHOE_DATA").map(|root| PathBuf::from(root).join("health"));
    let found = root
        .map(|root| root.join(folder))
        .filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: SOKHOE_DATA does not hold health/{folder}");
    }
    found
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&[7; 32]);
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap().to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

fn documents(folder: PathBuf) -> Documents {
    open(&[folder], Cut::ByContent, Limits::default()).unwrap()
}

/// Translates every document of a folder.
fn items(folder: PathBuf) -> Vec<Item> {
    let ctx = Context::new(
        "fhir",
        None,
        Instant::from_micros(1_790_000_000_000_000),
        &hash,
    )
    .unwrap();
    let mut items = Vec::new();
    for found in documents(folder) {
        match found {
            Found::Document { bytes, .. } => {
                items.extend(translate(&read_document(&bytes).unwrap(), &ctx));
            }
            Found::Skipped(_) => {}
            Found::Unreadable { place, detail, .. } => panic!("{place}: {detail}"),
        }
    }
    items
}

/// Counts items by type, outcome and reason.
fn counts(items: &[Item]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for item in items {
        let outcome = match &item.outcome {
            Outcome::Events(events) => {
                let kinds: Vec<&str> = events
                    .iter()
                    .map(|incoming| incoming.event.kind().as_str())
                    .collect();
                kinds.join("+")
            }
            Outcome::Kept { because: None, .. } => "kept".to_owned(),
            Outcome::Kept {
                because: Some(because),
                ..
            } => format!("kept: {because}"),
            Outcome::Refused(refused) => format!("refused: {} {}", refused.code, refused.detail),
        };
        *counts
            .entry(format!("{} {outcome}", item.place.resource_type))
            .or_default() += 1;
    }
    counts
}

fn check(folder: &str, expected: &[(&str, usize)]) {
    let Some(folder) = data(folder) else { return };
    let counts = counts(&items(folder));
    let found: Vec<(&str, usize)> = counts
        .iter()
        .map(|(what, count)| (&**what, *count))
        .collect();
    assert_eq!(found, expected, "{counts:#?}");
}

#[test]
fn every_synthea_resource_becomes_an_item_and_none_is_refused() {
    check(
        "synthea",
        &[
            ("AllergyIntolerance allergy_recorded", 51),
            ("CarePlan document_attached", 255),
            ("CareTeam kept", 255),
            ("Claim kept", 4730),
            ("Condition condition_recorded", 285),
            ("Condition condition_recorded+condition_resolved", 518),
            ("Device kept", 19),
            ("DiagnosticReport document_attached", 4181),
            ("DocumentReference document_attached", 2276),
            ("Encounter encounter_recorded", 2276),
            ("ExplanationOfBenefit kept", 2276),
            ("ImagingStudy kept", 12),
            ("Immunization vaccination_recorded", 812),
            ("Location facility_registered", 194),
            ("Medication kept", 62),
            ("MedicationAdministration medication_recorded", 62),
            ("MedicationRequest medication_recorded", 2454),
            ("Observation observation_recorded", 22039),
            ("Organization facility_registered", 194),
            ("Patient person_registered", 50),
            ("Patient person_registered+person_died", 10),
            ("Practitioner practitioner_registered", 195),
            ("PractitionerRole kept", 195),
            ("Procedure procedure_recorded", 1476),
            ("Provenance kept", 60),
            ("SupplyDelivery kept", 1321),
        ],
    );
}

#[test]
fn bulk_exports_are_read_line_by_line() {
    check(
        "synthea-ndjson",
        &[
            ("AllergyIntolerance allergy_recorded", 75),
            ("Device kept", 208),
            ("Immunization vaccination_recorded", 1818),
            ("Patient person_registered", 100),
            ("Patient person_registered+person_died", 20),
        ],
    );
}

#[test]
fn the_official_examples_become_items() {
    check(
        "fhir-r4-examples",
        &[
            (
                " refused: not_supported the entry holds no resource; requests to read or delete are not followed",
                4,
            ),
            ("AllergyIntolerance allergy_recorded", 1),
            ("AuditEvent kept", 4),
            ("Condition condition_recorded", 3),
            ("Consent kept", 8),
            ("DiagnosticReport document_attached", 2),
            ("Encounter kept: the encounter has no start", 2),
            ("Flag kept", 1),
            ("Group kept", 1),
            ("Immunization vaccination_recorded", 3),
            ("ImmunizationEvaluation kept", 1),
            ("ImmunizationRecommendation kept", 1),
            ("Linkage kept", 1),
            ("Medication kept", 1),
            ("MedicationRequest kept: no medicine", 1),
            ("MedicationStatement medication_recorded", 1),
            ("Observation kept: no clinical date", 4),
            (
                "Observation kept: no value, or one in a form that is not read",
                1,
            ),
            ("Observation kept: the observation was cancelled", 1),
            ("Observation observation_recorded", 5),
            ("OperationOutcome kept", 4),
            ("Parameters kept", 1),
            ("Patient person_registered", 7),
            (
                "Patient refused: invalid the person cannot be registered: no birth date",
                1,
            ),
            ("Person kept", 1),
            ("Provenance kept", 2),
            ("QuestionnaireResponse kept", 1),
            ("RelatedPerson kept", 1),
            ("ServiceRequest kept", 1),
        ],
    );
}

#[test]
fn international_patient_summaries_become_items() {
    check(
        "ips",
        &[
            ("AllergyIntolerance allergy_recorded", 5),
            (
                "AllergyIntolerance kept: it says that no allergy of one kind is known, or that none was asked",
                1,
            ),
            ("CarePlan document_attached", 1),
            ("Composition kept", 7),
            ("Condition condition_recorded", 7),
            ("Condition condition_recorded+condition_resolved", 5),
            (
                "Condition kept: it says that there is no problem, or none known",
                1,
            ),
            ("Consent kept", 1),
            ("Device kept", 2),
            ("DeviceUseStatement kept", 1),
            ("DocumentReference document_attached", 1),
            ("Flag kept", 2),
            ("Immunization vaccination_recorded", 15),
            ("Medication kept", 9),
            ("MedicationStatement medication_recorded", 14),
            (
                "Observation kept: no value, or one in a form that is not read",
                16,
            ),
            ("Observation observation_recorded", 80),
            ("Organization facility_registered", 88),
            ("Patient person_registered", 6),
            (
                "Patient refused: invalid the person cannot be registered: no birth date",
                1,
            ),
            ("Practitioner practitioner_registered", 5),
            ("PractitionerRole kept", 4),
            ("Procedure procedure_recorded", 1),
            ("RelatedPerson kept", 1),
        ],
    );
}
