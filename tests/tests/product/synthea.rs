//! What the Synthea bundles say, read without the product: one row of text for each thing that a record must show,
//! and the same rows taken from a record.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sokhoe_record::Instant;

/// Rows by section and by what they are about: `Condition/<id>`, or a code for the latest observations.
pub(crate) type Rows = BTreeMap<(&'static str, String), String>;

/// Types that the product keeps whole, for want of a kind of their own.
const KEPT: [&str; 9] = [
    "CareTeam",
    "Claim",
    "Device",
    "ExplanationOfBenefit",
    "ImagingStudy",
    "Medication",
    "PractitionerRole",
    "Provenance",
    "SupplyDelivery",
];

/// A file of the export.
pub(crate) struct Bundle {
    pub(crate) path: PathBuf,
    resources: Vec<Value>,
}

/// Reads every bundle of the folder, in the order of names. `None` where there is no shared data.
pub(crate) fn bundles() -> Option<Vec<Bundle>> {
    let Some(root) = std::env::var_os("SOKHOE_DATA") else {
        eprintln!("skipped: SOKHOE_DATA is not set");
        return None;
    };
    let folder = Path::new(&root).join("health/synthea");
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("SOKHOE_DATA lacks {}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "bz2"));
    paths.sort();
    assert!(paths.len() > 50, "{} holds few bundles", folder.display());
    Some(paths.into_iter().map(Bundle::read).collect())
}

impl Bundle {
    fn read(path: PathBuf) -> Self {
        let file = std::fs::File::open(&path).expect("a bundle");
        let mut text = String::new();
        let read = bzip2::read::MultiBzDecoder::new(file).read_to_string(&mut text);
        read.expect("bzip2");
        let mut bundle: Value = serde_json::from_str(&text).expect("JSON");
        let entries = bundle["entry"].as_array_mut().expect("entries");
        let resources = entries
            .iter_mut()
            .map(|entry| entry["resource"].take())
            .collect();
        Self { path, resources }
    }

    pub(crate) fn len(&self) -> usize {
        self.resources.len()
    }

    /// How many resources have no kind of their own.
    pub(crate) fn kept(&self) -> usize {
        let kept = |resource: &&Value| KEPT.contains(&kind(resource));
        self.resources.iter().filter(kept).count()
    }

    /// The patient, where it is somebody's bundle.
    pub(crate) fn patient(&self) -> Option<&Value> {
        self.resources
            .iter()
            .find(|resource| kind(resource) == "Patient")
    }

    /// How many resources of each type are about the patient.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for resource in self
            .resources
            .iter()
            .filter(|resource| about_patient(resource))
        {
            *counts.entry(kind(resource).to_owned()).or_default() += 1;
        }
        counts
    }

    /// What a record of the patient must show.
    pub(crate) fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        let mut latest: BTreeMap<String, (i64, String)> = BTreeMap::new();
        for resource in &self.resources {
            let key = format!("{}/{}", kind(resource), text(&resource["id"]));
            if kind(resource) == "Observation" {
                let at = micros(&resource["effectiveDateTime"]);
                let code = coded(&resource["code"]);
                // Of several at one time, the last one written holds.
                if latest.get(&code).is_none_or(|(before, _)| *before <= at) {
                    latest.insert(code, (at, format!("{key} {at} {}", observed(resource))));
                }
            } else if let Some((section, row)) = self.row(resource) {
                rows.insert((section, key), row);
            }
        }
        rows.extend(
            latest
                .into_iter()
                .map(|(code, (_, row))| (("latest", code), row)),
        );
        rows
    }

    fn row(&self, resource: &Value) -> Option<(&'static str, String)> {
        Some(match kind(resource) {
            "Patient" => ("demographics", patient_row(resource)),
            "Condition" => {
                let onset = day(&resource["onsetDateTime"]);
                let over = day(&resource["abatementDateTime"]);
                let status = if over.is_empty() {
                    "active"
                } else {
                    "resolved"
                };
                let code = coded(&resource["code"]);
                let at = micros(&resource["recordedDate"]);
                ("problems", format!("{code} {status} {onset} {over} {at}"))
            }
            "Immunization" => {
                let at = micros(&resource["occurrenceDateTime"]);
                (
                    "vaccinations",
                    format!("{} given {at}", coded(&resource["vaccineCode"])),
                )
            }
            "AllergyIntolerance" => {
                let status = match text(&resource["clinicalStatus"]["coding"][0]["code"]) {
                    // The vocabulary has no word for it; `extra` keeps the source's own.
                    "inactive" => "resolved",
                    status => status,
                };
                let at = micros(&resource["recordedDate"]);
                (
                    "allergies",
                    format!("{} {status} {at}", coded(&resource["code"])),
                )
            }
            "Procedure" => {
                let at = &resource["performedPeriod"]["start"];
                let code = coded(&resource["code"]);
                ("procedures", format!("{code} {} {}", day(at), micros(at)))
            }
            "MedicationRequest" => {
                let at = micros(&resource["authoredOn"]);
                ("medications", format!("{} {at}", self.medicine(resource)))
            }
            "MedicationAdministration" => {
                let at = micros(&resource["effectiveDateTime"]);
                ("medications", format!("{} {at}", self.medicine(resource)))
            }
            "Encounter" => {
                let period = &resource["period"];
                let (start, end) = (micros(&period["start"]), micros(&period["end"]));
                ("encounters", format!("{start} {end}"))
            }
            kind if about_patient(resource) => {
                let kept = KEPT.contains(&kind);
                ("documents", format!("kept whole: {kept}"))
            }
            _ => return None,
        })
    }

    /// The code of a medicine, named here or in another resource.
    fn medicine(&self, resource: &Value) -> String {
        let Some(reference) = resource["medicationReference"]["reference"].as_str() else {
            return coded(&resource["medicationCodeableConcept"]);
        };
        let id = reference.trim_start_matches("urn:uuid:");
        let named = self.resources.iter().find(|other| text(&other["id"]) == id);
        coded(&named.expect("the medicine referred to")["code"])
    }
}

/// The same rows as a record shows them.
pub(crate) fn shown(record: &Value) -> Rows {
    let sections = &record["sections"];
    let mut rows = Rows::new();
    let mut add = |section, list: &Value, row: &dyn Fn(&Value) -> String| {
        for entry in list.as_array().expect("a list") {
            let key = text(&entry["source"]["record"]).to_owned();
            // Diagnoses made in an encounter stand beside the conditions.
            if section == "problems" && key.starts_with("Encounter/") {
                continue;
            }
            let twice = rows.insert((section, key), row(entry));
            assert!(twice.is_none(), "shown twice: {entry}");
        }
    };
    add("problems", &sections["problems"], &|entry| {
        let (code, status) = (code(&entry["code"]), text(&entry["clinical_status"]));
        let (onset, over) = (text(&entry["onset"]), text(&entry["resolved_on"]));
        format!("{code} {status} {onset} {over} {}", occurred(entry))
    });
    add("vaccinations", &sections["vaccinations"], &|entry| {
        let (code, status) = (code(&entry["vaccine"]), text(&entry["status"]));
        format!("{code} {status} {}", occurred(entry))
    });
    add("allergies", &sections["allergies"]["items"], &|entry| {
        let (code, status) = (code(&entry["substance"]), text(&entry["status"]));
        format!("{code} {status} {}", occurred(entry))
    });
    add("procedures", &sections["procedures"], &|entry| {
        let (code, on) = (code(&entry["code"]), text(&entry["performed_on"]));
        format!("{code} {on} {}", occurred(entry))
    });
    add("medications", &sections["medications"], &|entry| {
        format!("{} {}", code(&entry["code"]), occurred(entry))
    });
    add("encounters", &sections["encounters"], &|entry| {
        format!(
            "{} {}",
            micros(&entry["started_at"]),
            micros(&entry["ended_at"])
        )
    });
    add("documents", &sections["documents"], &|entry| {
        format!("kept whole: {}", entry["kept_whole"] == true)
    });
    for entry in sections["observations"]["latest"]
        .as_array()
        .expect("a list")
    {
        let row = format!(
            "{} {} {}",
            text(&entry["source"]["record"]),
            occurred(entry),
            seen(entry)
        );
        rows.insert(("latest", code(&entry["code"])), row);
    }
    rows
}

/// The row of a record's demographics.
pub(crate) fn demographics(record: &Value) -> String {
    let who = &record["sections"]["demographics"];
    let name = &who["name"];
    let died = text(&who["death"]["died_on"]);
    let (family, given) = (text(&name["family"]), text(&name["given"]));
    format!(
        "{family}, {given} {} {} {died}",
        text(&who["sex"]),
        text(&who["birth_date"])
    )
}

fn patient_row(patient: &Value) -> String {
    let names = patient["name"].as_array().expect("names");
    let official = names
        .iter()
        .find(|name| name["use"] == "official")
        .expect("a name");
    let given: Vec<&str> = official["given"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    let (family, given) = (text(&official["family"]), given.join(" "));
    let died = day(&patient["deceasedDateTime"]);
    format!(
        "{family}, {given} {} {} {died}",
        text(&patient["gender"]),
        text(&patient["birthDate"])
    )
}

/// The value and components of a FHIR observation.
fn observed(resource: &Value) -> String {
    let parts = resource["component"].as_array().into_iter().flatten();
    let parts = parts.map(|part| format!("{}={}", coded(&part["code"]), value(part)));
    format!(
        "{} [{}]",
        value(resource),
        parts.collect::<Vec<_>>().join(" ")
    )
}

fn value(holder: &Value) -> String {
    let quantity = &holder["valueQuantity"];
    if quantity.is_object() {
        // A bare number has the unit of counting.
        let unit = quantity["code"].as_str().or(quantity["unit"].as_str());
        return number(&quantity["value"]) + unit.unwrap_or("1");
    }
    if holder["valueCodeableConcept"].is_object() {
        return coded(&holder["valueCodeableConcept"]);
    }
    text(&holder["valueString"]).to_owned()
}

/// The value and components of an observation in a record.
fn seen(entry: &Value) -> String {
    let parts = entry["components"].as_array().into_iter().flatten();
    let parts = parts.map(|part| format!("{}={}", code(&part["code"]), seen_value(&part["value"])));
    format!(
        "{} [{}]",
        seen_value(&entry["value"]),
        parts.collect::<Vec<_>>().join(" ")
    )
}

fn seen_value(value: &Value) -> String {
    let quantity = &value["quantity"];
    if quantity.is_object() {
        return number(&quantity["value"]) + text(&quantity["unit"]);
    }
    if value["code"].is_object() {
        return code(&value["code"]);
    }
    text(&value["text"]).to_owned()
}

/// A number to the digits that a binary computation meant.
fn number(value: &Value) -> String {
    format!("{:.12e}", value.as_f64().expect("a number"))
}

/// Whether the resource stands in the person's own stream. A Provenance names its patient among its targets.
fn about_patient(resource: &Value) -> bool {
    let named = ["subject", "patient"]
        .iter()
        .any(|key| resource[*key].is_object());
    named || kind(resource) == "Provenance"
}

fn kind(resource: &Value) -> &str {
    text(&resource["resourceType"])
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The first coding, as the product writes it.
fn coded(concept: &Value) -> String {
    let coding = &concept["coding"][0];
    let system = match text(&coding["system"]) {
        "http://snomed.info/sct" => "snomed",
        "http://loinc.org" => "loinc",
        "http://hl7.org/fhir/sid/cvx" => "cvx",
        "http://www.nlm.nih.gov/research/umls/rxnorm" => "rxnorm",
        other => other,
    };
    format!("{system}|{}", text(&coding["code"]))
}

fn code(code: &Value) -> String {
    format!("{}|{}", text(&code["system"]), text(&code["code"]))
}

/// The day of a dateTime as its sender wrote it; empty where there is none.
fn day(value: &Value) -> &str {
    text(value).split('T').next().unwrap_or_default()
}

fn micros(value: &Value) -> i64 {
    Instant::parse(text(value))
        .unwrap_or_else(|_| panic!("no time: {value}"))
        .micros()
}

fn occurred(entry: &Value) -> i64 {
    micros(&entry["occurred_at"])
}
