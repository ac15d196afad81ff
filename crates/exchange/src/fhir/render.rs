//! Events as the FHIR resources that they are equivalent to, for `GET /fhir/R4/{type}/{id}`. The id of a resource is
//! the event's id, of a Patient the person's id. What a source sent as FHIR and was kept comes back as it came.

mod clinical;
mod people;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sokhoe_record::{
    Code, CodeOrText, Comparator, Data, Event, Measure, Occurred, PersonId, Quantity,
};

use super::systems;
use super::translate::FORMAT;

/// A resource to answer with.
#[derive(Debug)]
pub enum Rendered {
    /// Made from an event.
    Made(Value),
    /// Kept whole: the text as it came, with the id that its source gave it.
    AsItCame(Box<RawValue>),
}

impl Rendered {
    /// Returns the resource as a JSON value.
    pub fn into_value(self) -> Value {
        match self {
            Self::Made(value) => value,
            Self::AsItCame(raw) => serde_json::from_str(raw.get()).unwrap_or(Value::Null),
        }
    }
}

/// Renders an event as a resource; `None` for kinds that have no equivalent. `person` is whose record it is in.
pub fn render(event: &Event, person: Option<PersonId>) -> Option<Rendered> {
    if let Data::ResourceKept(kept) = &event.data {
        if kept.format != FORMAT {
            return None;
        }
        let content = kept.content.clone()?;
        return RawValue::from_string(content).ok().map(Rendered::AsItCame);
    }
    let mut resource = match &event.data {
        Data::PersonRegistered(data) => people::patient(data, person?),
        Data::FacilityRegistered(data) => people::organization(data),
        Data::PractitionerRegistered(data) => people::practitioner(data),
        data => clinical::render(data, event)?,
    };
    if !matches!(event.data, Data::PersonRegistered(_)) {
        resource.insert("id".to_owned(), json!(event.event_id.to_string()));
    }
    Some(Rendered::Made(Value::Object(resource)))
}

/// Returns the resource type that an event is rendered as.
pub fn rendered_type(event: &Event) -> Option<&str> {
    Some(match &event.data {
        Data::PersonRegistered(_) => "Patient",
        Data::FacilityRegistered(_) => "Organization",
        Data::PractitionerRegistered(_) => "Practitioner",
        Data::EncounterRecorded(_) => "Encounter",
        Data::ConditionRecorded(_) => "Condition",
        Data::ObservationRecorded(_) => "Observation",
        Data::ProcedureRecorded(_) => "Procedure",
        Data::MedicationRecorded(_) => "MedicationStatement",
        Data::VaccinationRecorded(_) => "Immunization",
        Data::AllergyRecorded(_) => "AllergyIntolerance",
        Data::DocumentAttached(_) => "DocumentReference",
        Data::ResourceKept(kept) if kept.format == FORMAT => &kept.resource_type,
        _ => return None,
    })
}

/// A resource being built; members that are not there are left out.
#[derive(Debug)]
pub(crate) struct Resource(Map<String, Value>);

impl Resource {
    pub(crate) fn new(resource_type: &str) -> Self {
        let mut members = Map::new();
        members.insert("resourceType".to_owned(), json!(resource_type));
        Self(members)
    }

    /// Sets a member.
    #[must_use]
    pub(crate) fn set(mut self, key: &str, value: impl Into<Option<Value>>) -> Self {
        if let Some(value) = value.into() {
            self.0.insert(key.to_owned(), value);
        }
        self
    }

    pub(crate) fn finish(self) -> Map<String, Value> {
        self.0
    }
}

/// Renders a code as a CodeableConcept.
pub(crate) fn concept(code: &Code) -> Value {
    let mut coding = Map::new();
    coding.insert("system".to_owned(), json!(systems::uri(&code.system)));
    coding.insert("code".to_owned(), json!(code.code));
    if let Some(version) = &code.version {
        coding.insert("version".to_owned(), json!(version));
    }
    if let Some(display) = &code.display {
        coding.insert("display".to_owned(), json!(display));
        return json!({"coding": [coding], "text": display});
    }
    json!({"coding": [coding]})
}

/// Renders a code or words as a CodeableConcept.
pub(crate) fn concept_or_text(value: &CodeOrText) -> Value {
    match value {
        CodeOrText::Code(code) => concept(code),
        CodeOrText::Text(text) => json!({"text": text}),
    }
}

/// Renders an optional code or words.
pub(crate) fn concept_of(value: &Option<CodeOrText>) -> Option<Value> {
    value.as_ref().map(concept_or_text)
}

/// Renders a code of one of FHIR's own lists.
pub(crate) fn listed(list: &str, code: &str) -> Value {
    let system = format!("http://terminology.hl7.org/CodeSystem/{list}");
    json!({"coding": [{"system": system, "code": code}]})
}

/// Renders a quantity in UCUM.
pub(crate) fn quantity(quantity: &Quantity) -> Value {
    let mut value = json!({
        "value": quantity.value,
        "unit": quantity.unit,
        "system": "http://unitsofmeasure.org",
        "code": quantity.unit,
    });
    if let (Some(comparator), Some(members)) = (quantity.comparator, value.as_object_mut()) {
        members.insert(
            "comparator".to_owned(),
            json!(Comparator::as_str(comparator)),
        );
    }
    value
}

/// Renders a bare number or a quantity as a Quantity.
pub(crate) fn measure(value: &Measure) -> Value {
    match value {
        Measure::Quantity(value) => quantity(value),
        Measure::Number(number) => json!({"value": number}),
    }
}

/// Renders when something happened as a dateTime.
pub(crate) fn date_time(occurred: Occurred) -> Value {
    json!(occurred.to_string())
}
