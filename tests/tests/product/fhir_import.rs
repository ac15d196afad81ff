//! `sokhoe import fhir`: everything in the bundles is in the records, whatever the order of the files, and a second
//! load adds nothing. The orders follow from fixed seeds.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;

use serde_json::Value;
use sokhoe_disk::testing::Random;

use crate::home::{Home, Served};
use crate::synthea::{Bundle, Rows, bundles, demographics, shown};

/// The facility that stands for a source whose patients name none.
const SOURCE_FACILITY: &str = "fhir";

#[test]
fn every_bundle_is_in_the_records_and_a_second_load_in_another_order_adds_nothing() {
    let Some(bundles) = bundles() else { return };
    let home = Home::new();
    let total: usize = bundles.iter().map(Bundle::len).sum();
    let kept: usize = bundles.iter().map(Bundle::kept).sum();
    let first = import(&home, &shuffled(&bundles, 1));
    assert_eq!(counts(&first), [total, total, 0, 0, kept]);
    let again = import(&home, &shuffled(&bundles, 2));
    assert_eq!(counts(&again), [total, 0, total, 0, 0]);
    assert_eq!(
        again["position"], first["position"],
        "the end of the log is where it was"
    );
    compare_all(&home, &bundles);
}

#[test]
fn another_order_of_files_gives_the_same_records() {
    let Some(bundles) = bundles() else { return };
    let home = Home::new();
    let total: usize = bundles.iter().map(Bundle::len).sum();
    let summary = import(&home, &shuffled(&bundles, 3));
    assert_eq!(counts(&summary)[..4], [total, total, 0, 0]);
    compare_all(&home, &bundles);
}

/// Imports files and returns the summary.
fn import(home: &Home, files: &[&Path]) -> Value {
    let mut arguments: Vec<OsString> = ["import", "fhir", "--json"].map(OsString::from).into();
    arguments.extend(files.iter().map(|file| file.as_os_str().to_owned()));
    home.sokhoe(&arguments).well().summary()
}

fn counts(summary: &Value) -> [usize; 5] {
    ["read", "accepted", "duplicate", "refused", "kept_whole"]
        .map(|name| usize::try_from(summary[name].as_u64().unwrap()).unwrap())
}

/// Compares every person's record and history with their bundle.
fn compare_all(home: &Home, bundles: &[Bundle]) {
    let served = home.serve();
    let registrar = home.hospital(SOURCE_FACILITY);
    let people: Vec<&Bundle> = bundles
        .iter()
        .filter(|bundle| bundle.patient().is_some())
        .collect();
    assert_eq!(people.len(), 60);
    let other: Vec<String> = people
        .into_iter()
        .flat_map(|bundle| compare(home, &served, &registrar, bundle))
        .collect();
    assert!(
        other.is_empty(),
        "{} differences:\n{}",
        other.len(),
        other.join("\n")
    );
    served.stop();
}

/// The files in an order that follows from the seed.
fn shuffled(bundles: &[Bundle], seed: u64) -> Vec<&Path> {
    let mut files: Vec<&Path> = bundles.iter().map(|bundle| bundle.path.as_path()).collect();
    let mut random = Random::new(seed);
    for last in (1..files.len()).rev() {
        files.swap(last, random.index(last + 1));
    }
    files
}

/// Compares one person's record and history with their bundle; returns what differs.
fn compare(home: &Home, served: &Served, registrar: &str, bundle: &Bundle) -> Vec<String> {
    let patient = bundle.patient().expect("somebody's bundle");
    let id = patient["id"].as_str().expect("an id");
    let identifier = serde_json::json!({"identifier": {"system": "mrn/fhir", "value": id}});
    let request = served.by(registrar).treating();
    let found = request.post(
        "/v1/people/search",
        "application/json",
        identifier.to_string(),
    );
    let found = found.expect(200).json();
    let person = found["items"][0]["person_id"]
        .as_str()
        .unwrap_or_else(|| panic!("{id}: {found}"));

    let token = home.citizen(person);
    let record = served.record(&token, person).expect(200).json();
    let mut wanted = bundle.rows();
    let who = wanted
        .remove(&("demographics", format!("Patient/{id}")))
        .expect("a patient");
    let mut other = differences(id, &wanted, &shown(&record));
    let shown_who = demographics(&record);
    if shown_who != who {
        other.push(format!(
            "{id}: {who} in the bundle, {shown_who} in the record"
        ));
    }

    let mut counts = bundle.counts();
    counts.insert("Patient".into(), 1);
    let history = served.history(&token, person);
    let mut records: Vec<&str> = history
        .iter()
        .map(|entry| entry["source"]["record"].as_str().unwrap())
        .collect();
    // A condition that is over, and somebody who died, are two events of one resource.
    records.sort_unstable();
    records.dedup();
    for (kind, count) in counts {
        let prefix = format!("{kind}/");
        let found = records
            .iter()
            .filter(|record| record.starts_with(&prefix))
            .count();
        if found != count {
            other.push(format!(
                "{id}: {count} {kind} in the bundle, {found} in the history"
            ));
        }
    }
    other
}

/// The rows that differ, and only those.
fn differences(id: &str, wanted: &Rows, found: &Rows) -> Vec<String> {
    let keys: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
    let differs = keys
        .into_iter()
        .filter(|key| wanted.get(key) != found.get(key));
    differs
        .map(|key| {
            let (wanted, found) = (wanted.get(key), found.get(key));
            format!("{id} {key:?}: {wanted:?} in the bundle, {found:?} in the record")
        })
        .collect()
}
