//! Immunization to `vaccination_recorded`.

use sokhoe_record::json::Node;
use sokhoe_record::limits::WORD_CHARS_MAX;
use sokhoe_record::{CodeOrText, VaccinationRecorded, VaccinationStatus, YesNo};

use super::coding::{code_or_text, has_code, said, shortened};
use super::draft::{Draft, Drafts, ENTERED_IN_ERROR, Unfit};
use super::reading::Reading;

/// Reasons of HL7's lists by which the vaccine must not be given.
const CONTRAINDICATED: [&str; 3] = ["IMMUNE", "MEDPREC", "MEDCONTRA"];

/// Reasons by which the person did not want it.
const REFUSED: [&str; 4] = ["PATOBJ", "RELIG", "PHILISOP", "VACEFF"];

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    let reason = node.get("statusReason");
    let status = match reading.text("status") {
        Some("entered-in-error") => return Err(ENTERED_IN_ERROR),
        Some("not-done") if has_code(reason, &CONTRAINDICATED) => {
            VaccinationStatus::Contraindicated
        }
        Some("not-done") if has_code(reason, &REFUSED) => VaccinationStatus::Refused,
        Some("not-done") => return Err(Unfit("not given, for a reason that has no word here")),
        _ => VaccinationStatus::Given,
    };
    let mut taken = vec![
        "occurrenceDateTime",
        "lotNumber",
        "primarySource",
        "site",
        "route",
    ];
    reading.take_usual(&["completed", "not-done"], "vaccineCode", &mut taken);
    let manufacturer = node
        .path(&["manufacturer", "display"])
        .and_then(Node::as_text);
    if manufacturer.is_some() {
        taken.push("manufacturer");
    }
    let primary = node.get("primarySource").and_then(Node::as_bool);
    Ok(vec![Draft::new(
        reading
            .occurred(&["occurrenceDateTime", "recorded"])
            .or_else(|| reading.encounter_start()),
        VaccinationRecorded {
            vaccine: reading.code("vaccineCode").ok_or(Unfit("no vaccine"))?,
            dose_number: dose_number(node),
            status,
            lot: reading
                .text("lotNumber")
                .and_then(said)
                .map(|lot| shortened(lot, WORD_CHARS_MAX)),
            manufacturer: manufacturer.and_then(said),
            site: reading.code_or_text("site"),
            route: reading.code_or_text("route"),
            reaction: reaction(reading),
            primary_source: if primary == Some(true) {
                YesNo::Yes
            } else {
                YesNo::No
            },
            extra: reading.extra(&taken),
            ..VaccinationRecorded::default()
        },
    )])
}

/// The number of the dose, where every series that it counts in gives the same.
fn dose_number(node: &Node<'_>) -> Option<u32> {
    let number = |applied: &Node<'_>| -> Option<u32> {
        let positive = applied
            .get("doseNumberPositiveInt")
            .and_then(Node::as_number);
        positive
            .or_else(|| applied.text("doseNumberString"))?
            .parse()
            .ok()
    };
    let mut numbers = node.items("protocolApplied").iter().map(number);
    let first = numbers.next()??;
    numbers.all(|other| other == Some(first)).then_some(first)
}

fn reaction(reading: &Reading<'_, '_>) -> Option<CodeOrText> {
    let reaction = reading.node().items("reaction").first()?;
    let detail = reaction.get("detail")?;
    detail
        .text("display")
        .and_then(said)
        .map(CodeOrText::Text)
        .or_else(|| {
            let id = detail.text("reference")?.strip_prefix('#')?;
            code_or_text(reading.contained(id)?.get("code")?, reading.local)
        })
}
