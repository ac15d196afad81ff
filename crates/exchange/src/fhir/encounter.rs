//! Encounter to `encounter_recorded`. Its diagnoses come as Conditions, which name the encounter.

use sokhoe_record::{EncounterClass, EncounterRecorded};

use super::coding::{code_or_text, occurred};
use super::draft::{Draft, Drafts, ENTERED_IN_ERROR, Unfit};
use super::reading::Reading;

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    match reading.text("status") {
        Some("entered-in-error") => return Err(ENTERED_IN_ERROR),
        Some("planned" | "cancelled") => return Err(Unfit("the encounter did not take place")),
        _ => {}
    }
    let class = node
        .path(&["class", "code"])
        .and_then(|code| code.as_text());
    let class = match class {
        Some("AMB") => EncounterClass::Outpatient,
        Some("IMP" | "ACUTE" | "NONAC" | "OBSENC" | "SS") => EncounterClass::Inpatient,
        Some("EMER") => EncounterClass::Emergency,
        Some("VR") => EncounterClass::Tele,
        Some("HH" | "FLD") => EncounterClass::Home,
        _ => {
            return Err(Unfit(
                "the class of the encounter is missing or has no word here",
            ));
        }
    };
    let start = reading
        .occurred(&["period"])
        .ok_or(Unfit("the encounter has no start"))?;
    let end = node.path(&["period", "end"]).and_then(|end| end.as_text());
    let mut taken = vec!["class", "period"];
    reading.take_usual(&["finished"], "serviceType", &mut taken);
    reading.take_single("reasonCode", &mut taken);
    let disposition = node.path(&["hospitalization", "dischargeDisposition"]);
    Ok(vec![Draft::new(
        Some(start),
        EncounterRecorded {
            encounter_id: reading.entry.id.clone().into_owned(),
            class,
            department: reading.words("serviceType"),
            started_at: start,
            ended_at: end.and_then(occurred),
            reason: reading
                .code_or_text("reasonCode")
                .or_else(|| reading.code_or_text("type")),
            disposition: disposition.and_then(|concept| code_or_text(concept, reading.local)),
            extra: reading.extra(&taken),
            ..EncounterRecorded::default()
        },
    )])
}
