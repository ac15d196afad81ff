//! Golden bytes: what was written once is written the same today, and read as the same event.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sokhoe_codec::{LATEST, SchemaVersion, Stored, decode, encode, glimpse};
use sokhoe_record::{Kind, event_schemas};

use crate::sample::{golden_path, sample_path, stored};

/// Fields that exclude another one which the sample of their kind has.
const EXCLUDED: [&str; 6] = [
    "allergy_recorded none_known",
    "consent_granted anyone_treating",
    "consent_granted professional",
    "consent_granted role",
    "document_attached digest",
    "resource_kept content",
];

/// What the server alone writes, in access streams.
const OF_LOOKS: [Kind; 4] = [
    Kind::RecordAccessed,
    Kind::AccessRefused,
    Kind::GlassBroken,
    Kind::AccessReviewed,
];

/// Every kind that is stored, in every version that it ever had.
fn versions() -> impl Iterator<Item = (Kind, SchemaVersion)> {
    LATEST
        .iter()
        .flat_map(|&(kind, _, latest)| (1..=latest).map(move |version| (kind, version)))
}

fn golden(kind: Kind, version: SchemaVersion) -> Vec<u8> {
    let path = golden_path(kind, version);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sample(kind: Kind, version: SchemaVersion) -> Vec<u8> {
    let path = sample_path(kind, version);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn meant(kind: Kind, version: SchemaVersion) -> Stored {
    let meant = stored(&sample(kind, version));
    meant.unwrap_or_else(|invalid| panic!("{kind} version {version}: {invalid:?}"))
}

/// The golden bytes of every kind and version.
pub(crate) fn all() -> Vec<(Kind, Vec<u8>)> {
    versions()
        .map(|(kind, version)| (kind, golden(kind, version)))
        .collect()
}

#[test]
fn every_kind_that_may_be_sent_or_tells_of_looks_is_stored_under_its_own_number() {
    let stored: BTreeSet<Kind> = LATEST.iter().map(|row| row.0).collect();
    let sendable = Kind::ALL.iter().filter(|kind| !kind.server_only());
    assert_eq!(stored, sendable.chain(&OF_LOOKS).copied().collect());
    let numbers: BTreeSet<u16> = LATEST.iter().map(|row| row.1).collect();
    assert_eq!(numbers.len(), LATEST.len());
}

#[test]
fn every_version_ever_written_has_its_golden_bytes_and_its_meaning() {
    let missing: Vec<_> = versions()
        .flat_map(|(kind, version)| [golden_path(kind, version), sample_path(kind, version)])
        .filter(|path| !path.is_file())
        .collect();
    assert!(
        missing.is_empty(),
        "the example `golden` writes golden bytes: {missing:#?}"
    );
}

#[test]
fn every_golden_file_belongs_to_a_version_that_is_still_read() {
    let known: BTreeSet<_> = versions()
        .map(|(kind, version)| golden_path(kind, version))
        .collect();
    let folder = golden_path(Kind::PersonRegistered, 1)
        .parent()
        .unwrap()
        .to_owned();
    let found = std::fs::read_dir(folder).unwrap();
    let found: BTreeSet<_> = found.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found, known);
}

#[test]
fn samples_are_written_as_their_golden_bytes() {
    for &(kind, number, version) in LATEST {
        let meant = meant(kind, version);
        assert_eq!(meant.event.kind(), kind);
        let written = encode(&meant).unwrap();
        assert_eq!(
            written,
            golden(kind, version),
            "{kind}: golden bytes are added, never edited"
        );
        let prefix = [&[1][..], &number.to_le_bytes(), &version.to_le_bytes()].concat();
        assert_eq!(written[..5], prefix);
    }
}

#[test]
fn golden_bytes_of_every_version_are_read_as_what_they_mean() {
    for (kind, version) in versions() {
        let read = decode(&golden(kind, version)).unwrap();
        assert_eq!(read, meant(kind, version), "{kind} version {version}");
    }
}

#[test]
fn every_field_that_may_be_sent_stands_in_a_sample() {
    let samples: Vec<Value> = LATEST
        .iter()
        .map(|&(kind, _, version)| serde_json::from_slice(&sample(kind, version)).unwrap())
        .collect();
    let mut met = BTreeMap::new();
    for (kind, mut schema) in event_schemas() {
        let of_kind = samples
            .iter()
            .filter(|sample| sample["kind"] == kind.as_str());
        let data: Vec<&Value> = of_kind.map(|sample| &sample["data"]).collect();
        let members = schema["properties"].as_object_mut().unwrap();
        meet(kind, &members["data"], &data, &mut met);
        // All kinds share the envelope; what its fields hold need not occur with each of them.
        members.retain(|field, _| !matches!(field.as_str(), "kind" | "data" | "expected_version"));
        meet(
            kind,
            &json!({ "properties": members }),
            &samples.iter().collect::<Vec<_>>(),
            &mut met,
        );
    }
    let mut unmet: Vec<String> = met
        .into_iter()
        .filter(|(_, met)| !met.1)
        .map(|((_, field), (kind, _))| format!("{kind} {field}"))
        .collect();
    unmet.sort();
    assert_eq!(unmet, EXCLUDED);
}

/// For each field of each shape: a kind that has it, and whether a sample gives it a value.
type Met = BTreeMap<(String, String), (Kind, bool)>;

/// Walks a schema and the values it describes side by side. Kinds that share a shape share its fields.
fn meet(kind: Kind, schema: &Value, values: &[&Value], met: &mut Met) {
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        meet(kind, alternative, values, met);
    }
    if let Some(items) = schema.get("items") {
        let lists = values.iter().filter_map(|value| value.as_array());
        meet(kind, items, &lists.flatten().collect::<Vec<_>>(), met);
    }
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        let found: Vec<&Value> = values.iter().filter_map(|value| value.get(field)).collect();
        let known = met
            .entry((schema.to_string(), field.clone()))
            .or_insert((kind, false));
        known.1 |= !found.is_empty();
        meet(kind, inner, &found, met);
    }
}

#[test]
fn samples_name_invented_people_only() {
    for &(kind, _, version) in LATEST {
        let sent = stored(&sample(kind, version)).unwrap().event;
        assert!(
            matches!(sent.facility.as_deref(), None | Some("99001")),
            "{kind}"
        );
        let text = String::from_utf8(sample(kind, version)).unwrap();
        for number in text.split("\"system\": \"cccd\", \"value\": \"").skip(1) {
            assert!(
                number.starts_with("099"),
                "{kind}: personal numbers begin with 099"
            );
        }
    }
}

#[test]
fn a_glimpse_shows_what_reading_the_whole_event_would() {
    for (kind, bytes) in all() {
        let whole = decode(&bytes).unwrap();
        let seen = glimpse(&bytes).unwrap();
        let shown = (seen.kind, seen.facility);
        assert_eq!(shown, (kind, whole.event.facility.as_deref()));
        assert_eq!(seen.decode().unwrap(), whole);
    }
}
