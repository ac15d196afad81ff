//! Names of code systems: FHIR's addresses to this system's own and back. An address that names no list known here
//! stays as it is.

use sokhoe_record::CodeSystem;

/// The lists that FHIR knows by an address: the usual one first.
const SYSTEMS: [(CodeSystem, &[&str]); 7] = [
    (
        CodeSystem::Snomed,
        &["http://snomed.info/sct", "urn:oid:2.16.840.1.113883.6.96"],
    ),
    (
        CodeSystem::Loinc,
        &["http://loinc.org", "urn:oid:2.16.840.1.113883.6.1"],
    ),
    (
        CodeSystem::Rxnorm,
        &[
            "http://www.nlm.nih.gov/research/umls/rxnorm",
            "urn:oid:2.16.840.1.113883.6.88",
        ],
    ),
    (
        CodeSystem::Cvx,
        &[
            "http://hl7.org/fhir/sid/cvx",
            "urn:oid:2.16.840.1.113883.12.292",
        ],
    ),
    (
        CodeSystem::Icd10,
        &[
            "http://hl7.org/fhir/sid/icd-10",
            "urn:oid:2.16.840.1.113883.6.3",
        ],
    ),
    (
        CodeSystem::Atc,
        &["http://www.whocc.no/atc", "urn:oid:2.16.840.1.113883.6.73"],
    ),
    (
        CodeSystem::Ucum,
        &["http://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"],
    ),
];

/// Returns the list known here that `uri` names.
pub(crate) fn known(uri: &str) -> Option<CodeSystem> {
    SYSTEMS
        .iter()
        .find(|(_, uris)| uris.contains(&uri))
        .map(|(system, _)| system.clone())
}

/// Returns FHIR's address of `system`, or a name of our own making where it has none.
pub(crate) fn uri(system: &CodeSystem) -> String {
    match SYSTEMS.iter().find(|(known, _)| known == system) {
        Some((_, uris)) => uris.first().copied().unwrap_or_default().to_owned(),
        None if matches!(system, CodeSystem::Uri(_)) => system.as_str().to_owned(),
        None => format!("urn:sokhoe:system:{}", system.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_systems_go_there_and_back_and_others_stay() {
        for (system, uris) in SYSTEMS {
            assert_eq!(known(&uri(&system)), Some(system.clone()));
            assert_eq!(known(uris[1]), Some(system));
        }
        assert_eq!(known("http://a.vn/codes"), None);
        assert_eq!(
            uri(&CodeSystem::Uri("http://a.vn/codes".into())),
            "http://a.vn/codes"
        );
        assert_eq!(uri(&CodeSystem::DrugVn), "urn:sokhoe:system:drug-vn");
    }
}
