//! The samples: `samples/<kind>.json`, one readable event of each kind, and what the server makes of it.
//!
//! Everyone in them is invented. `extra` and `inputs` are stored as written, so even their spaces count.

use std::path::{Path, PathBuf};

use sokhoe_codec::{SchemaVersion, Stored, schema_of};
use sokhoe_record::{
    CodeSystem, Data, Event, EventId, Invalid, Kind, PersonId, PersonRef, json, read_any_event,
};

const PERSON: PersonId = PersonId::from_bytes([0x51; 16]);
const RELATIVE: PersonId = PersonId::from_bytes([0x52; 16]);
const CAUSE: EventId = EventId::from_bytes([0xC4; 16]);

/// Where the golden bytes of a kind and version lie.
pub(crate) fn golden_path(kind: Kind, version: SchemaVersion) -> PathBuf {
    tests().join(format!("golden/{kind}.v{version}.bin"))
}

/// Where it is said what those bytes mean today: the plain sample for the latest version.
pub(crate) fn sample_path(kind: Kind, version: SchemaVersion) -> PathBuf {
    match schema_of(kind) {
        Some((_, latest)) if latest == version => tests().join(format!("samples/{kind}.json")),
        _ => tests().join(format!("samples/{kind}.v{version}.json")),
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// Makes of a sample what would be stored: people resolved, codes checked, a correction settled.
pub(crate) fn stored(sample: &[u8]) -> Result<Stored, Invalid> {
    let node = json::parse(sample).map_err(Invalid::Malformed)?;
    let mut event = read_any_event(&node)?.event;
    resolve(&mut event);
    if let Data::CorrectionMade(correction) = &mut event.data {
        let kind = Kind::ObservationRecorded;
        let settled = correction.settle(kind, kind, &mut mark);
        settled.map_err(|errors| Invalid::Content { errors })?;
    }
    let mut content = [0; 32];
    for (byte, number) in content.iter_mut().zip(0xA0..) {
        *byte = number;
    }
    Ok(Stored {
        recorded_by: "his-99001".to_owned(),
        content,
        cause: (event.kind() == Kind::FamilyLinked).then_some(CAUSE),
        event,
    })
}

fn resolve(event: &mut Event) {
    if event.person.is_some() {
        event.person = Some(PERSON.into());
    }
    event.data.person_refs_mut(|_, person| {
        if let PersonRef::Identifier(_) = person {
            *person = RELATIVE.into();
        }
    });
    mark(&mut event.data);
}

/// Marks the codes of one list as found, as if that list were loaded.
fn mark(data: &mut Data) {
    data.codes_mut(|_, code| code.checked = code.system == CodeSystem::Icd10);
}
