//! Whose a resource is: following its references to people, by the source's id, by identifier, or contained.

use sokhoe_record::json::Node;
use sokhoe_record::{Identifier, IdentifierSystem, PersonRef};

use super::Reading;
use crate::fhir::coding;
use crate::fhir::reference::{Target, text_of};

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A person's.
    Person(PersonRef),
    /// Nobody's: it is about a place, a product, a group.
    Nobody,
    /// Somebody's that cannot be told; the member that should have said who.
    Unknown(&'static str),
}

/// Members that say whose a resource is, in the order of trust.
const SUBJECT_KEYS: [&str; 6] = [
    "subject",
    "patient",
    "beneficiary",
    "individual",
    "for",
    "target",
];

impl Reading<'_, '_> {
    /// Names the member that says whose the resource is.
    pub(crate) fn subject_member(&self) -> Option<&'static str> {
        let node = self.node();
        SUBJECT_KEYS.into_iter().find(|key| node.get(key).is_some())
    }

    /// Finds whose the resource is.
    pub(crate) fn subject(&self) -> Subject {
        for key in SUBJECT_KEYS {
            let Some(member) = self.node().get(key) else {
                continue;
            };
            let Some(reference) = member.as_list().map_or(Some(member), <[_]>::first) else {
                continue;
            };
            if let Some(person) = self.person(reference) {
                return Subject::Person(person);
            }
            if self.about_a_person(reference) && key != "target" {
                return Subject::Unknown(key);
            }
        }
        let mut found = Vec::new();
        self.people_named(self.node(), &mut found);
        match found.pop() {
            Some(person) if found.is_empty() => Subject::Person(person),
            _ => Subject::Nobody,
        }
    }

    /// Collects the people that a resource without a subject names, up to two: what names one person only belongs
    /// to that person's stream, so that it goes when they go.
    fn people_named(&self, node: &Node<'_>, found: &mut Vec<PersonRef>) {
        if found.len() > 1 {
            return;
        }
        if node.text("reference").is_some() {
            found.extend(self.person(node).filter(|person| !found.contains(person)));
        }
        for (_, member) in node.as_object().unwrap_or_default() {
            self.people_named(member, found);
        }
        for item in node.as_list().unwrap_or_default() {
            self.people_named(item, found);
        }
    }

    /// Says whether a reference that gave nobody should have.
    fn about_a_person(&self, reference: &Node<'_>) -> bool {
        match reference.text("reference").map(Target::read) {
            Some(Target::Literal { kind, .. } | Target::Conditional { kind, .. }) => {
                kind == "Patient"
            }
            Some(target @ Target::Urn(_)) => self
                .document
                .find(target)
                .is_none_or(|entry| entry.kind == "Patient"),
            Some(Target::Contained(id)) => self
                .contained(id)
                .is_none_or(|node| node.text("resourceType") == Some("Patient")),
            Some(Target::Unknown) => true,
            None => reference.text("type").is_none_or(|kind| kind == "Patient"),
        }
    }

    /// Follows a Reference to a person.
    pub(crate) fn person(&self, reference: &Node<'_>) -> Option<PersonRef> {
        let text = text_of(reference);
        let Some(target) = text.as_deref().map(Target::read) else {
            return self.person_by(reference.get("identifier")?);
        };
        match target {
            Target::Literal {
                kind: "Patient",
                id,
            } => {
                let id = self.document.find(target).map_or(id, |entry| &entry.id);
                Some(self.own_patient(id))
            }
            Target::Urn(_) => {
                let entry = self
                    .document
                    .find(target)
                    .filter(|entry| entry.kind == "Patient")?;
                Some(self.own_patient(&entry.id))
            }
            Target::Conditional {
                kind: "Patient",
                system,
                value,
            } => self.identified(system, "", value),
            Target::Contained(id) => {
                let patient = self.contained(id)?;
                let patient =
                    (patient.text("resourceType") == Some("Patient")).then_some(patient)?;
                patient
                    .items("identifier")
                    .iter()
                    .find_map(|identifier| self.person_by(identifier))
            }
            _ => None,
        }
    }

    fn person_by(&self, identifier: &Node<'_>) -> Option<PersonRef> {
        let kind = coding::first_code(identifier.get("type")).unwrap_or_default();
        let system = identifier.text("system").unwrap_or_default();
        self.identified(system, kind, identifier.text("value")?)
    }

    fn identified(&self, system: &str, kind: &str, value: &str) -> Option<PersonRef> {
        let (system, value) = self.ctx.person_identifier(system, kind, value)?;
        let system = IdentifierSystem::parse(&system)?;
        Some(PersonRef::Identifier(Identifier {
            system,
            value,
            ..Identifier::default()
        }))
    }

    /// Returns the reference to the Patient of this source with `id`.
    pub(crate) fn own_patient(&self, id: &str) -> PersonRef {
        PersonRef::Identifier(Identifier {
            system: IdentifierSystem::Mrn(self.ctx.patient_system().to_owned()),
            value: self.ctx.patient_value(id),
            ..Identifier::default()
        })
    }
}
