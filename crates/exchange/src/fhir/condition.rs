//! Condition to `condition_recorded`, and `condition_resolved` when it is over.

use sokhoe_record::{Certainty, ClinicalStatus, ConditionRecorded, ConditionResolved, Occurred};

use super::coding::{first_code, has_code};
use super::draft::{Draft, Drafts, ENTERED_IN_ERROR, Unfit};
use super::reading::Reading;

/// Codes that say that there is no problem, or that nothing is known of any.
const NO_PROBLEM_CODES: [&str; 4] = [
    "160245001",
    "no-known-problems",
    "no-problem-info",
    "373572006",
];

/// Part of the event id that tells the end of a condition from its record.
const RESOLVED: &str = "resolved";

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    let certainty = match first_code(node.get("verificationStatus")) {
        None | Some("confirmed") => Certainty::Confirmed,
        Some("unconfirmed" | "provisional" | "differential") => Certainty::Provisional,
        Some("entered-in-error") => return Err(ENTERED_IN_ERROR),
        Some(_) => return Err(Unfit("the condition is refuted")),
    };
    if has_code(node.get("code"), &NO_PROBLEM_CODES) {
        return Err(Unfit("it says that there is no problem, or none known"));
    }
    let abated = reading.date(&["abatementDateTime", "abatementPeriod"]);
    let status = first_code(node.get("clinicalStatus"));
    let onset = reading.date(&["onsetDateTime", "onsetPeriod"]);
    let occurred = reading
        .occurred(&["recordedDate", "onsetDateTime", "onsetPeriod"])
        .or_else(|| reading.encounter_start());
    let mut taken = vec![
        "clinicalStatus",
        "encounter",
        "verificationStatus",
        "severity",
        "onsetDateTime",
        "recordedDate",
        "abatementDateTime",
    ];
    reading.take_usual(&[], "code", &mut taken);
    let mut drafts = vec![Draft::new(
        occurred,
        ConditionRecorded {
            code: reading.code("code").ok_or(Unfit("no code"))?,
            clinical_status: match status {
                Some("recurrence" | "relapse") => ClinicalStatus::Recurrence,
                Some("remission") => ClinicalStatus::Remission,
                _ => ClinicalStatus::Active,
            },
            certainty,
            onset,
            severity: reading.code_or_text("severity"),
            encounter_id: reading.encounter_id(),
            extra: reading.extra(&taken),
            ..ConditionRecorded::default()
        },
    )];
    // A condition that is over without a day was over by the time it was written down.
    let over = matches!(status, Some("resolved" | "inactive"));
    let written = || occurred.or_else(|| reading.stamp()).map(Occurred::date);
    if let Some(resolved_on) = abated.or_else(|| over.then(written).flatten()) {
        drafts.push(Draft {
            part: RESOLVED,
            occurred: reading
                .occurred(&["abatementDateTime", "abatementPeriod"])
                .or(Some(Occurred::On(resolved_on))),
            data: ConditionResolved {
                condition_event_id: Some(reading.event_id("")),
                resolved_on,
                ..ConditionResolved::default()
            }
            .into(),
        });
    }
    Ok(drafts)
}
