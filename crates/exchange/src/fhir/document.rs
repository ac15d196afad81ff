//! DiagnosticReport, CarePlan and DocumentReference to `document_attached`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sokhoe_record::json::Node;
use sokhoe_record::limits::WORD_CHARS_MAX;
use sokhoe_record::{DocumentAttached, Occurred};

use super::coding::{said, words};
use super::draft::{Draft, Drafts, ENTERED_IN_ERROR};
use super::reading::Reading;

/// The media type of a resource that is attached as it came.
pub(crate) const FHIR_JSON: &str = "application/fhir+json";

/// Attaches the resource itself, as it came.
pub(crate) fn map_report(reading: &Reading<'_, '_>) -> Drafts {
    refuse_error(reading)?;
    let occurred = reading
        .occurred(&[
            "effectiveDateTime",
            "effectivePeriod",
            "issued",
            "created",
            "period",
        ])
        .or_else(|| reading.encounter_start());
    Ok(vec![whole(reading, occurred)])
}

/// Attaches the document that a DocumentReference carries inline, or the reference itself.
pub(crate) fn map_reference(reading: &Reading<'_, '_>) -> Drafts {
    refuse_error(reading)?;
    let occurred = reading
        .occurred(&["date"])
        .or_else(|| reading.encounter_start());
    let inline = match reading.node().items("content") {
        [content] => content.get("attachment").and_then(inline),
        _ => None,
    };
    let Some((media_type, data)) = inline else {
        return Ok(vec![whole(reading, occurred)]);
    };
    let mut taken = vec!["content", "date", "custodian"];
    reading.take_usual(&["current"], "type", &mut taken);
    Ok(vec![Draft::new(
        occurred,
        DocumentAttached {
            title: title(reading),
            media_type,
            content: Some(data),
            about: about(reading),
            extra: reading.extra(&taken),
            ..DocumentAttached::default()
        },
    )])
}

fn refuse_error(reading: &Reading<'_, '_>) -> Result<(), super::draft::Unfit> {
    match reading.text("status") {
        Some("entered-in-error") => Err(ENTERED_IN_ERROR),
        _ => Ok(()),
    }
}

fn whole(reading: &Reading<'_, '_>, occurred: Option<Occurred>) -> Draft {
    let data = DocumentAttached {
        title: title(reading),
        media_type: FHIR_JSON.to_owned(),
        content: Some(STANDARD.encode(reading.node().raw())),
        about: about(reading),
        ..DocumentAttached::default()
    };
    Draft::new(occurred, data)
}

/// Returns media type and base64 of an attachment whose data stands in the resource and is sound.
fn inline(attachment: &Node<'_>) -> Option<(String, String)> {
    let data = attachment.text("data").filter(|data| !data.is_empty())?;
    let media_type = attachment.text("contentType").and_then(said)?;
    let sound = data.len() % 4 == 0 && !data.contains(char::is_whitespace);
    (sound && media_type.len() <= WORD_CHARS_MAX).then(|| (media_type, data.to_owned()))
}

/// Names the document: its own title, or its code or type, or its category, or the type of the resource.
fn title(reading: &Reading<'_, '_>) -> String {
    let attached = reading.node().items("content").first();
    let attached = attached.and_then(|content| content.get("attachment")?.text("title"));
    reading
        .text("title")
        .or(attached)
        .or_else(|| reading.text("description"))
        .and_then(said)
        .or_else(|| reading.words("code"))
        .or_else(|| reading.words("type"))
        .or_else(|| {
            reading
                .node()
                .items("category")
                .iter()
                .rev()
                .find_map(words)
        })
        .unwrap_or_else(|| reading.entry.kind.to_owned())
}

/// Says which encounter the document is from.
fn about(reading: &Reading<'_, '_>) -> Option<String> {
    let encounter = reading.encounter_id()?;
    said(&format!("encounter {encounter}"))
}
