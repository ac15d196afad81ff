//! Practitioner to `practitioner_registered`; Organization and Location to `facility_registered`.

use sokhoe_record::limits::WORD_CHARS_MAX;
use sokhoe_record::{FacilityRegistered, PractitionerRegistered};

use super::bundle::{facility_of, practitioner_of};
use super::coding::{code_or_text, said, shortened};
use super::draft::{Draft, Drafts, Unfit};
use super::patient::human_name;
use super::reading::Reading;

pub(crate) fn map_facility(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    if reading.text("status") == Some("entered-in-error") {
        return Err(super::draft::ENTERED_IN_ERROR);
    }
    let name = reading
        .text("name")
        .and_then(said)
        .ok_or(Unfit("a place without a name"))?;
    let parent = node
        .get("partOf")
        .or_else(|| node.get("managingOrganization"));
    let facility = facility_of(reading.ctx, reading.entry.kind, node, &reading.entry.id);
    let parent = parent.and_then(|parent| reading.document.facility(reading.ctx, parent));
    Ok(vec![Draft::new(
        reading.stamp(),
        FacilityRegistered {
            parent: parent.filter(|parent| *parent != facility),
            facility,
            name,
            extra: reading.extra(&["name"]),
            ..FacilityRegistered::default()
        },
    )])
}

pub(crate) fn map_practitioner(reading: &Reading<'_, '_>) -> Drafts {
    let node = reading.node();
    let name = node.items("name").iter().find_map(human_name);
    let qualification = node.items("qualification").first();
    let licence = qualification.and_then(|held| held.items("identifier").first()?.text("value"));
    let role = qualification.and_then(|held| code_or_text(held.get("code")?, reading.local));
    let mut taken = Vec::new();
    reading.take_single("name", &mut taken);
    Ok(vec![Draft::new(
        reading.stamp(),
        PractitionerRegistered {
            id: practitioner_of(reading.ctx, node, &reading.entry.id),
            name: name.ok_or(Unfit("a professional without a name"))?.full,
            role,
            licence: licence
                .and_then(said)
                .map(|licence| shortened(licence, WORD_CHARS_MAX)),
            extra: reading.extra(&taken),
            ..PractitionerRegistered::default()
        },
    )])
}
