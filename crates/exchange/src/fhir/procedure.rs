//! Procedure to `procedure_recorded`.

use sokhoe_record::{CodeOrText, ProcedureRecorded};

use super::draft::{Draft, Drafts, ENTERED_IN_ERROR, Unfit};
use super::reading::Reading;

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    match reading.text("status") {
        Some("entered-in-error") => return Err(ENTERED_IN_ERROR),
        Some("not-done" | "preparation") => return Err(Unfit("the procedure was not done")),
        _ => {}
    }
    let performed_on = reading
        .date(&["performedDateTime", "performedPeriod"])
        .ok_or(Unfit("the procedure has no date"))?;
    let (code, text) = match reading.code_or_text("code") {
        Some(CodeOrText::Code(code)) => (Some(code), None),
        Some(CodeOrText::Text(text)) => (None, Some(text)),
        None => return Err(Unfit("no code")),
    };
    let mut taken = vec!["performedDateTime", "outcome", "encounter"];
    reading.take_usual(&["completed"], "code", &mut taken);
    reading.take_single("bodySite", &mut taken);
    Ok(vec![Draft::new(
        reading.occurred(&["performedDateTime", "performedPeriod"]),
        ProcedureRecorded {
            code,
            text,
            performed_on,
            body_site: reading.code_or_text("bodySite"),
            outcome: reading.code_or_text("outcome"),
            encounter_id: reading.encounter_id(),
            extra: reading.extra(&taken),
            ..ProcedureRecorded::default()
        },
    )])
}
