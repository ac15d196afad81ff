//! AllergyIntolerance to `allergy_recorded`. "No known allergy" is an answer; "no information" is not.

use sokhoe_record::json::Node;
use sokhoe_record::{AllergyKind, AllergyRecorded, AllergyStatus, CodeOrText};

use super::coding::{code_or_text, first_code, has_code, words};
use super::draft::{Draft, Drafts, ENTERED_IN_ERROR, Unfit};
use super::reading::Reading;

/// Codes that say that no allergy of any kind is known.
const NONE_KNOWN_CODES: [&str; 3] = ["716186003", "no-known-allergies", "160244002"];

/// Codes that say that no allergy of one kind is known, or that nothing was asked: kept whole, since saying "none
/// known" for them would say too much.
const PARTLY_KNOWN_CODES: [&str; 8] = [
    "409137002",
    "429625007",
    "428607008",
    "428197003",
    "no-known-medication-allergies",
    "no-known-food-allergies",
    "no-known-environmental-allergies",
    "no-allergy-info",
];

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    let refuted = match first_code(node.get("verificationStatus")) {
        Some("entered-in-error") => return Err(ENTERED_IN_ERROR),
        verification => verification == Some("refuted"),
    };
    let occurred = reading
        .occurred(&["recordedDate", "onsetDateTime", "onsetPeriod"])
        .or_else(|| reading.encounter_start());
    if has_code(node.get("code"), &PARTLY_KNOWN_CODES) {
        return Err(Unfit(
            "it says that no allergy of one kind is known, or that none was asked",
        ));
    }
    let mut taken = vec!["recordedDate", "criticality"];
    if has_code(node.get("code"), &NONE_KNOWN_CODES) {
        if refuted {
            return Err(Unfit("it denies that no allergy is known"));
        }
        let extra = reading.extra(&taken);
        let data = AllergyRecorded {
            none_known: Some(true),
            extra,
            ..AllergyRecorded::default()
        };
        return Ok(vec![Draft::new(occurred, data)]);
    }
    reading.take_usual(&[], "code", &mut taken);
    reading.take_single("category", &mut taken);
    if refuted || first_code(node.get("verificationStatus")) == Some("confirmed") {
        taken.push("verificationStatus");
    }
    let status = match first_code(node.get("clinicalStatus")) {
        _ if refuted => AllergyStatus::Refuted,
        Some("resolved") => AllergyStatus::Resolved,
        Some("inactive") => AllergyStatus::Resolved,
        _ => AllergyStatus::Active,
    };
    if first_code(node.get("clinicalStatus")) != Some("inactive") {
        taken.push("clinicalStatus");
    }
    Ok(vec![Draft::new(
        occurred,
        AllergyRecorded {
            substance: Some(substance(reading).ok_or(Unfit("no substance"))?),
            kind: Some(kind(node)),
            reaction: reaction(reading),
            severity: severity(node).map(CodeOrText::from),
            criticality: node.text("criticality").map(CodeOrText::from),
            status: Some(status),
            extra: reading.extra(&taken),
            ..AllergyRecorded::default()
        },
    )])
}

fn substance(reading: &Reading<'_, '_>) -> Option<CodeOrText> {
    reading.code_or_text("code").or_else(|| {
        let first = reading.node().items("reaction").first()?;
        code_or_text(first.get("substance")?, reading.local)
    })
}

fn kind(node: &Node<'_>) -> AllergyKind {
    match node.items("category").first().and_then(Node::as_text) {
        Some("medication") => AllergyKind::Drug,
        Some("food") => AllergyKind::Food,
        Some("environment") => AllergyKind::Environment,
        _ => AllergyKind::Other,
    }
}

/// What happens: the one manifestation as a code, or several in words.
fn reaction(reading: &Reading<'_, '_>) -> Option<CodeOrText> {
    let reactions = reading.node().items("reaction");
    let all: Vec<&Node<'_>> = reactions
        .iter()
        .flat_map(|reaction| reaction.items("manifestation"))
        .collect();
    match all.as_slice() {
        [] => None,
        [one] => code_or_text(one, reading.local),
        several => {
            let said: Vec<String> = several
                .iter()
                .filter_map(|concept| words(concept))
                .collect();
            let said = super::coding::said(&said.join(", "))?;
            Some(CodeOrText::Text(said))
        }
    }
}

/// The worst severity of the reactions told.
fn severity(node: &Node<'_>) -> Option<&'static str> {
    ["severe", "moderate", "mild"]
        .into_iter()
        .find(|&severity| {
            node.items("reaction")
                .iter()
                .any(|reaction| reaction.text("severity") == Some(severity))
        })
}
