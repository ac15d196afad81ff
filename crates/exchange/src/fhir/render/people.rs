//! Patients, organizations, professionals.

use serde_json::{Map, Value, json};
use sokhoe_record::{
    FacilityRegistered, Identifier, IdentifierStatus, IdentifierSystem, Name, PersonId,
    PersonRegistered, PractitionerRegistered, Sex,
};

use super::{Resource, concept_of};

/// Renders the registration as a Patient whose id is the person's.
pub(crate) fn patient(data: &PersonRegistered, person: PersonId) -> Map<String, Value> {
    let identifiers: Vec<Value> = data.identifiers.iter().map(identifier).collect();
    let mut telecom: Vec<Value> = data
        .phones
        .iter()
        .map(|phone| json!({"system": "phone", "value": phone}))
        .collect();
    telecom.extend(
        data.email
            .iter()
            .map(|email| json!({"system": "email", "value": email})),
    );
    let mut addresses: Vec<Value> = Vec::new();
    for (kind, address) in [
        ("home", &data.current_address),
        ("billing", &data.permanent_address),
    ] {
        let Some(address) = address else { continue };
        let text = address
            .text
            .as_ref()
            .or(address.hamlet.as_ref())
            .or(address.commune.as_ref());
        addresses.extend(text.map(|text| json!({"use": kind, "text": text})));
    }
    let gender = match data.sex {
        Sex::Male => "male",
        Sex::Female => "female",
        Sex::Other => "other",
        Sex::Unknown => "unknown",
    };
    Resource::new("Patient")
        .set("id", json!(person.to_string()))
        .set("identifier", list(identifiers))
        .set("name", json!([name(&data.name)]))
        .set("telecom", list(telecom))
        .set("gender", json!(gender))
        .set("birthDate", json!(data.birth_date))
        .set("address", list(addresses))
        .finish()
}

fn list(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

fn identifier(identifier: &Identifier) -> Value {
    let system = match &identifier.system {
        IdentifierSystem::Uri(uri) => uri.clone(),
        known => format!("urn:sokhoe:identifier:{known}"),
    };
    let mut value = json!({"system": system, "value": identifier.value});
    let old = identifier
        .status
        .is_some_and(|status| status != IdentifierStatus::Active);
    if let (true, Some(members)) = (old, value.as_object_mut()) {
        members.insert("use".to_owned(), json!("old"));
    }
    value
}

fn name(name: &Name) -> Value {
    let mut value = json!({"text": name.full});
    if let Some(members) = value.as_object_mut() {
        if let Some(family) = &name.family {
            members.insert("family".to_owned(), json!(family));
        }
        if let Some(given) = &name.given {
            members.insert("given".to_owned(), json!([given]));
        }
    }
    value
}

/// Renders a facility as an Organization.
pub(crate) fn organization(data: &FacilityRegistered) -> Map<String, Value> {
    let own = json!([{"system": "urn:sokhoe:facility", "value": data.facility}]);
    let parent = data
        .parent
        .as_ref()
        .map(|parent| json!({"identifier": {"system": "urn:sokhoe:facility", "value": parent}}));
    Resource::new("Organization")
        .set("identifier", own)
        .set("name", json!(data.name))
        .set("partOf", parent)
        .finish()
}

/// Renders a professional as a Practitioner.
pub(crate) fn practitioner(data: &PractitionerRegistered) -> Map<String, Value> {
    let own = json!([{"system": "urn:sokhoe:practitioner", "value": data.id}]);
    let qualification = concept_of(&data.role).map(|role| json!([{"code": role}]));
    Resource::new("Practitioner")
        .set("identifier", own)
        .set("name", json!([{"text": data.name}]))
        .set("qualification", qualification)
        .finish()
}
