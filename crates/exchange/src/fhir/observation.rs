//! Observation, with its components, to `observation_recorded`.

use sokhoe_record::json::Node;
use sokhoe_record::{CodeOrText, Component, ObservationRecorded};

use super::coding::{self, reference_range, unread_value, value};
use super::draft::{Draft, Drafts, ENTERED_IN_ERROR, Unfit};
use super::reading::Reading;

pub(crate) fn map(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    match reading.text("status") {
        Some("entered-in-error") => return Err(ENTERED_IN_ERROR),
        Some("cancelled") => return Err(Unfit("the observation was cancelled")),
        _ => {}
    }
    let parts = node.items("component");
    if unread_value(node) || parts.iter().any(unread_value) {
        return Err(Unfit("a value in a form that is not read"));
    }
    let components = parts
        .iter()
        .map(|part| component(reading, part))
        .collect::<Option<Vec<_>>>();
    let components = components.ok_or(Unfit("a component without code or value"))?;
    let own = value(node, reading.local);
    if own.is_none() && components.is_empty() {
        return Err(Unfit("no value, or one in a form that is not read"));
    }
    let mut taken = vec![
        "component",
        "encounter",
        "effectiveDateTime",
        "method",
        "valueQuantity",
        "valueCodeableConcept",
        "valueString",
        "valueBoolean",
        "valueInteger",
        "valueDateTime",
        "valueTime",
    ];
    reading.take_usual(&["final"], "code", &mut taken);
    reading.take_single("referenceRange", &mut taken);
    reading.take_single("interpretation", &mut taken);
    let specimen = node
        .path(&["specimen", "display"])
        .and_then(Node::as_text)
        .and_then(coding::said);
    if specimen.is_some() {
        taken.push("specimen");
    }
    Ok(vec![Draft::new(
        reading
            .occurred(&[
                "effectiveDateTime",
                "effectiveInstant",
                "effectivePeriod",
                "issued",
            ])
            .or_else(|| reading.encounter_start()),
        ObservationRecorded {
            code: reading.code("code").ok_or(Unfit("no code"))?,
            value: own,
            components,
            interpretation: reading.code_or_text("interpretation"),
            reference_range: node.items("referenceRange").first().map(reference_range),
            method: reading.code_or_text("method"),
            specimen: specimen.map(CodeOrText::Text),
            encounter_id: reading.encounter_id(),
            extra: reading.extra(&taken),
            ..ObservationRecorded::default()
        },
    )])
}

fn component(reading: &Reading<'_, '_>, node: &Node<'_>) -> Option<Component> {
    Some(Component {
        code: coding::code(node.get("code")?, reading.local)?,
        value: value(node, reading.local)?,
    })
}
